"""Forgetting: what is too old goes, in short steps, and nothing that is still needed goes with it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from incidentd.config.people import Retention
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matcher
from incidentd.store import alerts, quarantine, retention, schema
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import migrate
from incidentd.workflows import maintenance
from incidentd.workflows.housekeeping import Cleared, housekeep
from incidentd.workflows.receive import receive
from tests.audited import WatchedStore
from tests.store.samples import DAY, NOW, RULES, alert, post

KEPT = Retention(incidents=100 * DAY, deliveries=30 * DAY, quarantine=10 * DAY)
NOTHING = Cleared(0, 0, 0, 0)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    await migrate(database_url)
    store = WatchedStore(database_url)
    yield store
    await store.close()
    assert store.silent == []


def rows(tx: Tx) -> dict[str, int]:
    tables = (schema.alerts, schema.occurrences, schema.incidents, schema.timeline, schema.deliveries)
    return {
        table.name: int(tx.conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in tables
    }


async def told(store: Store, number: int, at: datetime, *, ended: bool = True) -> None:
    """Alert `number` fires at `at` and ends a minute later; its messages are sent."""
    await store.write(lambda tx: receive(tx, [post(alert(number, starts_at=at))], RULES, at))
    if ended:
        gone = alert(number, starts_at=at, firing=False)
        await store.write(lambda tx: receive(tx, [post(gone)], RULES, at + timedelta(minutes=1)))
    await store.write(lambda tx: tx.conn.execute(sa.update(schema.deliveries).values(state="sent")))


async def test_an_old_resolved_incident_goes_with_all_that_hangs_on_it(store: Store) -> None:
    await told(store, 1, NOW)
    assert (await housekeep(store, KEPT, NOW + 99 * DAY)).incidents == 0
    assert (await housekeep(store, KEPT, NOW + 101 * DAY)).incidents == 1
    assert set((await store.read(rows)).values()) == {0}


async def test_an_open_incident_stays_however_old_it_is(store: Store) -> None:
    await told(store, 1, NOW, ended=False)
    await store.write(lambda tx: alerts.touch(tx, [1], NOW + 1000 * DAY))
    assert await housekeep(store, KEPT, NOW + 1000 * DAY) == NOTHING
    assert (await store.read(rows))["deliveries"] == 1


async def test_messages_go_before_their_incident_if_that_is_resolved(store: Store) -> None:
    await told(store, 1, NOW)
    await told(store, 2, NOW, ended=False)
    await told(store, 3, NOW + 20 * DAY)
    assert await housekeep(store, KEPT, NOW + 31 * DAY) == Cleared(0, 2, 0, 0)
    assert (await store.read(rows))["deliveries"] == 3
    assert (await store.read(rows))["incidents"] == 3


@pytest.mark.parametrize("state", ["pending", "leased"])
async def test_messages_on_their_way_stay(store: Store, state: str) -> None:
    await told(store, 1, NOW)
    await store.write(lambda tx: tx.conn.execute(sa.update(schema.deliveries).values(state=state)))
    assert await housekeep(store, KEPT, NOW + 31 * DAY) == NOTHING


async def test_an_alert_stays_while_one_of_its_incidents_does(store: Store) -> None:
    await told(store, 1, NOW)
    await told(store, 1, NOW + 50 * DAY)
    assert (await housekeep(store, KEPT, NOW + 110 * DAY)).incidents == 1
    left = await store.read(rows)
    assert (left["alerts"], left["occurrences"], left["incidents"]) == (1, 1, 1)
    assert (await housekeep(store, KEPT, NOW + 160 * DAY)).incidents == 1
    assert set((await store.read(rows)).values()) == {0}


async def test_blips_that_came_no_more_go(store: Store) -> None:
    await store.write(lambda tx: receive(tx, [post(alert(1, firing=False))], RULES, NOW))
    await store.write(lambda tx: receive(tx, [post(alert(2, firing=False))], RULES, NOW + 50 * DAY))
    assert await housekeep(store, KEPT, NOW + 101 * DAY) == replace(NOTHING, alerts=1)
    assert (await store.read(rows))["occurrences"] == 1


async def test_an_alert_that_nobody_repeats_goes_after_its_incident(store: Store) -> None:
    """A person resolved the incident while it fired, and its end was never told."""
    await told(store, 1, NOW, ended=False)
    await store.write(
        lambda tx: tx.conn.execute(
            sa.update(schema.incidents).values(state="resolved", resolved_at=schema.incidents.c.opened_at)
        )
    )
    assert await housekeep(store, KEPT, NOW + 101 * DAY) == Cleared(1, 0, 0, 1)
    assert set((await store.read(rows)).values()) == {0}


async def test_what_was_set_aside_goes_after_its_own_time(store: Store) -> None:
    for at in (NOW, NOW + 5 * DAY):
        await store.write(lambda tx, at=at: quarantine.add(tx, "main", "r", [("a", "b", "{}")], at))  # type: ignore[misc]
    assert await housekeep(store, KEPT, NOW + 11 * DAY) == replace(NOTHING, quarantine=1)


async def test_maintenance_that_is_over_or_was_cancelled_goes_and_what_comes_again_stays(
    store: Store,
) -> None:
    rules = {
        "once": None,
        "thrice": "FREQ=DAILY;COUNT=3",
        "for ever": "FREQ=DAILY",
        "cancelled": "FREQ=DAILY",
    }

    def made(tx: Tx) -> None:
        for name, rrule in rules.items():
            planned = plan(NOW.replace(tzinfo=None), timedelta(hours=1), "Etc/UTC", rrule)
            window = Window(name, (parse_matcher('service="db"'),), planned)
            maintenance.add(tx, window, "", "alice", NOW)
        maintenance.cancel(tx, len(rules), "alice", NOW)

    await store.write(made)

    async def names(days: int) -> list[str]:
        await housekeep(store, KEPT, NOW + days * DAY)
        return await store.read(
            lambda tx: list(tx.conn.execute(sa.select(schema.maintenance.c.name)).scalars())
        )

    assert await names(100) == ["once", "thrice", "for ever", "cancelled"]
    assert await names(101) == ["thrice", "for ever"]
    assert await names(103) == ["for ever"]


async def test_each_step_is_small_and_can_be_resumed(store: Store) -> None:
    for number in range(1, 8):
        await told(store, number, NOW)
    limit = NOW + DAY
    assert await store.write(lambda tx: retention.delete_incidents(tx, limit, 3)) == 3
    assert (await store.read(rows))["incidents"] == 4
    walked = await store.write(lambda tx: retention.delete_deliveries(tx, limit, 0, 3))
    assert walked.deleted == 3
    assert walked.last is not None
    rest = await store.write(lambda tx: retention.delete_deliveries(tx, limit, walked.last or 0, 30))
    assert (rest.deleted, rest.last) == (5, None)
    assert await housekeep(store, KEPT, NOW + 101 * DAY) == Cleared(4, 0, 0, 0)
    assert set((await store.read(rows)).values()) == {0}


async def test_incidents_with_many_members_go_one_after_the_other(store: Store) -> None:
    for number in range(1, 4):
        await told(store, number, NOW)
    many = sa.update(schema.incidents).values(alerts_total=retention.MEMBERS // 2)
    await store.write(lambda tx: tx.conn.execute(many))
    assert await store.write(lambda tx: retention.delete_incidents(tx, NOW + DAY, 50)) == 2
    assert await store.write(lambda tx: retention.delete_incidents(tx, NOW + DAY, 50)) == 1


async def test_it_ends_between_two_steps_when_the_daemon_stops(store: Store) -> None:
    for number in range(1, 4):
        await told(store, number, NOW)
    huge = sa.update(schema.incidents).values(alerts_total=retention.MEMBERS)
    await store.write(lambda tx: tx.conn.execute(huge))
    asked = iter([False, True])
    done = await housekeep(store, KEPT, NOW + 101 * DAY, lambda: next(asked, True))
    assert done == replace(NOTHING, incidents=1)


async def test_thousands_of_members_of_one_incident_go_in_one_step(pg_url: str) -> None:
    await migrate(pg_url)
    store = Store(pg_url)
    rules = replace(RULES, grouping=("service",))
    for firing in (True, False):
        body = post(*[alert(n, firing=firing) for n in range(5_100)])
        await store.write(lambda tx, body=body: receive(tx, [body], rules, NOW))  # type: ignore[misc]
    assert (await housekeep(store, KEPT, NOW + 101 * DAY)).incidents == 1
    assert set((await store.read(rows)).values()) == {0}
    await store.close()
