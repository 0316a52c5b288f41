"""Overrides of schedules: who stands in for whom, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.schedule import Override
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, micros
from incidentd.store.engine import Tx

_o = schema.overrides.c
# A cancelled one has held until then; one that was cancelled before it began never holds.
_ends = sa.case((_o.cancelled_at < _o.ends_at, _o.cancelled_at), else_=_o.ends_at)


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """One override with its history."""

    id: int
    schedule: str
    user: str
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    note: str
    cancelled_at: datetime | None
    cancelled_by: str | None


def add(tx: Tx, new: StoredOverride) -> StoredOverride:
    """Store it under an id of its own (that of `new` does not count)."""
    values = {
        "schedule": new.schedule,
        "user": new.user,
        "starts_at": micros(new.starts_at),
        "ends_at": micros(new.ends_at),
        "created_by": new.created_by,
        "created_at": micros(new.created_at),
        "note": new.note,
    }
    row = tx.conn.execute(sa.insert(schema.overrides).values(values).returning(schema.overrides)).one()
    return _stored(row)


def find(tx: Tx, override_id: int) -> StoredOverride | None:
    """The override with this id, cancelled or not."""
    row = tx.conn.execute(sa.select(schema.overrides).where(_o.id == override_id)).first()
    return None if row is None else _stored(row)


def cancel(tx: Tx, override_id: int, by: str, now: datetime) -> bool:
    """It holds no longer; False if it had been cancelled before."""
    statement = (
        sa.update(schema.overrides)
        .where(_o.id == override_id, _o.cancelled_at.is_(None))
        .values(cancelled_at=micros(now), cancelled_by=by)
    )
    return tx.conn.execute(statement).rowcount == 1


def search(tx: Tx, schedule: str | None, before: int | None, limit: int) -> list[StoredOverride]:
    """Those of a schedule or of all, cancelled or not, the newest first; `before` is the id at which a page ended."""
    query = sa.select(schema.overrides).order_by(_o.id.desc()).limit(limit)
    if schedule is not None:
        query = query.where(_o.schedule == schedule)
    if before is not None:
        query = query.where(_o.id < before)
    return [_stored(row) for row in tx.conn.execute(query)]


def between(
    tx: Tx, start: datetime, end: datetime | None = None, schedule: str | None = None
) -> tuple[Override, ...]:
    """What holds at some time from `start` until just before `end` (None: for ever), of one schedule or of all."""
    query = sa.select(_o.id, _o.schedule, _o.user, _o.starts_at, _ends.label("ends_at")).where(
        _o.ends_at > micros(start), _ends > micros(start), _ends > _o.starts_at
    )
    if end is not None:
        query = query.where(_o.starts_at < micros(end))
    if schedule is not None:
        query = query.where(_o.schedule == schedule)
    return tuple(
        [
            Override(row.id, row.schedule, row.user, instant(row.starts_at), instant(row.ends_at))
            for row in tx.conn.execute(query.order_by(_o.id))
        ]
    )


def delete_old(tx: Tx, ended_before: datetime, batch: int) -> int:
    """Forget up to `batch` overrides that ended before; how many."""
    old = sa.select(_o.id).where(_o.ends_at < micros(ended_before)).order_by(_o.ends_at).limit(batch)
    return tx.conn.execute(sa.delete(schema.overrides).where(_o.id.in_(old.scalar_subquery()))).rowcount


def _stored(row: Any) -> StoredOverride:
    return StoredOverride(
        row.id,
        row.schedule,
        row.user,
        instant(row.starts_at),
        instant(row.ends_at),
        row.created_by,
        instant(row.created_at),
        row.note,
        instant_or_none(row.cancelled_at),
        row.cancelled_by,
    )
