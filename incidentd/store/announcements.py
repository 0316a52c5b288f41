"""What became public and is to be told to subscribers: written with it, spread in batches, sent at least once.

A leased row is due again when its lease ends; a result counts only with the generation it was leased under.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.status_page.subscriber import Kind, Subscriber
from incidentd.store import schema_subscribers as tables
from incidentd.store.change_events import Ending
from incidentd.store.codec import dumps, instant, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared
from incidentd.store.subscribers import by_id

EVENT = "event"
COMPONENT = "component"
_a, _d = tables.announcements.c, tables.deliveries.c
_d2 = tables.deliveries.alias("earlier")
# Literals, not parameters: only so do the partial indexes fit.
_UNSPREAD = sa.text("status_announcements.spread_at IS NULL")
_OPEN = sa.text("status_deliveries.ended_at IS NULL")
_any_unspread = Prepared(lambda _: sa.select(_a.id).where(_UNSPREAD).limit(1), [])


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing that became public."""

    id: int
    kind: str
    about: str
    said: str
    created_at: datetime
    payload: Mapping[str, Any] | None
    reached: int


@dataclass(frozen=True, slots=True)
class Leased:
    """One row to be sent, with whom it is for and what it says."""

    id: int
    subscriber: Subscriber | None
    """None: it has unsubscribed meanwhile."""
    announcement_id: int | None
    payload: Mapping[str, Any] | None
    """None: the question to confirm."""
    attempts: int
    """This one included."""
    generation: int
    created_at: datetime


def announce(tx: Tx, kind: str, about: str, said: str, now: datetime) -> None:
    """Write that subscribers are to be told. In the transaction of what became public, or not at all."""
    values = {"kind": kind, "about": about, "said": said, "created_at": micros(now), "reached": 0}
    number = Ids(tx, tables.announcements, 1).take()
    tx.conn.execute(sa.insert(tables.announcements).values(id=number, **values))


def unspread(tx: Tx) -> bool:
    """True if something waits to be written for subscribers: a read."""
    return _any_unspread.first(tx) is not None


def next_unspread(tx: Tx) -> Announcement | None:
    """The oldest one that is not written for all of them, locked; None also while another replica is at it."""
    query = sa.select(tables.announcements).where(_UNSPREAD).order_by(_a.id).limit(1)
    row = tx.conn.execute(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    payload = None if row.payload is None else loads(row.payload)
    return Announcement(row.id, row.kind, row.about, row.said, instant(row.created_at), payload, row.reached)


def write_payload(tx: Tx, number: int, payload: Mapping[str, Any]) -> None:
    """What subscribers are told: the same for all of them, and in every attempt."""
    tx.conn.execute(sa.update(tables.announcements).where(_a.id == number).values(payload=dumps(payload)))


def spread(
    tx: Tx, known: Announcement, told: Sequence[Subscriber], reached: int, now: datetime, *, done: bool
) -> None:
    """Write rows for these subscribers; all up to number `reached` are dealt with."""
    at, ids = micros(now), Ids(tx, tables.deliveries, len(told))
    rows = [_row(ids.take(), each, known.id, at) for each in told]
    if rows:
        tx.conn.execute(sa.insert(tables.deliveries), rows)
    values = {"reached": reached, "spread_at": at if done else None}
    tx.conn.execute(sa.update(tables.announcements).where(_a.id == known.id).values(values))


def ask(tx: Tx, subscriber: Subscriber, now: datetime) -> None:
    """Write the question to confirm; what waited of an earlier one is deleted."""
    tx.conn.execute(
        sa.delete(tables.deliveries).where(
            _d.subscriber_id == subscriber.id, _d.announcement_id.is_(None), _OPEN
        )
    )
    # Always a mail, whatever it asks to be told over.
    row = {**_row(Ids(tx, tables.deliveries, 1).take(), subscriber, None, micros(now)), "kind": "email"}
    tx.conn.execute(sa.insert(tables.deliveries).values(row))


def asked_since(tx: Tx, since: datetime) -> int:
    """How many questions to confirm were written since then."""
    query = sa.select(sa.func.count()).where(_d.created_at >= micros(since), _d.announcement_id.is_(None))
    return int(tx.conn.execute(query).scalar_one())


def _row(number: int, subscriber: Subscriber, announcement: int | None, at: int) -> dict[str, Any]:
    return {
        "id": number,
        "subscriber_id": subscriber.id,
        "announcement_id": announcement,
        "kind": subscriber.kind.value,
        "state": "pending",
        "attempts": 0,
        "not_before": at,
        "lease_generation": 0,
        "created_at": at,
    }


def is_due(tx: Tx, kind: Kind, now: datetime, *, slow: bool | None = None) -> bool:
    """True if `claim` would find something: a read, so that an idle daemon writes nothing."""
    return tx.conn.execute(_heads(kind, now, 1, slow)).first() is not None


def claim(
    tx: Tx, kind: Kind, now: datetime, until: datetime, limit: int, *, slow: bool | None = None
) -> list[Leased]:
    """Take up to `limit` rows that are due, one of each subscriber: nobody else sends them before `until`.

    `slow`: only those (False: all but those) whose last attempt came to nothing, of this notice or of one before.
    """
    rows = tx.conn.execute(_heads(kind, now, limit, slow).with_for_update(skip_locked=True)).all()
    payloads = _payloads(tx, [row.announcement_id for row in rows if row.announcement_id is not None])
    for row in rows:
        leased = {"attempts": row.attempts + 1, "lease_generation": row.lease_generation + 1}
        values = {**leased, "state": "leased", "not_before": micros(until)}
        tx.conn.execute(sa.update(tables.deliveries).where(_d.id == row.id).values(values))
    return [_leased(tx, row, payloads) for row in rows]


def _heads(kind: Kind, now: datetime, limit: int, slow: bool | None) -> sa.Select[Any]:  # noqa: FBT001 - a filter
    """What is due, without what has to wait for an earlier row of its subscriber: readers get things in order."""
    earlier = sa.exists().where(
        _d2.c.subscriber_id == _d.subscriber_id, _d2.c.ended_at.is_(None), _d2.c.id < _d.id
    )
    failed = sa.exists().where(tables.subscribers.c.id == _d.subscriber_id, tables.subscribers.c.failures > 0)
    lane = (
        sa.true()
        if slow is None
        else sa.or_(_d.attempts > 0, failed)
        if slow
        else (_d.attempts == 0) & ~failed
    )
    return (
        sa.select(tables.deliveries)
        .where(_OPEN, _d.kind == kind.value, _d.not_before <= micros(now), ~earlier, lane)
        # Who waits for the question sits in front of the page.
        .order_by(_d.announcement_id.is_not(None), _d.not_before, _d.id)
        .limit(limit)
    )


def _payloads(tx: Tx, numbers: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    query = sa.select(_a.id, _a.payload).where(_a.id.in_(sorted(set(numbers))))
    return {number: loads(text) for number, text in tx.conn.execute(query)} if numbers else {}


def _leased(tx: Tx, row: Any, payloads: Mapping[int, Mapping[str, Any]]) -> Leased:
    return Leased(
        id=row.id,
        subscriber=by_id(tx, row.subscriber_id),
        announcement_id=row.announcement_id,
        payload=payloads.get(row.announcement_id),
        attempts=row.attempts + 1,
        generation=row.lease_generation + 1,
        created_at=instant(row.created_at),
    )


def settle(tx: Tx, leased: Leased, ending: Ending, now: datetime) -> bool:
    """Write what became of an attempt; False if somebody else has taken the row meanwhile, and nothing changes."""
    statement = sa.update(tables.deliveries).where(
        _d.id == leased.id, _d.lease_generation == leased.generation, _d.state == "leased"
    )
    values = {
        "state": ending.state,
        "last_error": ending.error,
        "not_before": micros(ending.not_before),
        "ended_at": None if ending.state == "pending" else micros(now),
    }
    return tx.conn.execute(statement.values(values)).rowcount == 1


def oldest_open(tx: Tx) -> datetime | None:
    """When the oldest row was written that was neither sent nor given up."""
    found = tx.conn.execute(sa.select(sa.func.min(_d.created_at)).where(_OPEN)).scalar()
    return None if found is None else instant(found)


def delete_old(tx: Tx, before: datetime, batch: int) -> int:
    """Forget up to `batch` rows, whatever became of them, and what they told; how many rows."""
    at = micros(before)
    gone = tx.conn.execute(sa.select(_d.id).where(_d.created_at < at).limit(batch)).scalars().all()
    if gone:
        tx.conn.execute(sa.delete(tables.deliveries).where(_d.id.in_(gone)))
    used = sa.exists().where(_d.announcement_id == _a.id)
    told = sa.select(_a.id).where(_a.created_at < at, _a.spread_at.is_not(None), ~used).limit(batch)
    tx.conn.execute(sa.delete(tables.announcements).where(_a.id.in_(told)))
    return len(gone)
