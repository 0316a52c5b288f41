"""What vendors told us: which of their events were seen, how far an incident has followed them, whose names they use.

Rows are forgotten after `KEPT`: no vendor redelivers for longer.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from incidentd.store import schema
from incidentd.store.codec import instant, loads, micros, micros_or_none
from incidentd.store.engine import Tx

KEPT = timedelta(days=7)
"""PagerDuty tries for two days."""

_e = schema.inbound_events.c
_t = schema.timeline.c
_KEY = [schema.inbound_events.c.channel, schema.inbound_events.c.event_id]


def remember(
    tx: Tx,
    channel: str,
    event_id: str,
    now: datetime,
    *,
    incident_id: int | None = None,
    occurred_at: datetime | None = None,
) -> bool:
    """Write an event down; False if it was there already. Of two at once the second waits for the first's commit."""
    values = _values(channel, event_id, now, incident_id, occurred_at)
    return (
        tx.conn.execute(_insert(tx).values(values).on_conflict_do_nothing(index_elements=_KEY)).rowcount == 1
    )


def follow(tx: Tx, channel: str, event_id: str, incident_id: int, occurred_at: datetime) -> None:
    """Note that a remembered event, which happened at `occurred_at` by the vendor's clock, moved this incident."""
    tx.conn.execute(
        sa.update(schema.inbound_events)
        .where(_e.channel == channel, _e.event_id == event_id)
        .values(incident_id=incident_id, occurred_at=micros(occurred_at))
    )


def latest(tx: Tx, channel: str, incident_id: int) -> datetime | None:
    """When the newest event that moved this incident happened, by the vendor's clock; None if there is none."""
    query = sa.select(sa.func.max(_e.occurred_at)).where(_e.incident_id == incident_id, _e.channel == channel)
    found = tx.conn.execute(query).scalar_one()
    return None if found is None else instant(found)


def name(tx: Tx, channel: str, vendor_id: str, incident_id: int, now: datetime) -> None:
    """Learn what the vendor calls an incident."""
    values = _values(channel, _named(vendor_id), now, incident_id, None)
    changed = {"incident_id": incident_id, "received_at": values["received_at"]}
    tx.conn.execute(_insert(tx).values(values).on_conflict_do_update(index_elements=_KEY, set_=changed))


def named(tx: Tx, channel: str, vendor_id: str) -> int | None:
    """The incident that the vendor calls so; None if that was not learnt, or is forgotten."""
    query = sa.select(_e.incident_id).where(_e.channel == channel, _e.event_id == _named(vendor_id))
    return tx.conn.execute(query).scalar_one_or_none()


def last_moved(tx: Tx, incident_id: int, kinds: frozenset[str]) -> datetime | None:
    """When the newest timeline entry of `kinds` happened; None without one.

    For one that a vendor told of, when it happened there.
    """
    query = (
        sa.select(_t.at, _t.data)
        .where(_t.incident_id == incident_id, _t.kind.in_(kinds))
        .order_by(_t.seq.desc())
        .limit(1)
    )
    row = tx.conn.execute(query).first()
    if row is None:
        return None
    told = loads(row.data).get("occurred_at")
    return instant(row.at) if told is None else datetime.fromisoformat(told)


def delete_old(tx: Tx, received_before: datetime, batch: int) -> int:
    """Forget up to `batch` events; how many."""
    old = sa.select(_e.channel, _e.event_id).where(_e.received_at < micros(received_before))
    rows = tx.conn.execute(old.order_by(_e.received_at).limit(batch)).all()
    if rows:
        which = sa.tuple_(_e.channel, _e.event_id).in_([tuple(row) for row in rows])
        tx.conn.execute(sa.delete(schema.inbound_events).where(which))
    return len(rows)


def _named(vendor_id: str) -> str:
    return f"incident {vendor_id}"


def _values(
    channel: str, event_id: str, now: datetime, incident_id: int | None, occurred_at: datetime | None
) -> dict[str, object]:
    return {
        "channel": channel,
        "event_id": event_id,
        "received_at": micros(now),
        "incident_id": incident_id,
        "occurred_at": micros_or_none(occurred_at),
    }


def _insert(tx: Tx) -> sqlite.Insert | postgresql.Insert:
    make = postgresql.insert if tx.postgresql else sqlite.insert
    return make(schema.inbound_events)
