"""The outbox of change events: taken by one, settled by whoever holds the lease, given up in the end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incidentd.domain.deployment import Deployment, DeploymentStatus
from incidentd.store import change_events, deployments
from incidentd.store.change_events import ChangeEvent, Ending
from incidentd.store.engine import Store, Tx

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = 25 * SECOND
DONE = Deployment(
    "main", "7", "shop", "production", "1.2", DeploymentStatus.SUCCESS, None, NOW - 60 * SECOND, NOW
)
SENT = Ending("sent", None, NOW)


async def queued(store: Store, name: str = "7", *channels: str) -> None:
    def work(tx: Tx) -> None:
        number = deployments.insert(tx, replace(DONE, id=name), NOW)
        change_events.enqueue(tx, number, channels or ("pager",), NOW)

    await store.write(work)


async def taken(store: Store, at: datetime = NOW, channel: str = "pager") -> ChangeEvent | None:
    return await store.write(lambda tx: change_events.claim(tx, channel, at, at + LEASE))


async def test_a_row_is_taken_with_its_deployment_and_by_one_alone(store: Store) -> None:
    await queued(store)
    event = await taken(store)
    assert event is not None
    assert (event.deployment, event.attempts, event.generation) == (DONE, 1, 1)
    assert await taken(store) is None
    assert await taken(store, channel="other") is None
    assert await store.write(lambda tx: change_events.settle(tx, event, SENT, NOW))
    assert await taken(store, NOW + 100 * LEASE) is None
    assert await store.read(lambda tx: change_events.next_due(tx, "pager")) is None


async def test_whoever_slept_past_its_lease_settles_nothing(store: Store) -> None:
    await queued(store)
    slow = await taken(store)
    assert slow is not None
    assert await store.read(lambda tx: change_events.next_due(tx, "pager")) == NOW + LEASE
    quick = await taken(store, NOW + LEASE)
    assert quick is not None
    assert quick.attempts == 2
    dead = Ending("dead", "slow", NOW)
    assert not await store.write(lambda tx: change_events.settle(tx, slow, dead, NOW))
    assert await store.write(lambda tx: change_events.settle(tx, quick, SENT, NOW))
    assert (await store.read(lambda tx: change_events.backlog(tx, NOW))).given_up == 0


async def test_after_a_failure_nothing_of_that_channel_is_tried_before_its_pause_is_over(
    store: Store,
) -> None:
    await queued(store, "7", "pager", "other")
    await queued(store, "8")
    event = await taken(store)
    assert event is not None
    later = NOW + 30 * SECOND

    def fail(tx: Tx) -> None:
        change_events.settle(tx, event, Ending("pending", "http_503", later), NOW)
        change_events.postpone(tx, "pager", later)

    await store.write(fail)
    assert await taken(store, NOW + 29 * SECOND) is None
    assert await taken(store, NOW, "other") is not None
    again = [await taken(store, later) for _ in range(3)]
    assert [each.deployment.id for each in again if each] == ["8", "7"]


async def test_the_backlog_tells_what_waits_and_what_was_given_up_lately(store: Store) -> None:
    for name in ("7", "8", "9"):
        await queued(store, name)
    event = await taken(store)
    assert event is not None
    dead = Ending("dead", "http_400", NOW)
    await store.write(lambda tx: change_events.settle(tx, event, dead, NOW))
    found = await store.read(lambda tx: change_events.backlog(tx, NOW))
    assert (found.waiting, found.oldest, found.given_up) == (2, NOW, 1)
    assert (await store.read(lambda tx: change_events.backlog(tx, NOW + SECOND))).given_up == 0


async def test_what_nobody_took_is_given_up_and_what_is_being_sent_is_not(store: Store) -> None:
    await queued(store, "7", "gone", "pager")
    assert await taken(store) is not None
    late = NOW + SECOND

    def work(tx: Tx) -> list[tuple[int, str]]:
        return change_events.give_up_old(tx, late, "nobody takes it", late)

    assert await store.write(work) == [(1, "gone")]
    assert await store.write(work) == []


async def test_deployments_are_listed_newest_first_and_forgotten_with_what_was_told_of_them(
    store: Store,
) -> None:
    for name in ("7", "8", "9"):
        await queued(store, name)
    first = await store.read(lambda tx: deployments.search(tx, service="shop", limit=2))
    assert [each.deployment.id for each in first] == ["9", "8"]
    rest = await store.read(lambda tx: deployments.search(tx, before=first[-1].number, limit=2))
    assert [each.deployment.id for each in rest] == ["7"]
    assert await store.write(lambda tx: deployments.delete_old(tx, NOW, 2)) == 0
    for count in (2, 1, 0):
        assert await store.write(lambda tx: deployments.delete_old(tx, NOW + SECOND, 2)) == count
    assert (await store.read(lambda tx: change_events.backlog(tx, NOW))).waiting == 0
