"""Who asked to be told of what becomes public."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.status_page.subscriber import Kind, Standing, Subscriber
from incidentd.store import schema_subscribers as tables
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids

_s, _d = tables.subscribers.c, tables.deliveries.c
_PENDING = sa.text("status_subscribers.standing = 'pending'")


def by_code(tx: Tx, code: str) -> Subscriber | None:
    """One, locked for this transaction; or None."""
    return _one(tx, _s.code == code)


def seen(tx: Tx, code: str) -> Subscriber | None:
    """The same, not locked: for those who only look."""
    row = tx.conn.execute(sa.select(tables.subscribers).where(_s.code == code)).first()
    return None if row is None else _decode(row)


def by_address(tx: Tx, kind: Kind, address: str) -> Subscriber | None:
    """The one that is told there, locked for this transaction; or None."""
    return _one(tx, _s.kind == kind.value, _s.address == address)


def by_id(tx: Tx, number: int) -> Subscriber | None:
    """One, locked for this transaction; or None."""
    return _one(tx, _s.id == number)


def _one(tx: Tx, *which: sa.ColumnElement[bool]) -> Subscriber | None:
    row = tx.conn.execute(sa.select(tables.subscribers).where(*which).with_for_update()).first()
    return None if row is None else _decode(row)


def count(tx: Tx) -> int:
    """How many there are, confirmed or not."""
    return int(tx.conn.execute(sa.select(sa.func.count()).select_from(tables.subscribers)).scalar_one())


def counts(tx: Tx) -> dict[tuple[str, str], int]:
    """(kind, standing) -> how many."""
    query = sa.select(_s.kind, _s.standing, sa.func.count()).group_by(_s.kind, _s.standing)
    return {(kind, standing): number for kind, standing, number in tx.conn.execute(query)}


def listed(tx: Tx, before: int | None, limit: int) -> list[Subscriber]:
    """The newest first; those with a number below `before`."""
    query = sa.select(tables.subscribers).order_by(_s.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_s.id < before)
    return [_decode(row) for row in tx.conn.execute(query)]


def active_after(tx: Tx, number: int, confirmed_by: datetime, limit: int) -> list[Subscriber]:
    """Those that are told, in the order of their numbers, behind `number`; who came later heard of nothing before."""
    query = (
        sa.select(tables.subscribers)
        .where(_s.id > number, _s.standing == Standing.ACTIVE.value, _s.confirmed_at <= micros(confirmed_by))
        .order_by(_s.id)
        .limit(limit)
    )
    return [_decode(row) for row in tx.conn.execute(query)]


def save(tx: Tx, known: Subscriber) -> Subscriber:
    """Write it; with its number. A unique constraint refuses a second one for one address."""
    values: dict[str, Any] = {
        "code": known.code,
        "kind": known.kind.value,
        "address": known.address,
        "contact": known.contact,
        "standing": known.standing.value,
        "components": None if known.components is None else dumps(list(known.components)),
        "created_at": micros(known.created_at),
        "asked_at": micros(known.asked_at),
        "asks": known.asks,
        "confirmed_at": micros_or_none(known.confirmed_at),
        "failures": known.failures,
    }
    if known.id:
        tx.conn.execute(sa.update(tables.subscribers).where(_s.id == known.id).values(values))
    else:
        number = Ids(tx, tables.subscribers, 1).take()
        tx.conn.execute(sa.insert(tables.subscribers).values(id=number, **values))
    found = by_code(tx, known.code)
    assert found is not None  # noqa: S101 - it was written in this very transaction
    return found


def forget(tx: Tx, number: int) -> None:
    """Delete one with everything that was to be sent to it: its address is kept nowhere."""
    tx.conn.execute(sa.delete(tables.deliveries).where(_d.subscriber_id == number))
    tx.conn.execute(sa.delete(tables.subscribers).where(_s.id == number))


def forget_unconfirmed(tx: Tx, asked_before: datetime, batch: int) -> int:
    """Delete up to `batch` that were not confirmed in time; how many."""
    at = micros(asked_before)
    # Nobody is asked before they exist; it is the time of that which has an index.
    query = sa.select(_s.id).where(_PENDING, _s.created_at < at, _s.asked_at < at).limit(batch)
    gone = tx.conn.execute(query).scalars().all()
    for number in gone:
        forget(tx, number)
    return len(gone)


def _decode(row: Any) -> Subscriber:
    return Subscriber(
        id=row.id,
        code=row.code,
        kind=Kind(row.kind),
        address=row.address,
        contact=row.contact,
        standing=Standing(row.standing),
        components=None if row.components is None else tuple(loads(row.components)),
        created_at=instant(row.created_at),
        asked_at=instant(row.asked_at),
        asks=row.asks,
        confirmed_at=instant_or_none(row.confirmed_at),
        failures=row.failures,
    )
