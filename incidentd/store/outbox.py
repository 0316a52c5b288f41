"""The outbox: rows written with the change they tell of, leased by one sender at a time, settled after sending.

A lane is one channel of one incident; its rows leave in the order they were written. A lease names its owner, its
end and a generation: a sender that slept past its lease cannot settle a row somebody else has taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared, among, insert, values_of

_d = schema.deliveries.c
_PENDING = sa.text("deliveries.state = 'pending'")


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One thing to tell one channel."""

    incident_id: int
    channel: str
    target: str
    notice: Notice
    episode: int
    actor: str
    comment: str
    at: datetime
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One outbox row."""

    id: int
    incident_id: int
    channel: str
    target: str
    notice: Notice
    delivery_class: DeliveryClass
    episode: int
    actor: str
    comment: str
    state: DeliveryState
    attempts: int
    not_before: datetime
    created_at: datetime
    sent_at: datetime | None
    generation: int
    minimal: bool
    last_error: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a leased row."""

    id: int
    generation: int
    state: DeliveryState
    verdict: str
    error: str | None
    at: datetime
    not_before: datetime
    minimal: bool
    reason: str | None


_insert = insert(schema.deliveries)


def _candidates(postgresql: bool) -> Any:
    # Only the head of a lane may leave: nothing older of the same incident and channel is still on its way.
    older = schema.deliveries.alias("older")
    statement = (
        sa.select(schema.deliveries)
        .where(
            _PENDING,
            _d.channel == sa.bindparam("channel"),
            _d.priority >= sa.bindparam("low"),
            _d.priority <= sa.bindparam("high"),
            _d.not_before <= sa.bindparam("now"),
            ~sa.exists().where(
                older.c.incident_id == _d.incident_id,
                older.c.channel == _d.channel,
                older.c.id < _d.id,
                sa.text("older.state IN ('pending', 'leased')"),
            ),
        )
        .order_by(_d.priority, _d.not_before)
        .limit(sa.bindparam("n"))
    )
    return statement.with_for_update(skip_locked=True) if postgresql else statement


_claimable = Prepared(_candidates, ["channel", "low", "high", "now", "n"])
_lease = Prepared(
    lambda pg: sa.update(schema.deliveries)
    .where(among(_d.id, "ids", postgresql=pg))
    .values(
        state="leased",
        attempts=_d.attempts + 1,
        lease_generation=_d.lease_generation + 1,
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
    ),
    ["ids", "owner", "until"],
)
_close = Prepared(
    lambda _: sa.update(schema.deliveries)
    .where(_d.id == sa.bindparam("row"), _PENDING)
    .values(state=sa.bindparam("to"), reason=sa.bindparam("why")),
    ["row", "to", "why"],
)
_settle = Prepared(
    lambda _: sa.update(schema.deliveries)
    .where(
        _d.id == sa.bindparam("row"),
        _d.lease_generation == sa.bindparam("generation"),
        sa.text("state = 'leased'"),
    )
    .values(
        state=sa.bindparam("to"),
        last_verdict=sa.bindparam("verdict"),
        last_error=sa.bindparam("error"),
        sent_at=sa.bindparam("sent"),
        not_before=sa.bindparam("later"),
        minimal=sa.bindparam("short"),
        reason=sa.bindparam("why"),
        lease_owner=None,
        lease_until=None,
    ),
    ["to", "verdict", "error", "sent", "later", "short", "why", "row", "generation"],
)
_due_lanes = Prepared(
    lambda _: sa.select(
        sa.func.min(_d.not_before).label("at"), sa.func.count().label("n")
    ).where(_PENDING, _d.channel == sa.bindparam("channel")),
    ["channel"],
)
_oldest = Prepared(
    lambda _: sa.select(_d["class"], sa.func.min(_d.created_at)).where(_PENDING).group_by(_d["class"]), []
)


def enqueue(tx: Tx, rows: Sequence[NewDelivery]) -> None:
    """Write rows to be sent. In the transaction of the change, or not at all."""
    if not rows:
        return
    ids = Ids(tx, schema.deliveries, len(rows))
    _insert.many(tx, [_new_row(ids.take(), row) for row in rows])


def _new_row(row_id: int, n: NewDelivery) -> tuple[Any, ...]:
    kind = n.notice.delivery_class
    return (
        row_id,
        n.incident_id,
        n.channel,
        n.target,
        n.notice.value,
        kind.value,
        kind.priority,
        n.episode,
        n.actor,
        n.comment,
        "pending",
        0,
        micros(n.not_before),
        micros(n.at),
        None,
        None,
        None,
        0,
        False,
        None,
        None,
        None,
    )


def claimable(tx: Tx, channel: str, *, pages: bool, now: datetime, limit: int) -> list[Delivery]:
    """Lane heads of `channel` that are due, most urgent first: pages only, or everything else."""
    low, high = (0, 0) if pages else (1, 9)
    return [_delivery(row) for row in _claimable.all(tx, channel, low, high, micros(now), limit)]


def lease(tx: Tx, ids: Sequence[int], owner: str, until: datetime) -> None:
    """Take rows: nobody else sends them before `until`, and each counts one attempt more."""
    if ids:
        _lease.run(tx, values_of(tx, ids), owner, micros(until))


def close_unsent(tx: Tx, rows: Sequence[tuple[int, DeliveryState, str]]) -> None:
    """End pending rows that need not be sent any more, as (id, superseded or suppressed, reason)."""
    _close.many(tx, [(row_id, state.value, reason) for row_id, state, reason in rows])


def followed(tx: Tx, rows: Sequence[Delivery]) -> set[int]:
    """Which of these rows have a younger pending row in their lane."""
    later = schema.deliveries.alias("later")
    query = sa.select(_d.id).where(
        _d.id.in_([row.id for row in rows]),
        sa.exists().where(
            later.c.incident_id == _d.incident_id,
            later.c.channel == _d.channel,
            later.c.id > _d.id,
            later.c.state == "pending",
        ),
    )
    return {row.id for row in tx.conn.execute(query)} if rows else set()


def settle(tx: Tx, results: Sequence[Settlement]) -> None:
    """Write what became of leased rows; a result from an older lease changes nothing."""
    _settle.many(tx, [_settled_row(s) for s in results])


def _settled_row(s: Settlement) -> tuple[Any, ...]:
    sent = micros(s.at) if s.state is DeliveryState.SENT else None
    return (
        s.state.value,
        s.verdict,
        s.error,
        sent,
        micros(s.not_before),
        s.minimal,
        s.reason,
        s.id,
        s.generation,
    )


def hand_back(tx: Tx, owner: str, now: datetime) -> int:
    """Return every lease of `owner` unsent: it is stopping, or it is the only one and has just started."""
    return _to_pending(tx, _d.lease_owner == owner, now)


def hand_back_expired(tx: Tx, now: datetime) -> int:
    """Return leases whose sender died or hangs; the rows will be sent again with the same vendor key."""
    return _to_pending(tx, _d.lease_until < micros(now), now)


def hand_back_all(tx: Tx, now: datetime) -> int:
    """Return every lease: right at start on SQLite, where no other sender can exist."""
    return _to_pending(tx, sa.true(), now)


def _to_pending(tx: Tx, which: Any, now: datetime) -> int:
    statement = (
        sa.update(schema.deliveries)
        .where(sa.text("state = 'leased'"), which)
        .values(state="pending", not_before=micros(now), lease_owner=None, lease_until=None)
    )
    return tx.conn.execute(statement).rowcount


def next_due(tx: Tx, channel: str) -> datetime | None:
    """When the earliest pending row of `channel` wants to leave, or None."""
    row = _due_lanes.first(tx, channel)
    return instant(row[0]) if row is not None and row[0] is not None else None


def oldest_pending(tx: Tx) -> dict[str, datetime]:
    """When the oldest pending row of each class was written."""
    return {row[0]: instant(row[1]) for row in _oldest.all(tx)}


def search(
    tx: Tx, *, state: str | None, incident_id: int | None, channel: str | None, before: int | None, limit: int
) -> list[Delivery]:
    """Rows, newest first."""
    query = sa.select(schema.deliveries).order_by(_d.id.desc()).limit(limit)
    if state is not None:
        query = query.where(sa.text(f"state = '{DeliveryState(state).value}'"))
    if incident_id is not None:
        query = query.where(_d.incident_id == incident_id)
    if channel is not None:
        query = query.where(_d.channel == channel)
    if before is not None:
        query = query.where(_d.id < before)
    return [_delivery(row) for row in tx.conn.execute(query)]


def by_id(tx: Tx, delivery_id: int) -> Delivery | None:
    """One row."""
    row = tx.conn.execute(sa.select(schema.deliveries).where(_d.id == delivery_id)).first()
    return None if row is None else _delivery(row)


def revive(tx: Tx, delivery_id: int, now: datetime) -> None:
    """Put a dead row back at its place in the lane, with a fresh count of attempts."""
    values = {"state": "pending", "attempts": 0, "not_before": micros(now), "created_at": micros(now), "reason": None}
    tx.conn.execute(sa.update(schema.deliveries).where(_d.id == delivery_id, _d.state == "dead").values(values))


def reference(tx: Tx, incident_id: int, channel: str) -> dict[str, str] | None:
    """What the vendor returned for the first message of this incident on this channel."""
    r = schema.references.c
    query = sa.select(r.reference).where(r.incident_id == incident_id, r.channel == channel)
    found = tx.conn.execute(query).scalar_one_or_none()
    return None if found is None else loads(found)


def save_reference(tx: Tx, incident_id: int, channel: str, episode: int, value: dict[str, str]) -> None:
    """Keep what the vendor returned, in place of an older one."""
    r = schema.references.c
    tx.conn.execute(sa.delete(schema.references).where(r.incident_id == incident_id, r.channel == channel))
    row = {"incident_id": incident_id, "channel": channel, "episode": episode, "reference": dumps(value)}
    tx.conn.execute(sa.insert(schema.references).values(row))


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        incident_id=row.incident_id,
        channel=row.channel,
        target=row.target,
        notice=Notice(row.notice),
        delivery_class=DeliveryClass(row._mapping["class"]),  # noqa: SLF001 - SQLAlchemy's public name for it
        episode=row.episode,
        actor=row.actor,
        comment=row.comment,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        not_before=instant(row.not_before),
        created_at=instant(row.created_at),
        sent_at=instant_or_none(row.sent_at),
        generation=row.lease_generation,
        minimal=bool(row.minimal),
        last_error=row.last_error,
        reason=row.reason,
    )


