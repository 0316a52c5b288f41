"""One outbox row as everybody reads it, and what people do with rows: look them up, put a dead one back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, micros
from incidentd.store.engine import Tx

_d = schema.deliveries.c


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
    """How often it was leased: a result counts only with the generation it was leased under."""
    minimal: bool
    last_error: str | None
    reason: str | None
    fallback_of: int | None = None
    """The page that this one stands in for."""
    bundled_in: int | None = None
    """The delivery whose message tells of it too."""
    fell_back: bool = False
    """Somebody else was told in its place, or nobody is left who could be."""
    retried_at: datetime | None = None
    """When a person put it back; its age counts from then."""
    last_verdict: str | None = None
    """What the vendor's last answer meant: a value of `Verdict`. None before the first attempt."""
    person: str | None = None
    """The user who is told; None: whoever reads the channel."""
    first_attempt_at: datetime | None = None
    trace: str | None = None
    """The context of what led to it, as W3C writes a `traceparent`; None: it was not traced."""

    @property
    def waiting_since(self) -> datetime:
        """What its age counts from."""
        return self.retried_at or self.created_at


def search(
    tx: Tx, *, state: str | None, incident_id: int | None, channel: str | None, before: int | None, limit: int
) -> list[Delivery]:
    """Rows, newest first."""
    query = sa.select(schema.deliveries).order_by(_d.id.desc()).limit(limit)
    if state is not None:
        # As a literal, so that the partial indexes fit.
        query = query.where(sa.text(f"state = '{DeliveryState(state).value}'"))
    if incident_id is not None:
        query = query.where(_d.incident_id == incident_id)
    if channel is not None:
        query = query.where(_d.channel == channel)
    if before is not None:
        query = query.where(_d.id < before)
    return [decode(row) for row in tx.conn.execute(query)]


def by_id(tx: Tx, delivery_id: int) -> Delivery | None:
    """One row."""
    row = tx.conn.execute(sa.select(schema.deliveries).where(_d.id == delivery_id)).first()
    return None if row is None else decode(row)


def count_dead(tx: Tx) -> int:
    """How many were given up and neither retried nor deleted by retention; walks through those alone."""
    dead = sa.select(sa.func.count()).select_from(schema.deliveries).where(sa.text("state = 'dead'"))
    return tx.conn.execute(dead).scalar_one()


def sent_after(tx: Tx, delivery: Delivery) -> bool:
    """True if a later row of its lane was sent."""
    query = (
        sa.select(_d.id)
        .where(
            _d.incident_id == delivery.incident_id,
            _d.channel == delivery.channel,
            _d.target == delivery.target,
            _d.id > delivery.id,
            _d.state == DeliveryState.SENT.value,
        )
        .limit(1)
    )
    return tx.conn.execute(query).first() is not None


def revive(tx: Tx, delivery_id: int, now: datetime) -> None:
    """Put a dead row back at its place in the lane, with a fresh count of attempts and a fresh age."""
    values = {
        "state": "pending",
        "attempts": 0,
        "not_before": micros(now),
        "retried_at": micros(now),
        "fell_back_at": None,
        "bundled_in": None,
        "minimal": False,
        "reason": None,
    }
    tx.conn.execute(
        sa.update(schema.deliveries).where(_d.id == delivery_id, _d.state == "dead").values(values)
    )


def decode(row: sa.Row[Any]) -> Delivery:
    """The delivery of a row."""
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
        fallback_of=row.fallback_of,
        bundled_in=row.bundled_in,
        fell_back=row.fell_back_at is not None,
        retried_at=instant_or_none(row.retried_at),
        last_verdict=row.last_verdict,
        person=row.person,
        first_attempt_at=instant_or_none(row.first_attempt_at),
        trace=row.trace,
    )
