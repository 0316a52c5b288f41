"""Leases of outbox rows: taken before sending, settled or given back after it.

A lease names its owner, its end and a generation: a sender that slept past its lease cannot settle a row that
somebody else has taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryState
from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, values_of

_d = schema.deliveries.c
# A literal, not a parameter: only so do the partial indexes fit.
_LEASED = sa.text("deliveries.state = 'leased'")


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


def _held(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = sa.select(_d.id, _d.lease_generation).where(
        _LEASED, among(_d.id, "ids", postgresql=postgresql)
    )
    return statement.order_by(_d.id).with_for_update() if postgresql else statement


_still_held = Prepared(_held, ["ids"])
_lease = Prepared(
    lambda pg: (
        sa.update(schema.deliveries)
        .where(among(_d.id, "ids", postgresql=pg))
        .values(
            state="leased",
            attempts=_d.attempts + 1,
            lease_generation=_d.lease_generation + 1,
            lease_owner=sa.bindparam("owner"),
            lease_until=sa.bindparam("until"),
            told_over=sa.bindparam("over"),
            first_attempt_at=sa.func.coalesce(
                _d.first_attempt_at, sa.bindparam("at", type_=_d.first_attempt_at.type)
            ),
        )
    ),
    ["ids", "owner", "until", "over", "at"],
)
_release = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.id == sa.bindparam("row"), _d.lease_generation == sa.bindparam("generation"), _LEASED)
        .values(
            state="pending",
            attempts=_d.attempts - 1,
            lease_owner=None,
            lease_until=None,
            first_attempt_at=sa.case((_d.attempts > sa.literal_column("1"), _d.first_attempt_at)),
        )
    ),
    ["row", "generation"],
)
_settle = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.id == sa.bindparam("row"))
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
        )
    ),
    ["to", "verdict", "error", "sent", "later", "short", "why", "row"],
)
_expired = Prepared(
    lambda pg: (
        sa.select(_d.id)
        .where(_LEASED, _d.lease_until < sa.bindparam("now"), ~among(_d.id, "held", postgresql=pg))
        .limit(1)
    ),
    ["now", "held"],
)


def lease(
    tx: Tx, ids: Sequence[int], owner: str, until: datetime, *, now: datetime, over: Collection[int] = ()
) -> None:
    """Take rows: nobody else sends them before `until`, and each counts one attempt more.

    The messages of those `over` will say that it is over.
    """
    for says_over in (False, True):
        if chosen := [row_id for row_id in ids if (row_id in over) is says_over]:
            _lease.run(tx, values_of(tx, chosen), owner, micros(until), says_over, micros(now))


def release(tx: Tx, leases: Sequence[tuple[int, int]]) -> None:
    """Give back leases, as (id, generation), of which no attempt was made."""
    _release.many(tx, leases)


def settle(tx: Tx, results: Sequence[Settlement]) -> set[int]:
    """Write what became of leased rows; the ids of those whose lease was still ours.

    A result from an older lease changes nothing: somebody else sends that row now.
    """
    held = {
        (row.id, row.lease_generation) for row in _still_held.all(tx, values_of(tx, [s.id for s in results]))
    }
    counting = [s for s in results if (s.id, s.generation) in held]
    _settle.many(tx, [_settled_row(s) for s in counting])
    return {s.id for s in counting}


def _settled_row(s: Settlement) -> tuple[object, ...]:
    sent = micros(s.at) if s.state is DeliveryState.SENT else None
    return (s.state.value, s.verdict, s.error, sent, micros(s.not_before), s.minimal, s.reason, s.id)


def hand_back(tx: Tx, owner: str, now: datetime) -> int:
    """Return every lease of `owner` unsent: it is stopping."""
    return _to_pending(tx, _d.lease_owner == owner, now)


def hand_back_expired(tx: Tx, now: datetime, held: Collection[int] = ()) -> int:
    """Return leases whose sender died or hangs; the rows will be sent again with the same vendor key.

    Not those of the rows `held`: whoever asks still works on them, and a second send would be for nothing.
    """
    return _to_pending(tx, sa.and_(_d.lease_until < micros(now), _d.id.not_in(held)), now)


def hand_back_all(tx: Tx, now: datetime) -> int:
    """Return every lease: right at start on SQLite, where no other sender can exist."""
    return _to_pending(tx, sa.true(), now)


def _to_pending(tx: Tx, which: sa.ColumnElement[bool], now: datetime) -> int:
    statement = (
        sa.update(schema.deliveries)
        .where(_LEASED, which)
        .values(state="pending", not_before=micros(now), lease_owner=None, lease_until=None)
    )
    return tx.conn.execute(statement).rowcount


def has_expired(tx: Tx, now: datetime, held: Collection[int] = ()) -> bool:
    """True if `hand_back_expired` would find something."""
    return _expired.first(tx, micros(now), values_of(tx, list(held))) is not None
