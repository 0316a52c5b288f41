"""What vendors told us: seen once, followed in order, forgotten in the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incidentd.store import inbound
from incidentd.store.engine import Store, Tx

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def test_an_event_is_new_once_for_each_channel(store: Store) -> None:
    def work(tx: Tx) -> list[bool]:
        seen = [("pager", "1"), ("pager", "1"), ("other", "1"), ("pager", "2")]
        return [inbound.remember(tx, channel, event, NOW) for channel, event in seen]

    assert await store.write(work) == [True, False, True, True]
    assert await store.write(lambda tx: inbound.remember(tx, "pager", "1", NOW)) is False


async def test_an_incident_is_followed_to_the_newest_event_of_each_channel(store: Store) -> None:
    def work(tx: Tx) -> list[datetime | None]:
        for number, minutes in enumerate((3, 1)):
            inbound.remember(tx, "pager", str(number), NOW)
            inbound.follow(tx, "pager", str(number), 7, NOW + minutes * MINUTE)
        return [inbound.latest(tx, *key) for key in (("pager", 7), ("pager", 8), ("other", 7))]

    assert await store.write(work) == [NOW + 3 * MINUTE, None, None]


async def test_a_vendors_name_of_an_incident_is_learnt_anew(store: Store) -> None:
    def work(tx: Tx) -> list[int | None]:
        inbound.name(tx, "pager", "PABC", 7, NOW)
        inbound.name(tx, "pager", "PABC", 8, NOW)
        return [inbound.named(tx, *key) for key in (("pager", "PABC"), ("pager", "PXYZ"), ("other", "PABC"))]

    assert await store.write(work) == [8, None, None]


async def test_old_events_are_forgotten_in_batches_the_oldest_first(store: Store) -> None:
    def fill(tx: Tx) -> None:
        for number in range(5):
            inbound.remember(tx, "pager", str(number), NOW + number * MINUTE)

    await store.write(fill)
    for gone in (2, 1, 0):
        assert await store.write(lambda tx: inbound.delete_old(tx, NOW + 3 * MINUTE, 2)) == gone
    assert await store.write(lambda tx: inbound.remember(tx, "pager", "2", NOW))
    assert not await store.write(lambda tx: inbound.remember(tx, "pager", "3", NOW))
