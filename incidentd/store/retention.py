"""Forgetting, in batches: each function is one short unit of work and says how much it did, so it can be
resumed.

Rows get their numbers in the order of time, so the old ones are at the low end and no index on time is
needed.

What goes is looked for first, and looked at again once intake is locked out: on PostgreSQL it may have read an
alert that is old, and be about to write that it fires again. Nothing found, nobody is locked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryState
from incidentd.store import incidents, schema, schema_automation, schema_runbooks
from incidentd.store.codec import micros
from incidentd.store.engine import Tx

_a = schema.alerts.c
_o = schema.occurrences.c
_i = schema.incidents.c
_d = schema.deliveries.c
_q = schema.quarantine.c
_CLOSED = sa.text("incidents.state = 'resolved'")
MEMBERS = 5_000
"""Alerts of the incidents deleted in one transaction, more only if a single one has more: intake waits meanwhile."""
_DONE = tuple(
    state.value for state in DeliveryState if state not in {DeliveryState.PENDING, DeliveryState.LEASED}
)


@dataclass(frozen=True, slots=True)
class Walked:
    """One step through a table in the order of its numbers."""

    deleted: int
    last: int | None
    """Where to go on; None at the end of what is old."""


def delete_incidents(tx: Tx, resolved_before: datetime, batch: int) -> int:
    """Forget up to `batch` incidents with everything that hangs on them; how many, at least one if there is any."""
    old = sa.select(_i.id, _i.alerts_total).where(_CLOSED, _i.resolved_at < micros(resolved_before))
    old = old.order_by(_i.resolved_at).limit(batch)
    if not tx.conn.execute(old).first():
        return 0
    incidents.lock_all_groups(tx)
    if tx.postgresql:
        # A person may be reopening one right now: that one is not touched.
        old = old.with_for_update(skip_locked=True)
    ids = _first_few(tx.conn.execute(old).all())
    if not ids:
        return 0
    members = (
        tx.conn.execute(sa.select(_o.alert_id).where(_o.incident_id.in_(ids)).distinct()).scalars().all()
    )
    for table in (
        schema.timeline,
        schema.deliveries,
        schema.references,
        schema.occurrences,
        schema.escalations,
        schema_runbooks.incident_runbooks,
        schema_runbooks.runbook_steps,
        schema_automation.step_runs,
    ):
        tx.conn.execute(sa.delete(table).where(table.c.incident_id.in_(ids)))
    _delete_ended_without_occurrences(tx, members)
    tx.conn.execute(sa.delete(schema.incidents).where(_i.id.in_(ids)))
    return len(ids)


def _first_few(rows: Sequence[Sequence[Any]]) -> list[int]:
    """The incidents at the beginning that together have few enough members for one transaction; one at least."""
    members = accumulate([row[1] for row in rows])
    few = [row[0] for row, so_far in zip(rows, members, strict=True) if so_far <= MEMBERS]
    return few or [row[0] for row in rows[:1]]


def _delete_ended_without_occurrences(tx: Tx, alert_ids: Sequence[int]) -> None:
    # In slices: an incident may have ten thousand members, a statement at most 32,767 parameters.
    for start in range(0, len(alert_ids), 5000):
        tx.conn.execute(
            sa.delete(schema.alerts).where(
                _a.id.in_(alert_ids[start : start + 5000]),
                _a.ends_at.is_not(None),
                ~sa.exists().where(_o.alert_id == _a.id),
            )
        )


def delete_deliveries(tx: Tx, created_before: datetime, after: int, batch: int) -> Walked:
    """Forget what was sent or given up for incidents that are resolved, walking on from number `after`."""
    rows = tx.conn.execute(
        sa.select(_d.id, _d.created_at, _d.state, _CLOSED)
        .outerjoin(schema.incidents, _i.id == _d.incident_id)
        .where(_d.id > after)
        .order_by(_d.id)
        .limit(batch)
    ).all()
    old = [row for row in rows if row[1] < micros(created_before)]
    gone = [row[0] for row in old if row[2] in _DONE and row[3] in {True, None}]
    if gone:
        tx.conn.execute(sa.delete(schema.deliveries).where(_d.id.in_(gone), _d.state.in_(_DONE)))
    return Walked(len(gone), rows[-1][0] if old and len(rows) == batch else None)


def delete_quarantine(tx: Tx, received_before: datetime, batch: int) -> int:
    """Forget up to `batch` alerts that were set aside; how many."""
    rows = tx.conn.execute(sa.select(_q.id, _q.received_at).order_by(_q.id).limit(batch)).all()
    gone = [row[0] for row in rows if row[1] < micros(received_before)]
    if gone:
        tx.conn.execute(sa.delete(schema.quarantine).where(_q.id.in_(gone)))
    return len(gone)


def delete_unplaced_alerts(tx: Tx, seen_before: datetime, after: int, batch: int) -> Walked:
    """Forget blips and heartbeats that came no more, unless they were part of an incident that is kept."""
    return _delete_alerts(tx, sa.text("alerts.incident_id IS NULL"), seen_before, after, batch)


def delete_abandoned_alerts(tx: Tx, seen_before: datetime, after: int, batch: int) -> Walked:
    """Forget alerts that fire for ever by their last word, though nobody has repeated it and their incident
    is gone.
    """
    return _delete_alerts(tx, sa.text("alerts.ends_at IS NULL"), seen_before, after, batch)


def _delete_alerts(
    tx: Tx, which: sa.ColumnElement[bool] | sa.TextClause, seen_before: datetime, after: int, batch: int
) -> Walked:
    kept = sa.exists().where(_o.alert_id == _a.id, _o.incident_id == _i.id)
    query = sa.select(_a.id, _a.last_seen_at, kept).where(which, _a.id > after).order_by(_a.id).limit(batch)
    rows = tx.conn.execute(query).all()
    last = rows[-1][0] if len(rows) == batch else None
    if any(_is_old(row, seen_before) for row in rows):
        incidents.lock_all_groups(tx)
        rows = tx.conn.execute(query).all()
    gone = [row[0] for row in rows if _is_old(row, seen_before)]
    if gone:
        tx.conn.execute(sa.delete(schema.occurrences).where(_o.alert_id.in_(gone)))
        tx.conn.execute(sa.delete(schema.alerts).where(_a.id.in_(gone)))
    return Walked(len(gone), last)


def _is_old(row: Sequence[Any], seen_before: datetime) -> bool:
    return bool(row[1] < micros(seen_before)) and not row[2]
