"""Heartbeats: hearing them for next to nothing, and what is known of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from incidentd.domain.heartbeat import Pulse, PulseState
from incidentd.domain.incident import Incident
from incidentd.store import incidents, schema
from incidentd.store.codec import instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared

_h = schema.heartbeats.c
_a = schema.alerts.c
_i = schema.incidents.c
_COLUMNS = ["name", "source", "state", "since", "last_beat_at", "ended_at"]
_WITHHELD = sa.text("resolve_withheld_at IS NOT NULL")


def _heard(postgresql: bool) -> sa.Insert:  # noqa: FBT001 - the signature that Prepared calls
    make = pg_insert if postgresql else sqlite_insert
    statement = make(schema.heartbeats).values({name: sa.bindparam(name) for name in _COLUMNS})
    fresh = statement.excluded
    missing, gone = PulseState.MISSING.value, _h.ended_at.is_not(None)
    known = schema.heartbeats.c
    return statement.on_conflict_do_update(
        index_elements=[known.name],
        set_={
            "last_beat_at": fresh.last_beat_at,
            "ended_at": None,
            "since": sa.case((sa.or_(known.state == missing, gone), fresh.since), else_=known.since),
            "state": sa.case(
                (known.state == missing, PulseState.BACK.value),
                (known.state == PulseState.WAITING.value, PulseState.BEATING.value),
                else_=known.state,
            ),
        },
    )


_beat = Prepared(_heard, _COLUMNS)


def beat(tx: Tx, name: str, source: str, now: datetime) -> None:
    """It beats: one statement that needs no read, however it stood."""
    at = micros(now)
    _beat.run(tx, name, source, PulseState.BEATING.value, at, at, None)


def end(tx: Tx, name: str, now: datetime) -> None:
    """The source says that the alert it beats with is over."""
    tx.conn.execute(
        sa.update(schema.heartbeats)
        .where(_h.name == name, _h.ended_at.is_(None))
        .values(ended_at=micros(now))
    )


def firing(tx: Tx, source: str, since: datetime) -> list[tuple[str, dict[str, str]]]:
    """Alerts of a source that are in no incident and were seen firing at `since` or later: fingerprint and labels."""
    query = sa.select(_a.fingerprint, _a.labels).where(
        _a.source == source,
        _a.incident_id.is_(None),
        _a.ends_at.is_(None),
        _a.last_seen_at >= micros(since),
    )
    return [(row[0], loads(row[1])) for row in tx.conn.execute(query)]


def all_of(tx: Tx) -> dict[str, Pulse]:
    """Every known heartbeat, by name; not locked."""
    return {row.name: _pulse(row) for row in tx.conn.execute(sa.select(schema.heartbeats).order_by(_h.name))}


def locked(tx: Tx) -> dict[str, Pulse]:
    """The same, each locked for this transaction."""
    rows = tx.conn.execute(sa.select(schema.heartbeats).order_by(_h.name).with_for_update())
    return {row.name: _pulse(row) for row in rows}


def save(tx: Tx, pulse: Pulse) -> None:
    """Write how it stands. Replicas that both make it known for the first time retry."""
    values = {
        "source": pulse.source,
        "state": pulse.state.value,
        "since": micros(pulse.since),
        "last_beat_at": micros_or_none(pulse.last_beat_at),
        "ended_at": micros_or_none(pulse.ended_at),
    }
    changed = tx.conn.execute(
        sa.update(schema.heartbeats).where(_h.name == pulse.name).values(values)
    ).rowcount
    if not changed:
        tx.conn.execute(sa.insert(schema.heartbeats).values(name=pulse.name, **values))


def forget(tx: Tx, name: str) -> None:
    """It is not expected any more."""
    tx.conn.execute(sa.delete(schema.heartbeats).where(_h.name == name))


_silent = Prepared(
    lambda _: (
        sa.select(_h.source, _h.name)
        .where(
            _h.source != "",
            sa.or_(_h.state == sa.bindparam("state"), _h.ended_at.is_not(None)),
        )
        .order_by(_h.name)
    ),
    ["state"],
)


def silent(tx: Tx) -> dict[str, str]:
    """Sources that have a heartbeat which is missing -> its name."""
    return dict(reversed([(row[0], row[1]) for row in _silent.tuples(tx, PulseState.MISSING.value)]))


def withheld(tx: Tx) -> list[Incident]:
    """Incidents whose resolve is not believed yet, the oldest first; not locked."""
    query = sa.select(schema.incidents).where(_WITHHELD).order_by(_i.id)
    return [incidents.decode(row) for row in tx.conn.execute(query)]


def _pulse(row: Any) -> Pulse:
    return Pulse(
        row.name,
        row.source,
        PulseState(row.state),
        instant(row.since),
        instant_or_none(row.last_beat_at),
        instant_or_none(row.ended_at),
    )
