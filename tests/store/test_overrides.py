"""Overrides in both databases: what holds when, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from incidentd.store import overrides
from incidentd.store.engine import Store
from incidentd.store.overrides import StoredOverride

T0 = datetime(2026, 12, 24, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def override(user: str, begin: int, end: int, schedule: str = "primary") -> StoredOverride:
    return StoredOverride(
        0, schedule, user, T0 + begin * HOUR, T0 + end * HOUR, "alice", T0, "swap", None, None
    )


async def test_an_override_is_stored_whole_and_found_again(store: Store) -> None:
    made = await store.write(lambda tx: overrides.add(tx, override("bob", 0, 4)))
    assert made == replace(override("bob", 0, 4), id=made.id)
    assert await store.read(lambda tx: overrides.find(tx, made.id)) == made
    assert await store.read(lambda tx: overrides.find(tx, made.id + 1)) is None


async def test_what_holds_in_a_time_is_what_overlaps_it(store: Store) -> None:
    for each in (override("bob", 0, 4), override("carol", 4, 8), override("dave", 0, 4, "secondary")):
        await store.write(partial(overrides.add, new=each))

    async def users(begin: int, end: int | None, schedule: str | None = None) -> list[str]:
        until = None if end is None else T0 + end * HOUR
        found = await store.read(lambda tx: overrides.between(tx, T0 + begin * HOUR, until, schedule))
        return [each.user for each in found]

    assert await users(0, 1) == ["bob", "dave"]
    assert await users(0, 1, "primary") == ["bob"]
    assert await users(4, 5) == ["carol"]
    assert await users(-2, 0) == []
    assert await users(8, None) == []
    assert await users(1, None) == ["bob", "carol", "dave"]


async def test_a_cancelled_override_held_until_then_and_one_that_had_not_begun_never_did(
    store: Store,
) -> None:
    running = await store.write(lambda tx: overrides.add(tx, override("bob", 0, 4)))
    later = await store.write(lambda tx: overrides.add(tx, override("carol", 6, 8)))
    for each in (running, later):
        assert await store.write(partial(overrides.cancel, override_id=each.id, by="alice", now=T0 + HOUR))
        assert not await store.write(
            partial(overrides.cancel, override_id=each.id, by="eve", now=T0 + 2 * HOUR)
        )
    (left,) = await store.read(lambda tx: overrides.between(tx, T0 - HOUR))
    assert (left.user, left.starts_at, left.ends_at) == ("bob", T0, T0 + HOUR)
    assert await store.read(lambda tx: overrides.between(tx, T0 + 2 * HOUR)) == ()
    listed = await store.read(lambda tx: overrides.search(tx, "primary", None, 9))
    assert [(each.user, each.cancelled_by) for each in listed] == [("carol", "alice"), ("bob", "alice")]


async def test_old_overrides_are_forgotten_in_batches(store: Store) -> None:
    for number in range(3):
        each = override("bob", number, number + 1)
        await store.write(partial(overrides.add, new=each))
    assert await store.write(lambda tx: overrides.delete_old(tx, T0 + 3 * HOUR, 1)) == 1
    assert await store.write(lambda tx: overrides.delete_old(tx, T0 + 3 * HOUR, 9)) == 1
    assert await store.write(lambda tx: overrides.delete_old(tx, T0 + 3 * HOUR, 9)) == 0
    assert len(await store.read(lambda tx: overrides.search(tx, None, None, 9))) == 1
