"""What reconciling keeps: each source's rounds, alerts as they found them, incidents as they are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.at_source import AtSource, SilenceView
from incidentd.domain.incident import State
from incidentd.domain.reconcile import Here, Standing, Track
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, insert

_r = schema.reconcile_sources.c
_t = schema.source_alerts.c
_v = schema.incidents_at_source.c
_a = schema.alerts.c
_i = schema.incidents.c
PAGE = 1000
"""Rows that are read at once, so that a big source does not hold up anybody."""


@dataclass(frozen=True, slots=True)
class SourceRounds:
    """Where the rounds of a source stand, for all replicas alike."""

    source: str
    generation: int
    due_at: datetime
    good_at: datetime | None = None
    failed: str | None = None
    """Why the latest round was not good."""
    detail: str = ""
    beat_at: datetime | None = None
    receivers: tuple[str, ...] = ()


def rounds(tx: Tx) -> dict[str, SourceRounds]:
    """Of every source that was ever asked about."""
    return {row.source: _rounds(row) for row in tx.conn.execute(sa.select(schema.reconcile_sources))}


def claim(tx: Tx, source: str, every: timedelta, now: datetime) -> SourceRounds | None:
    """Take the next round if it is due: nobody else takes one before `every` has passed. None if it is not.

    Replicas that race for the very first one retry and see the winner's.
    """
    row = tx.conn.execute(_locked(source)).one_or_none()
    due = micros(now + every)
    if row is None:
        taken = SourceRounds(source, 1, now + every)
        tx.conn.execute(sa.insert(schema.reconcile_sources).values(_values(taken)))
        return taken
    # One further ahead than a round was taken before the clock was set back.
    if micros(now) < row.due_at <= due:
        return None
    _set(tx, source, generation=row.generation + 1, due_at=due)
    found = _rounds(row)
    return SourceRounds(
        source,
        row.generation + 1,
        now + every,
        found.good_at,
        found.failed,
        found.detail,
        found.beat_at,
        found.receivers,
    )


def held(tx: Tx, source: str, generation: int) -> bool:
    """True if that round is still the latest; locked until the end of this transaction."""
    row = tx.conn.execute(_locked(source)).one_or_none()
    return row is not None and row.generation == generation


def good(tx: Tx, source: str, at: datetime, beat_at: datetime | None) -> None:
    """Every member answered, and what follows from it is written."""
    _set(tx, source, good_at=micros(at), failed=None, detail="", beat_at=micros_or_none(beat_at))


def failed(tx: Tx, source: str, reason: str, detail: str) -> None:
    """The round is no good."""
    _set(tx, source, failed=reason, detail=detail)


def learn(tx: Tx, source: str, names: Collection[str]) -> tuple[str, ...]:
    """Remember which of Alertmanager's receivers post here; all that are known."""
    row = tx.conn.execute(_locked(source)).one_or_none()
    if row is None:
        return ()
    known = tuple(sorted({*loads(row.receivers), *names}))
    _set(tx, source, receivers=dumps(known))
    return known


def forget_others(tx: Tx, sources: Collection[str]) -> None:
    """Drop what is kept of sources that are not reconciled any more: it would be shown for ever."""
    for table in (schema.reconcile_sources, schema.source_alerts, schema.incidents_at_source):
        tx.conn.execute(sa.delete(table).where(table.c.source.not_in(sources)))


def _locked(source: str) -> sa.Select[Any]:
    return sa.select(schema.reconcile_sources).where(_r.source == source).with_for_update()


def _set(tx: Tx, source: str, **values: object) -> None:
    tx.conn.execute(sa.update(schema.reconcile_sources).where(_r.source == source).values(values))


def _rounds(row: Any) -> SourceRounds:
    return SourceRounds(
        row.source,
        row.generation,
        instant(row.due_at),
        instant_or_none(row.good_at),
        row.failed,
        row.detail,
        instant_or_none(row.beat_at),
        tuple(loads(row.receivers)),
    )


def _values(r: SourceRounds) -> dict[str, object]:
    return {
        "source": r.source,
        "generation": r.generation,
        "due_at": micros(r.due_at),
        "good_at": micros_or_none(r.good_at),
        "failed": r.failed,
        "detail": r.detail,
        "beat_at": micros_or_none(r.beat_at),
        "receivers": dumps(r.receivers),
    }


# -- alerts -----------------------------------------------------------------------------------------------------
_firing = Prepared(
    lambda _: (
        sa.select(_a.id, _a.fingerprint, _a.starts_at, _a.last_seen_at, _a.incident_id, _i.state)
        .outerjoin_from(schema.alerts, schema.incidents, _i.id == _a.incident_id)
        .where(
            sa.text("alerts.ends_at IS NULL"),
            _a.source == sa.bindparam("source"),
            _a.id > sa.bindparam("after"),
        )
        .order_by(_a.id)
        .limit(PAGE)
    ),
    ["source", "after"],
)
_tracks = Prepared(
    lambda _: (
        sa.select(_t.fingerprint, _t.standing, _t.rounds, _t.since, _t.seen_at, _t.met)
        .where(_t.source == sa.bindparam("source"), _t.fingerprint > sa.bindparam("after"))
        .order_by(_t.fingerprint)
        .limit(PAGE)
    ),
    ["source", "after"],
)
_drop_track = Prepared(
    lambda _: sa.delete(schema.source_alerts).where(
        _t.source == sa.bindparam("source"), _t.fingerprint == sa.bindparam("fingerprint")
    ),
    ["source", "fingerprint"],
)
_add_track = insert(schema.source_alerts)


def firing(tx: Tx, source: str, after: int) -> tuple[list[Here], int | None]:
    """One page of the alerts of a source that fire here, by row id; where the next page begins, None at the end."""
    rows = _firing.tuples(tx, source, after)
    found = [
        Here(fingerprint, instant(starts), instant(seen), incident, closed=state == State.RESOLVED.value)
        for _, fingerprint, starts, seen, incident, state in rows
    ]
    return found, rows[-1][0] if len(rows) == PAGE else None


def tracks(tx: Tx, source: str, after: str) -> tuple[dict[str, Track], str | None]:
    """One page of what is remembered of alerts, by fingerprint; where the next page begins."""
    rows = _tracks.tuples(tx, source, after)
    found = {
        fingerprint: Track(Standing(standing), number, instant(since), instant_or_none(seen), bool(met))
        for fingerprint, standing, number, since, seen, met in rows
    }
    return found, rows[-1][0] if len(rows) == PAGE else None


def remember(tx: Tx, source: str, changed: Sequence[tuple[str, Track | None]]) -> None:
    """Write what has changed of the tracks; None forgets one."""
    _drop_track.many(tx, [(source, fingerprint) for fingerprint, _ in changed])
    _add_track.many(
        tx,
        [
            (source, print_, t.standing.value, t.rounds, micros(t.since), micros_or_none(t.seen_at), t.met)
            for print_, t in changed
            if t is not None
        ],
    )


# -- incidents --------------------------------------------------------------------------------------------------
def at_source(tx: Tx, incident_ids: Collection[int]) -> dict[int, AtSource]:
    """What is special about these incidents at their source; nothing for those that are like any other."""
    query = sa.select(schema.incidents_at_source).where(_v.incident_id.in_(incident_ids))
    return {row.incident_id: _view(row) for row in tx.conn.execute(query)} if incident_ids else {}


def all_at_source(tx: Tx, source: str) -> dict[int, AtSource]:
    """The same for every incident of a source."""
    query = sa.select(schema.incidents_at_source).where(_v.source == source)
    return {row.incident_id: _view(row) for row in tx.conn.execute(query)}


def show(tx: Tx, source: str, changed: Mapping[int, AtSource | None]) -> None:
    """Write what has changed of them; None: nothing is special any more."""
    tx.conn.execute(sa.delete(schema.incidents_at_source).where(_v.incident_id.in_(list(changed))))
    rows = [_view_values(source, view) for view in changed.values() if view is not None]
    if rows:
        tx.conn.execute(sa.insert(schema.incidents_at_source), rows)


def still_firing(views: Iterable[AtSource]) -> int:
    """How many of these incidents were closed here while their alerts fire there."""
    return sum(view.still_firing for view in views)


def _view(row: Any) -> AtSource:
    silences = [
        SilenceView(each["id"], each["created_by"], each["comment"], instant_or_none(each["ends_at"]))
        for each in loads(row.silenced_by)
    ]
    return AtSource(row.incident_id, tuple(silences), bool(row.inhibited), bool(row.still_firing))


def _view_values(source: str, view: AtSource) -> dict[str, object]:
    silences = [
        {
            "id": each.id,
            "created_by": each.created_by,
            "comment": each.comment,
            "ends_at": micros_or_none(each.ends_at),
        }
        for each in view.silenced_by
    ]
    return {
        "incident_id": view.incident_id,
        "source": source,
        "silenced_by": dumps(silences),
        "inhibited": view.inhibited,
        "still_firing": view.still_firing,
    }
