"""Keeping the house: forgetting what is older than the configuration wants, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from incidentd.config.people import Retention
from incidentd.store import (
    action_items,
    announcements,
    drills,
    inbound,
    overrides,
    runbooks,
    sessions,
    silences,
)
from incidentd.store import audit as audit_store
from incidentd.store import deployments as deployment_store
from incidentd.store import retention as store_retention
from incidentd.store.engine import Store, Tx
from incidentd.store.retention import Walked
from incidentd.workflows import audit, maintenance, subscribers
from incidentd.workflows.deployments import give_up_untold

INCIDENTS_AT_ONCE = 50
"""Per transaction at most; fewer if they have many members, for intake waits meanwhile."""
SESSIONS_KEPT = timedelta(days=30)
"""After their last use."""
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
    sweep = _Sweep(store, stopping, now)
    forgotten = now - retention.incidents
    incidents = await sweep.emptied(
        "incidents", store_retention.delete_incidents, forgotten, INCIDENTS_AT_ONCE
    )
    await sweep.emptied("runbook texts", runbooks.delete_unused, forgotten)
    deliveries = await sweep.walked(
        "deliveries", store_retention.delete_deliveries, now - retention.deliveries
    )
    bad = now - retention.quarantine
    quarantine = await sweep.emptied("quarantine", store_retention.delete_quarantine, bad)
    await sweep.emptied("vendor events", inbound.delete_old, now - inbound.KEPT)
    await sweep.emptied("deployments", deployment_store.delete_old, forgotten)
    await sweep.emptied("overrides", overrides.delete_old, forgotten)
    await sweep.emptied("drills", drills.delete_old, forgotten)
    await sweep.emptied("silences", silences.delete_old, forgotten)
    await sweep.emptied("maintenance", maintenance.forget, forgotten)
    await sweep.emptied("action items", action_items.delete_old, forgotten)
    await sweep.emptied("announcements", announcements.delete_old, now - retention.deliveries)
    await sweep.emptied("subscribers", subscribers.forget, now)
    await sweep.emptied("sessions", sessions.delete_old, now - SESSIONS_KEPT)
    await sweep.emptied("audit texts", audit_store.forget_texts, now - retention.audit_texts)
    alerts = await sweep.walked("alerts", store_retention.delete_unplaced_alerts, forgotten)
    alerts += await sweep.walked("alerts", store_retention.delete_abandoned_alerts, forgotten)
    if not stopping():
        for deployment, channel in await store.write(lambda tx: give_up_untold(tx, now)):
            log.error("change_event_dead", channel=channel, deployment=deployment)
        await store.checkpoint()
    return Cleared(incidents, deliveries, quarantine, alerts)


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Runs short steps one after the other until there is nothing left, or the daemon stops."""

    store: Store
    stopping: Callable[[], bool]
    now: datetime

    async def emptied(
        self,
        what: str,
        step: Callable[[Tx, datetime, int], int],
        before: datetime,
        batch: int = ROWS_AT_ONCE,
    ) -> int:
        """Run `step` until it finds nothing more from `before`; how much in all."""

        def work(tx: Tx) -> int:
            done = step(tx, before, batch)
            audit.deleted(tx, what, done, before, self.now)
            return done

        total = 0
        while not self.stopping() and (done := await self.store.write(work)):
            total += done
        return total

    async def walked(
        self, what: str, step: Callable[[Tx, datetime, int, int], Walked], before: datetime
    ) -> int:
        """Run `step` from the beginning of a table to where it says it is done; how much was deleted."""

        def work(after: int, tx: Tx) -> Walked:
            walked = step(tx, before, after, ROWS_AT_ONCE)
            audit.deleted(tx, what, walked.deleted, before, self.now)
            return walked

        total = 0
        last: int | None = 0
        while last is not None and not self.stopping():
            walked = await self.store.write(partial(work, last))
            total, last = total + walked.deleted, walked.last
        return total
