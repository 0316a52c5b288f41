"""Silences that were asked for from incidents: written, found, and leased while their Alertmanagers are asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Incident
from incidentd.domain.silence import Match, Silence, State
from incidentd.store import incidents, schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared, among, values_of

LEASE = timedelta(seconds=75)
"""How long one may talk to an Alertmanager about a silence: longer than two of its answers may take."""
_s = schema.silences.c
_a, _o, _i = schema.alerts.c, schema.occurrences.c, schema.incidents.c
_LIVE = sa.text("silences.ended_at IS NULL")
_TIMES = ("next_attempt_at", "warned_at", "ended_at")
_NAMES = [field.name for field in fields(Silence)]


def add(tx: Tx, new: Sequence[Silence]) -> list[Silence]:
    """Write new ones; with their ids."""
    ids = Ids(tx, schema.silences, len(new))
    written = [replace(each, id=ids.take()) for each in new]
    tx.conn.execute(sa.insert(schema.silences), [_values(each) for each in written])
    return written


def save(tx: Tx, silence: Silence) -> None:
    """Write one as it is now. Whoever talks about it goes on talking, and will find the new revision."""
    tx.conn.execute(sa.update(schema.silences).where(_s.id == silence.id).values(_values(silence)))


def by_id(tx: Tx, number: int) -> Silence | None:
    """One, or None."""
    row = tx.conn.execute(sa.select(schema.silences).where(_s.id == number)).first()
    return None if row is None else _decode(row)


def of_incident(tx: Tx, incident_id: int) -> list[Silence]:
    """All that an incident ever had, the oldest first."""
    query = sa.select(schema.silences).where(_s.incident_id == incident_id).order_by(_s.id)
    return [_decode(row) for row in tx.conn.execute(query)]


def live(tx: Tx) -> list[Silence]:
    """All that are not over."""
    return [_decode(row) for row in tx.conn.execute(sa.select(schema.silences).where(_LIVE).order_by(_s.id))]


def incidents_of(tx: Tx, ids: Sequence[int]) -> list[Incident]:
    """These incidents, as far as they are kept; not locked."""
    query = sa.select(schema.incidents).where(_i.id.in_(ids))
    return [incidents.decode(row) for row in tx.conn.execute(query)] if ids else []


def search(
    tx: Tx, *, states: Collection[State], incident_id: int | None, before: int | None, limit: int
) -> list[Silence]:
    """Silences, newest first. No state: all."""
    query = sa.select(schema.silences).order_by(_s.id.desc()).limit(limit)
    if states:
        query = query.where(_s.state.in_([state.value for state in states]))
    if incident_id is not None:
        query = query.where(_s.incident_id == incident_id)
    if before is not None:
        query = query.where(_s.id < before)
    return [_decode(row) for row in tx.conn.execute(query)]


# -- their ends -------------------------------------------------------------------------------------------------
def _ending(postgresql: bool) -> sa.Update:  # noqa: FBT001 - the signature that Prepared calls
    return (
        sa.update(schema.silences)
        .where(among(_s.incident_id, "ids", postgresql=postgresql), _LIVE)
        .where(_s.state != sa.literal_column("'expiring'"))
        .values(
            state="expiring",
            revision=_s.revision + 1,
            attempts=0,
            next_attempt_at=sa.bindparam("at", type_=_s.created_at.type),
            ended_by=sa.bindparam("by", type_=_s.ended_by.type),
        )
    )


_end = Prepared(_ending, ["ids", "at", "by"])


def end(tx: Tx, incident_ids: Sequence[int], by: str, now: datetime) -> int:
    """The silences of these incidents are to end; how many. One statement, for intake calls it."""
    return _end.run(tx, values_of(tx, incident_ids), micros(now), by) if incident_ids else 0


def of_resolved(tx: Tx) -> list[int]:
    """Incidents that are over and whose silences nobody has told to end."""
    query = (
        sa.select(_s.incident_id)
        .join(schema.incidents, _i.id == _s.incident_id)
        .where(_LIVE, _s.state.in_(["wanted", "active"]), _i.state == "resolved", sa.not_(_s.found))
        .distinct()
    )
    return list(tx.conn.execute(query).scalars())


def delete_old(tx: Tx, ended_before: datetime, batch: int) -> int:
    """Forget up to `batch` that are over; how many."""
    old = sa.select(_s.id).where(_s.ended_at < micros(ended_before)).limit(batch)
    ids = tx.conn.execute(old).scalars().all()
    if ids:
        tx.conn.execute(sa.delete(schema.silences).where(_s.id.in_(ids)))
    return len(ids)


# -- talking about them -----------------------------------------------------------------------------------------
def _waiting(now: datetime) -> Any:
    free = sa.or_(_s.leased_until.is_(None), _s.leased_until <= micros(now))
    return sa.and_(_LIVE, _s.next_attempt_at <= micros(now), free)


def is_due(tx: Tx, now: datetime) -> bool:
    """True if `claim` would find something: a read, so that an idle daemon writes nothing."""
    return tx.conn.execute(sa.select(_s.id).where(_waiting(now)).limit(1)).first() is not None


def claim(tx: Tx, now: datetime, busy: Collection[str]) -> list[Silence]:
    """Take those that are due, but none of the Alertmanagers that are `busy`; nobody else gets them meanwhile."""
    query = (
        sa.select(schema.silences)
        .where(_waiting(now), _s.alertmanager.not_in(list(busy)))
        .order_by(_s.id)
        .with_for_update(skip_locked=True)
    )
    found = [_decode(row) for row in tx.conn.execute(query)]
    until = micros(now + LEASE)
    if found:
        mine = _s.id.in_([each.id for each in found])
        tx.conn.execute(sa.update(schema.silences).where(mine).values(leased_until=until))
    return found


def release_all(tx: Tx) -> None:
    """Take back every lease: of a database that is this daemon's alone, those who had them are dead."""
    tx.conn.execute(sa.update(schema.silences).where(_s.leased_until.is_not(None)).values(leased_until=None))


def settle(tx: Tx, claimed: Silence, after: Silence, lease_from: datetime) -> Silence | None:
    """Write what came of it and give the lease back. None, and only its id written, if people changed it meanwhile;
    None too if the lease had run out and somebody else has it.
    """
    mine = _s.leased_until == micros(lease_from + LEASE)
    row = tx.conn.execute(
        sa.select(schema.silences).where(_s.id == claimed.id, mine).with_for_update()
    ).first()
    if row is None:
        return None
    values: Mapping[str, object] = {"silence_id": after.silence_id}
    same = row.revision == claimed.revision
    if same:
        values = _values(after)
    tx.conn.execute(
        sa.update(schema.silences).where(_s.id == claimed.id).values({**values, "leased_until": None})
    )
    return after if same else None


# -- what they match --------------------------------------------------------------------------------------------
def alerts_of(tx: Tx, incident_id: int, most: int) -> list[tuple[dict[str, str], list[str]]]:
    """Labels of an incident's alerts, and what was cut of them: of those that fire, or of all if none does."""
    query = (
        sa.select(_a.labels, _a.cut)
        .join(schema.occurrences, _o.alert_id == _a.id)
        .where(_o.incident_id == incident_id)
        .order_by(_o.starts_at.desc())
        .limit(most)
    )
    found = tx.conn.execute(query.where(_o.ends_at.is_(None))).all() or tx.conn.execute(query).all()
    return [(loads(row.labels), loads(row.cut)) for row in found]


def _values(silence: Silence) -> dict[str, object]:
    values: dict[str, Any] = {name: getattr(silence, name) for name in _NAMES}
    matchers = [[each.name, each.value, each.is_regex] for each in silence.matchers]
    values |= {"state": silence.state.value, "matchers": dumps(matchers)}
    for name in ("starts_at", "ends_at", "created_at", "warn_at"):
        values[name] = micros(values[name])
    for name in _TIMES:
        values[name] = micros_or_none(values[name])
    return values


def _decode(row: Any) -> Silence:
    values: dict[str, Any] = {name: getattr(row, name) for name in _NAMES}
    values |= {"state": State(row.state), "matchers": tuple([Match(*each) for each in loads(row.matchers)])}
    for name in ("starts_at", "ends_at", "created_at", "warn_at"):
        values[name] = instant(values[name])
    for name in _TIMES:
        values[name] = instant_or_none(values[name])
    values["found"] = bool(row.found)
    return Silence(**values)
