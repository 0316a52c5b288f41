"""Forgetting beside intake: on PostgreSQL both run at once, and what comes back to life is not forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from incidentd.domain.alert import Alert
from incidentd.store import retention, schema
from incidentd.store.engine import Store, Tx, postgresql_engine
from incidentd.workflows import respond
from incidentd.workflows.receive import Reception, receive
from tests.store.samples import DAY, MINUTE, NOW, RULES, alert, post

LATER = NOW + 101 * DAY
WAITERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def comes(store: Store, *alerts: Alert, after: timedelta = timedelta()) -> Reception:
    return await store.write(lambda tx: receive(tx, [post(*alerts)], RULES, NOW + after))


async def waiting(store: Store, count: int, *unless_done: asyncio.Future[Any]) -> None:
    """Return when so many transactions wait for a lock, or one of the tasks needed none."""
    async with asyncio.timeout(5):
        while not any(task.done() for task in unless_done):
            if await store.read_now(lambda tx: tx.conn.execute(WAITERS).scalar_one()) >= count:
                return


@contextlib.asynccontextmanager
async def held(store: Store, incident_id: int) -> AsyncIterator[None]:
    """Somebody else has an incident locked until the block ends."""
    engine = postgresql_engine(store.url)
    async with engine.begin() as other:
        await other.execute(
            sa.select(schema.incidents.c.id).where(schema.incidents.c.id == incident_id).with_for_update()
        )
        yield
    await engine.dispose()


async def raced(store: Store, forget: Callable[[Tx], Any], *body: Alert) -> None:
    """Intake has read what is known of `body` and waits for incident 1; meanwhile something is forgotten."""
    async with held(store, 1):
        intake = asyncio.ensure_future(comes(store, *body, after=101 * DAY))
        await waiting(store, 1, intake)
        forgetting = asyncio.ensure_future(store.write(forget))
        await waiting(store, 2, forgetting)
    await asyncio.gather(intake, forgetting)


def forget_incidents(tx: Tx) -> int:
    return retention.delete_incidents(tx, NOW + DAY, 50)


def forget_blips(tx: Tx) -> retention.Walked:
    return retention.delete_unplaced_alerts(tx, NOW + DAY, 0, 50)


def orphans(tx: Tx) -> tuple[int, int]:
    """Occurrences whose alert is gone, and those whose incident is gone."""
    o, a, i = schema.occurrences.c, schema.alerts.c, schema.incidents.c
    no_alert = sa.select(sa.func.count()).where(~sa.exists().where(a.id == o.alert_id))
    no_incident = sa.select(sa.func.count()).where(
        o.incident_id.is_not(None), ~sa.exists().where(i.id == o.incident_id)
    )
    return tx.conn.execute(no_alert).scalar_one(), tx.conn.execute(no_incident).scalar_one()


def firing(tx: Tx) -> set[str]:
    query = sa.select(schema.alerts.c.fingerprint).where(schema.alerts.c.ends_at.is_(None))
    return set(tx.conn.execute(query).scalars())


@pytest.mark.parametrize("starts_at", [NOW, LATER], ids=["with its old start", "with a new one"])
async def test_an_alert_that_fires_again_while_its_old_incident_goes_is_kept(
    pg_store: Store, starts_at: Any
) -> None:
    await comes(pg_store, alert(1))
    await comes(pg_store, alert(2))
    await comes(pg_store, alert(2, firing=False), after=MINUTE)
    again = alert(2, starts_at=starts_at)
    await raced(pg_store, forget_incidents, alert(1, firing=False), again)
    assert again.fingerprint in await pg_store.read(firing)
    assert await pg_store.read(orphans) == (0, 0)


async def test_a_blip_that_fires_in_earnest_while_blips_go_is_kept(pg_store: Store) -> None:
    await comes(pg_store, alert(1))
    await comes(pg_store, alert(2, firing=False))
    real = alert(2, starts_at=LATER)
    await raced(pg_store, forget_blips, alert(1, firing=False), real)
    assert real.fingerprint in await pg_store.read(firing)
    assert await pg_store.read(orphans) == (0, 0)


async def test_an_incident_that_a_person_is_reopening_stays(pg_store: Store) -> None:
    await comes(pg_store, alert(1))
    await comes(pg_store, alert(1, firing=False), after=MINUTE)
    engine = postgresql_engine(pg_store.url)
    async with engine.begin() as person:
        await person.run_sync(
            lambda conn: respond.reopen(Tx(conn, postgresql=True), 1, "alice", "", RULES, LATER)
        )
        assert await pg_store.write(forget_incidents) == 0
    await engine.dispose()
    assert await pg_store.write(forget_incidents) == 0
    assert await pg_store.read(orphans) == (0, 0)
