"""Maintenance windows that people made, and the incidents that they or their own flapping keep quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Incident
from incidentd.domain.maintenance import Plan, Window
from incidentd.domain.matcher import parse_matcher
from incidentd.store import incidents, schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared

_m = schema.maintenance.c
_i = schema.incidents.c
_STANDING = sa.text("cancelled_at IS NULL")
_SUPPRESSED = sa.text("suppressed_by IS NOT NULL")
_FLAPPING = sa.text("flapping_since IS NOT NULL")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """A window that somebody made."""

    id: int
    window: Window
    comment: str
    created_by: str
    created_at: datetime
    over_at: datetime | None
    """End of one that is once."""
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None


_standing = Prepared(
    lambda _: (
        sa.select(schema.maintenance)
        .where(_STANDING, sa.or_(_m.over_at.is_(None), _m.over_at > sa.bindparam("now")))
        .order_by(_m.id)
    ),
    ["now"],
)


def standing(tx: Tx, now: datetime) -> list[Stored]:
    """Those that hold now or later and were not cancelled, the oldest first."""
    return [decode(row) for row in _standing.tuples(tx, micros(now))]


def by_id(tx: Tx, number: int) -> Stored | None:
    """One, or None; cancelled ones too."""
    row = tx.conn.execute(sa.select(schema.maintenance).where(_m.id == number)).first()
    return None if row is None else decode(row)


def add(tx: Tx, new: Stored) -> Stored:
    """Write a new one; with its number."""
    number = Ids(tx, schema.maintenance, 1).take()
    planned = new.window.plan
    tx.conn.execute(
        sa.insert(schema.maintenance).values(
            id=number,
            name=new.window.name,
            matchers=dumps([str(matcher) for matcher in new.window.matchers]),
            starts=planned.starts.isoformat(),
            duration=planned.duration // _MICROSECOND,
            time_zone=planned.time_zone,
            rrule=planned.rrule,
            comment=new.comment,
            created_by=new.created_by,
            created_at=micros(new.created_at),
            over_at=micros_or_none(new.over_at),
        )
    )
    return Stored(number, new.window, new.comment, new.created_by, new.created_at, new.over_at)


def cancel(tx: Tx, number: int, actor: str, now: datetime) -> None:
    """It holds no more."""
    tx.conn.execute(
        sa.update(schema.maintenance)
        .where(_m.id == number, _STANDING)
        .values(cancelled_at=micros(now), cancelled_by=actor)
    )


def delete_old(tx: Tx, over_before: datetime, batch: int) -> int:
    """Forget up to `batch` windows that were cancelled, or over if they come once, before that; how many."""
    before = micros(over_before)
    old = sa.select(_m.id).where(sa.or_(_m.over_at < before, _m.cancelled_at < before)).limit(batch)
    return delete(tx, tx.conn.execute(old).scalars().all())


def delete(tx: Tx, numbers: Sequence[int]) -> int:
    """Forget these windows; how many there were."""
    if not numbers:
        return 0
    return tx.conn.execute(sa.delete(schema.maintenance).where(_m.id.in_(numbers))).rowcount


def suppressed(tx: Tx) -> list[Incident]:
    """Incidents that a window keeps quiet; not locked."""
    query = sa.select(schema.incidents).where(_SUPPRESSED).order_by(_i.id)
    return [incidents.decode(row) for row in tx.conn.execute(query)]


def flapping(tx: Tx) -> list[Incident]:
    """Incidents that come and go; not locked."""
    query = sa.select(schema.incidents).where(_FLAPPING).order_by(_i.id)
    return [incidents.decode(row) for row in tx.conn.execute(query)]


def firing_labels(tx: Tx, incident_ids: Sequence[int]) -> dict[int, list[dict[str, str]]]:
    """Incident -> the labels of each of its alerts that fire."""
    a, o = schema.alerts.c, schema.occurrences.c
    found: dict[int, list[dict[str, str]]] = {number: [] for number in incident_ids}
    # One by one: few incidents are suppressed, and one look-up each is cheaper than a long list of parameters.
    for number in incident_ids:
        query = (
            sa.select(a.labels)
            .join(schema.occurrences, o.alert_id == a.id)
            .where(o.incident_id == number, o.ends_at.is_(None))
        )
        found[number] = [loads(text) for text in tx.conn.execute(query).scalars()]
    return found


def named(tx: Tx, incident_id: int | None, most: int) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Labels and annotations of an incident's newest alerts, also of those that ended; None: of all that fire."""
    a, o = schema.alerts.c, schema.occurrences.c
    which = o.ends_at.is_(None) if incident_id is None else o.incident_id == incident_id
    concerned = a.id.in_(sa.select(o.alert_id).where(which))
    query = sa.select(a.labels, a.annotations).where(concerned).order_by(a.id.desc()).limit(most)
    return [(loads(labels), loads(annotations)) for labels, annotations in tx.conn.execute(query)]


def decode(row: Sequence[Any]) -> Stored:
    """A row of the table."""
    number, name, matchers, starts, duration, zone, rrule, comment, by, at, over, cancelled, canceller = row
    planned = Plan(datetime.fromisoformat(starts), duration * _MICROSECOND, zone, rrule)
    window = Window(name, tuple([parse_matcher(text) for text in loads(matchers)]), planned)
    return Stored(
        number,
        window,
        comment,
        by,
        instant(at),
        instant_or_none(over),
        instant_or_none(cancelled),
        canceller,
    )
