"""What vendors are told of deployments: a small outbox, one row for each deployment and channel, sent at least once.

A leased row is due again when its lease ends: then whoever took it has died or hangs. A result counts only with the
generation it was leased under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.deployment import Deployment
from incidentd.store import schema
from incidentd.store.codec import instant, micros
from incidentd.store.deployments import decode
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, insert

_e = schema.change_events.c
# A literal, not a parameter: only so does the partial index fit.
_OPEN = sa.text("change_events.ended_at IS NULL")


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One leased row, with the deployment as it is now."""

    deployment_id: int
    channel: str
    attempts: int
    """This one included."""
    generation: int
    created_at: datetime
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of an attempt: `state` is sent, dead, or pending until `not_before`."""

    state: str
    error: str | None
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """How the telling fares."""

    waiting: int
    oldest: datetime | None
    given_up: int
    """Since the instant that was asked for."""


def _heads(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = (
        sa.select(schema.change_events)
        .where(_OPEN, _e.channel == sa.bindparam("channel"), _e.not_before <= sa.bindparam("now"))
        # What failed before stands behind its neighbours: it may be the one that the vendor does not take.
        .order_by(_e.not_before, _e.attempts, _e.deployment_id)
        .limit(1)
    )
    return statement.with_for_update(skip_locked=True) if postgresql else statement


_insert = insert(schema.change_events)
_due = Prepared(_heads, ["channel", "now"])
_next = Prepared(
    lambda _: sa.select(sa.func.min(_e.not_before)).where(_OPEN, _e.channel == sa.bindparam("channel")),
    ["channel"],
)
_lease = Prepared(
    lambda _: (
        sa.update(schema.change_events)
        .where(_e.deployment_id == sa.bindparam("row"), _e.channel == sa.bindparam("name"))
        .values(
            state="leased",
            attempts=_e.attempts + 1,
            lease_generation=_e.lease_generation + 1,
            not_before=sa.bindparam("until"),
        )
    ),
    ["until", "row", "name"],
)


def enqueue(tx: Tx, deployment_id: int, channels: Sequence[str], now: datetime) -> None:
    """Write that these channels are to be told. In the transaction of the deployment, or not at all."""
    at = micros(now)
    _insert.many(tx, [(deployment_id, name, "pending", 0, at, 0, None, at, None) for name in channels])


def next_due(tx: Tx, channel: str) -> datetime | None:
    """When the next row of `channel` may be taken; None if there is none."""
    row = _next.first(tx, channel)
    return None if row is None or row[0] is None else instant(row[0])


def claim(tx: Tx, channel: str, now: datetime, until: datetime) -> ChangeEvent | None:
    """Take the next row of `channel` that is due: nobody else sends it before `until`."""
    row = _due.first(tx, channel, micros(now))
    if row is None:
        return None
    _lease.run(tx, micros(until), row.deployment_id, channel)
    query = sa.select(schema.deployments).where(schema.deployments.c.id == row.deployment_id)
    about = tx.conn.execute(query).one()
    generation, created = row.lease_generation + 1, instant(row.created_at)
    return ChangeEvent(row.deployment_id, channel, row.attempts + 1, generation, created, decode(about))


def settle(tx: Tx, event: ChangeEvent, ending: Ending, now: datetime) -> bool:
    """Write what became of an attempt; False if somebody else has taken the row meanwhile, and nothing changes."""
    over = ending.state != "pending"
    statement = (
        sa.update(schema.change_events)
        .where(
            _e.deployment_id == event.deployment_id,
            _e.channel == event.channel,
            _e.lease_generation == event.generation,
            _e.state == "leased",
        )
        .values(
            state=ending.state,
            last_error=ending.error,
            not_before=micros(ending.not_before),
            ended_at=micros(now) if over else None,
        )
    )
    return tx.conn.execute(statement).rowcount == 1


def postpone(tx: Tx, channel: str, until: datetime) -> None:
    """Nothing else of `channel` is tried before `until`: it would meet the same failure."""
    which = sa.and_(_OPEN, _e.channel == channel, _e.state == "pending", _e.not_before < micros(until))
    tx.conn.execute(sa.update(schema.change_events).where(which).values(not_before=micros(until)))


def give_up_old(tx: Tx, created_before: datetime, reason: str, now: datetime) -> list[tuple[int, str]]:
    """End what has waited since `created_before`, as (deployment, channel)."""
    which = sa.and_(_OPEN, _e.state == "pending", _e.created_at < micros(created_before))
    statement = (
        sa.update(schema.change_events)
        .where(which)
        .values(state="dead", last_error=sa.func.coalesce(_e.last_error, reason), ended_at=micros(now))
        .returning(_e.deployment_id, _e.channel)
    )
    return [(row.deployment_id, row.channel) for row in tx.conn.execute(statement)]


def backlog(tx: Tx, since: datetime) -> Backlog:
    """What waits, and how many were given up since then."""
    waiting = sa.select(sa.func.count(), sa.func.min(_e.created_at)).where(_OPEN)
    count, oldest = tx.conn.execute(waiting).one()
    dead = sa.text("change_events.state = 'dead'")
    given_up = sa.select(sa.func.count()).where(dead, _e.ended_at >= micros(since))
    return Backlog(
        count, None if oldest is None else instant(oldest), int(tx.conn.execute(given_up).scalar_one())
    )
