"""Drills: asked for, received, finished; and the pages of their incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.drill import Drill, Page, State
from incidentd.domain.escalation import parse_target
from incidentd.domain.incident import Incident
from incidentd.domain.notification import DeliveryClass, DeliveryState
from incidentd.domain.severity import Severity
from incidentd.store import incidents, schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared

_t, _d = schema.drills.c, schema.deliveries.c
_UNFINISHED = sa.text("drills.finished_at IS NULL")
_unfinished = Prepared(
    lambda _: sa.select(schema.drills).where(_UNFINISHED).order_by(_t.deadline_at, _t.id), []
)


def add(tx: Tx, drill: Drill) -> None:
    """Write a new one."""
    targets = None if drill.targets is None else dumps([str(target) for target in drill.targets])
    tx.conn.execute(
        sa.insert(schema.drills).values(
            id=drill.id,
            name=drill.name,
            requested_by=drill.requested_by,
            severity=drill.severity.value,
            service=drill.service,
            source=drill.source,
            targets=targets,
            registered_at=micros(drill.registered_at),
            deadline_at=micros(drill.deadline_at),
            due_at=micros_or_none(drill.due_at),
            state=drill.state.value,
            reasons="[]",
        )
    )


def by_id(tx: Tx, drill_id: str) -> Drill | None:
    """One, or None."""
    row = tx.conn.execute(sa.select(schema.drills).where(_t.id == drill_id)).first()
    return None if row is None else _decode(row)


def unfinished(tx: Tx) -> list[Drill]:
    """Those that are under way, the one that must end first at the front."""
    return [_decode(row) for row in _unfinished.all(tx)]


def took_place(tx: Tx, name: str, due_at: datetime) -> bool:
    """True if the planned drill of that time has been started."""
    query = sa.select(_t.id).where(_t.name == name, _t.due_at == micros(due_at))
    return tx.conn.execute(query).first() is not None


def search(tx: Tx, before: datetime | None, limit: int) -> list[Drill]:
    """Drills, newest first."""
    query = sa.select(schema.drills).order_by(_t.registered_at.desc(), _t.id).limit(limit)
    if before is not None:
        query = query.where(_t.registered_at < micros(before))
    return [_decode(row) for row in tx.conn.execute(query)]


def received(tx: Tx, drill_id: str, incident_id: int, source: str, now: datetime) -> None:
    """Its alert has opened an incident; only the first counts."""
    _change(
        tx,
        drill_id,
        _t.incident_id.is_(None),
        incident_id=incident_id,
        source=source,
        received_at=micros(now),
    )


def finish(tx: Tx, drill: Drill) -> None:
    """Write how it ended."""
    _change(
        tx,
        drill.id,
        _UNFINISHED,
        state=drill.state.value,
        reasons=dumps(list(drill.reasons)),
        resolved_at=micros_or_none(drill.resolved_at),
        finished_at=micros_or_none(drill.finished_at),
    )


def _change(tx: Tx, drill_id: str, only_if: Any, **values: object) -> None:
    tx.conn.execute(sa.update(schema.drills).where(_t.id == drill_id, only_if).values(values))


def incident_of(tx: Tx, drill: Drill) -> Incident | None:
    """The incident that its alert opened; not locked."""
    row = tx.conn.execute(
        sa.select(schema.incidents).where(schema.incidents.c.id == drill.incident_id)
    ).first()
    return None if row is None else incidents.decode(row)


def pages(tx: Tx, incident_id: int) -> list[Page]:
    """The pages of an incident, in the order they were written."""
    query = (
        sa.select(schema.deliveries)
        .where(_d.incident_id == incident_id, _d["class"] == DeliveryClass.PAGE.value)
        .order_by(_d.id)
    )
    return [
        Page(
            channel=row.channel,
            target=row.target,
            person=row.person,
            state=DeliveryState(row.state),
            fell_back=row.fell_back_at is not None,
            attempts=row.attempts,
            not_before=instant(row.not_before),
            queued_at=instant(row.created_at),
            first_attempt_at=instant_or_none(row.first_attempt_at),
            accepted_at=instant_or_none(row.sent_at),
            why=row.reason or row.last_error or "",
        )
        for row in tx.conn.execute(query)
    ]


def delete_old(tx: Tx, finished_before: datetime, batch: int) -> int:
    """Forget up to `batch` drills; how many."""
    old = sa.select(_t.id).where(_t.finished_at < micros(finished_before)).limit(batch)
    ids: Sequence[str] = tx.conn.execute(old).scalars().all()
    if ids:
        tx.conn.execute(sa.delete(schema.drills).where(_t.id.in_(ids)))
    return len(ids)


def _decode(row: Any) -> Drill:
    targets = None if row.targets is None else tuple(map(parse_target, loads(row.targets)))
    return Drill(
        id=row.id,
        name=row.name,
        requested_by=row.requested_by,
        severity=Severity(row.severity),
        service=row.service,
        source=row.source,
        targets=targets,
        registered_at=instant(row.registered_at),
        deadline_at=instant(row.deadline_at),
        due_at=instant_or_none(row.due_at),
        received_at=instant_or_none(row.received_at),
        incident_id=row.incident_id,
        resolved_at=instant_or_none(row.resolved_at),
        finished_at=instant_or_none(row.finished_at),
        state=State(row.state),
        reasons=tuple(loads(row.reasons)),
    )
