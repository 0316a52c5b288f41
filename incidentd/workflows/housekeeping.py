"""Keeping the house: forgetting what is older than the configuration wants, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from incidentd.config.people import Retention
from incidentd.store import retention as store_retention
from incidentd.store.engine import Store, Tx
from incidentd.store.retention import Walked

INCIDENTS_AT_ONCE = 50
"""Per transaction: each may have thousands of members, and intake waits meanwhile."""
ROWS_AT_ONCE = 1000
"""Per transaction, of single rows."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """How much was forgotten."""

    incidents: int
    deliveries: int
    quarantine: int
    alerts: int


async def housekeep(store: Store, retention: Retention, now: datetime) -> Cleared:
    """Forget what is too old, then give the space of SQLite's write-ahead log back.

    Many short transactions: intake and delivery get their turn between any two. It can be stopped anywhere
    and goes on next time; replicas may run it at once. Raises `StoreUnavailableError`.
    """
    forgotten, told = now - retention.incidents, now - retention.deliveries
    incidents = await _emptied(
        store,
        lambda tx: store_retention.delete_incidents(tx, forgotten, INCIDENTS_AT_ONCE),
        INCIDENTS_AT_ONCE,
    )
    deliveries = await _walked(store, partial(_deliveries, told))
    bad = now - retention.quarantine
    quarantine = await _emptied(
        store, lambda tx: store_retention.delete_quarantine(tx, bad, ROWS_AT_ONCE), ROWS_AT_ONCE
    )
    alerts = await _walked(store, partial(_unplaced, forgotten))
    alerts += await _walked(store, partial(_abandoned, forgotten))
    await store.checkpoint()
    return Cleared(incidents, deliveries, quarantine, alerts)


def _deliveries(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_deliveries(tx, limit_at, after, ROWS_AT_ONCE)


def _unplaced(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_unplaced_alerts(tx, limit_at, after, ROWS_AT_ONCE)


def _abandoned(limit_at: datetime, after: int, tx: Tx) -> Walked:
    return store_retention.delete_abandoned_alerts(tx, limit_at, after, ROWS_AT_ONCE)


async def _emptied(store: Store, work: Callable[[Tx], int], batch: int) -> int:
    """Run `work` until it finds less than a whole batch; how much in all."""
    total = 0
    while True:
        done = await store.write(work)
        total += done
        if done < batch:
            return total


async def _walked(store: Store, step: Callable[[int, Tx], Walked]) -> int:
    """Run `step` from the beginning of a table to where it says it is done; how much was deleted."""
    total, last = 0, 0
    while True:
        walked = await store.write(partial(step, last))
        total += walked.deleted
        if walked.last is None:
            return total
        last = walked.last
