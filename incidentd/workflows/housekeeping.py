"""Keeping the house: forgetting what is older than the configuration wants, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from incidentd.config.people import Retention
from incidentd.store import action_items, announcements, drills, inbound, overrides, runbooks, silences
from incidentd.store import deployments as deployment_store
from incidentd.store import retention as store_retention
from incidentd.store.engine import Store, Tx
from incidentd.store.retention import Walked
from incidentd.workflows import maintenance, subscribers
from incidentd.workflows.deployments import give_up_untold

INCIDENTS_AT_ONCE = 50
"""Per transaction at most; fewer if they have many members, for intake waits meanwhile."""
ROWS_AT_ONCE = 1000
"""Per transaction, of single rows."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cleared:
    """How much was forgotten."""

    incidents: int
    deliveries: int
    quarantine: int
    alerts: int


async def housekeep(
    store: Store, retention: Retention, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> Cleared:
    """Forget what is too old, then give the space of SQLite's write-ahead log back.

    Many short transactions: intake and delivery get their turn between any two. It ends after the current one
    once `stopping` says so, and goes on next time; replicas may run it at once. Raises `StoreUnavailableError`.
    """
    sweep = _Sweep(store, stopping)
    forgotten, told, bad = now - retention.incidents, now - retention.deliveries, now - retention.quarantine
    incidents = await sweep.emptied(
        lambda tx: store_retention.delete_incidents(tx, forgotten, INCIDENTS_AT_ONCE)
    )
    await sweep.emptied(lambda tx: runbooks.delete_unused(tx, forgotten, ROWS_AT_ONCE))
    deliveries = await sweep.walked(partial(_deliveries, told))
    quarantine = await sweep.emptied(lambda tx: store_retention.delete_quarantine(tx, bad, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: inbound.delete_old(tx, now - inbound.KEPT, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: deployment_store.delete_old(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: overrides.delete_old(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: drills.delete_old(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: silences.delete_old(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: action_items.delete_old(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: maintenance.forget(tx, forgotten, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: announcements.delete_old(tx, told, ROWS_AT_ONCE))
    await sweep.emptied(lambda tx: subscribers.forget(tx, now, ROWS_AT_ONCE))
    alerts = await sweep.walked(partial(_unplaced, forgotten))
    alerts += await sweep.walked(partial(_abandoned, forgotten))
    if not stopping():
        for deployment, channel in await store.write(lambda tx: give_up_untold(tx, now)):
            log.error("change_event_dead", channel=channel, deployment=deployment)
        await store.checkpoint()
    return Cleared(incidents, deliveries, quarantine, alerts)


def _deliveries(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_deliveries(tx, limit_at, after, ROWS_AT_ONCE)


def _unplaced(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_unplaced_alerts(tx, limit_at, after, ROWS_AT_ONCE)


def _abandoned(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_abandoned_alerts(tx, limit_at, after, ROWS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Runs short steps one after the other until there is nothing left, or the daemon stops."""

    store: Store
    stopping: Callable[[], bool]

    async def emptied(self, step: Callable[[Tx], int]) -> int:
        """Run `step` until it finds nothing more; how much in all."""
        total = 0
        while not self.stopping() and (done := await self.store.write(step)):
            total += done
        return total

    async def walked(self, step: Callable[[int, Tx], Walked]) -> int:
        """Run `step` from the beginning of a table to where it says it is done; how much was deleted."""
        total = 0
        last: int | None = 0
        while last is not None and not self.stopping():
            walked = await self.store.write(partial(step, last))
            total, last = total + walked.deleted, walked.last
        return total
