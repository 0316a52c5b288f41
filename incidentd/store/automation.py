"""Runs of steps: written with what leads to them, leased to who runs them, settled once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from incidentd.domain.automation import RunState, StepRun
from incidentd.domain.runbook import Kind
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared
from incidentd.store.schema_automation import step_runs

_r = step_runs.c
# Literals, not parameters: only so do the partial indexes fit.
_LIVE = sa.text("step_runs.ended_at IS NULL")
_BUSY = sa.text("step_runs.turn_at IS NOT NULL")
_RUNNING = sa.text("step_runs.state = 'running'")
_QUEUED = sa.text("step_runs.state = 'queued'")
_CLAIMING = "SELECT pg_advisory_xact_lock(7265, -4)"
"""Not among the slots of `incidents.lock_groups`, which count from 0. The limits hold over all replicas."""
_TIMES = ("turn_at", "started_at", "ended_at", "lease_until")
_NAMES = [field.name for field in fields(StepRun)]
_LISTED = [name for name in _NAMES if name != "output"]


def _put(postgresql: bool) -> sa.Insert:  # noqa: FBT001 - the signature that Prepared calls
    make = pg_insert if postgresql else sqlite_insert
    statement = make(step_runs).values({name: sa.bindparam(name) for name in _NAMES})
    # Two who ask at once: one of them was first, and the other sees that.
    return statement.on_conflict_do_nothing(
        index_elements=[_r.incident_id, _r.number], index_where=sa.text("ended_at IS NULL")
    )


_insert = Prepared(_put, _NAMES)
_waiting = Prepared(
    lambda _: sa.select(sa.func.count()).select_from(step_runs).where(_QUEUED, _BUSY),
    [],
)


def add(tx: Tx, new: Sequence[StepRun]) -> None:
    """Write new ones; where a step has one that is not over already, nothing."""
    if not new:
        return
    ids = Ids(tx, step_runs, len(new))
    rows = [_values(replace(each, id=ids.take())) for each in new]
    _insert.many(tx, [[row[name] for name in _NAMES] for row in rows])


def queued(tx: Tx) -> int:
    """How many wait for their turn."""
    row = _waiting.first(tx)
    return int(row[0]) if row is not None else 0


def save(tx: Tx, run: StepRun) -> None:
    """Write one as it is now. Hold the lock of its incident."""
    tx.conn.execute(sa.update(step_runs).where(_r.id == run.id).values(_values(run)))


def by_id(tx: Tx, number: int) -> StepRun | None:
    """One, with all its output; locked."""
    row = tx.conn.execute(sa.select(step_runs).where(_r.id == number).with_for_update()).first()
    return None if row is None else _decode(row)


def read_one(tx: Tx, incident_id: int, number: int) -> StepRun | None:
    """One of an incident, with all its output."""
    query = sa.select(step_runs).where(_r.id == number, _r.incident_id == incident_id)
    row = tx.conn.execute(query).first()
    return None if row is None else _decode(row)


def latest_of(tx: Tx, incident_id: int) -> list[StepRun]:
    """The newest of each step of an incident, without their output."""
    newest = sa.select(sa.func.max(_r.id)).where(_r.incident_id == incident_id).group_by(_r.number)
    return _listed(tx, _brief().where(_r.id.in_(newest)).order_by(_r.number))


def page_of(tx: Tx, incident_id: int, number: int | None, before: int | None, most: int) -> list[StepRun]:
    """Up to `most` of an incident, newest first, without their output; of step `number`, and older than `before`."""
    query = _brief().where(_r.incident_id == incident_id)
    if number is not None:
        query = query.where(_r.number == number)
    if before is not None:
        query = query.where(_r.id < before)
    return _listed(tx, query.order_by(_r.id.desc()).limit(most))


def _brief() -> sa.Select[Any]:
    return sa.select(*[_r[name] for name in _LISTED])


def _listed(tx: Tx, query: sa.Select[Any]) -> list[StepRun]:
    return [_decode(row) for row in tx.conn.execute(query)]


def numbers_of(tx: Tx, incident_ids: Collection[int]) -> set[tuple[int, int]]:
    """(incident, step) of everything that was ever run or offered for these incidents."""
    query = sa.select(_r.incident_id, _r.number).where(_r.incident_id.in_(list(incident_ids))).distinct()
    return {(row.incident_id, row.number) for row in tx.conn.execute(query)} if incident_ids else set()


def live_of(tx: Tx, incident_id: int, number: int) -> StepRun | None:
    """The one of a step that is not over."""
    query = sa.select(step_runs).where(_r.incident_id == incident_id, _r.number == number, _LIVE)
    row = tx.conn.execute(query.with_for_update()).first()
    return None if row is None else _decode(row)


def to_decide(tx: Tx, incident_ids: Collection[int]) -> list[StepRun]:
    """What people have to agree to, of these incidents, in the order of the steps."""
    wanted = [RunState.OFFERED.value, RunState.ASKED.value]
    query = sa.select(step_runs).where(_r.incident_id.in_(list(incident_ids)), _LIVE, _r.state.in_(wanted))
    return [_decode(row) for row in tx.conn.execute(query.order_by(_r.number))] if incident_ids else []


def end_offers(tx: Tx, incident_ids: Collection[int], why: str, now: datetime) -> None:
    """What was put to people of these incidents is not any more, and first looks that did not begin are not needed.

    What a person asked for, and what has begun, is not touched.
    """
    if incident_ids:
        by_itself = sa.and_(_r.state == RunState.QUEUED.value, _r.asked_by == "", _r.attempts == 0)
        waits = sa.or_(_r.state == RunState.OFFERED.value, by_itself)
        over = {"state": RunState.WITHDRAWN.value, "summary": why, "ended_at": micros(now), "turn_at": None}
        mine = sa.and_(_r.incident_id.in_(list(incident_ids)), _LIVE, waits)
        tx.conn.execute(sa.update(step_runs).where(mine).values(over))


def running(tx: Tx) -> list[StepRun]:
    """All that run, over all replicas, without their output: no more than the limits let begin."""
    return _listed(tx, _brief().where(_BUSY, _RUNNING).order_by(_r.id))


def queue(tx: Tx, after: StepRun | None, but_books: Collection[str], most: int) -> list[StepRun]:
    """Up to `most` that wait for their turn, in its order, from behind `after`; none of these runbooks."""
    # In that order a storm's first looks never keep a person waiting.
    by_itself = sa.case((_r.asked_by == "", 1), else_=0)
    query = _brief().where(_BUSY, _QUEUED)
    if but_books:
        query = query.where(_r.book.not_in(list(but_books)))
    if after is not None:
        query = query.where(sa.tuple_(by_itself, _r.id) > sa.tuple_(int(not after.asked_by), after.id))
    return _listed(tx, query.order_by(by_itself, _r.id).limit(most))


def waiting(
    tx: Tx, most: int, by_itself: datetime | None = None, asked: datetime | None = None
) -> list[StepRun]:
    """Up to `most` that wait for their turn or for a second person, oldest first.

    With instants: what incidents started before `by_itself` and never began, and what was asked for before `asked`.
    """
    query = _brief().where(_BUSY, sa.text("step_runs.state <> 'running'"))
    if by_itself is not None and asked is not None:
        first = sa.and_(_QUEUED, _r.asked_by == "", _r.attempts == 0, _r.created_at < micros(by_itself))
        second = sa.and_(_r.state == RunState.ASKED.value, _r.created_at < micros(asked))
        query = query.where(sa.or_(first, second))
    return _listed(tx, query.order_by(_r.id).limit(most))


def renew(tx: Tx, held: Mapping[int, int], until: datetime) -> None:
    """These runs, each under its generation, are still under way."""
    for number, generation in sorted(held.items()):
        mine = sa.and_(_r.id == number, _r.generation == generation, _RUNNING)
        tx.conn.execute(sa.update(step_runs).where(mine).values(lease_until=micros(until)))


def any_busy(tx: Tx) -> bool:
    """True if something waits or runs: a read, so that an idle daemon writes nothing."""
    return tx.conn.execute(sa.select(_r.id).where(_BUSY).limit(1)).first() is not None


def stops(tx: Tx, ids: Collection[int]) -> dict[int, str]:
    """Which of these runs are to end now, and why."""
    query = sa.select(_r.id, _r.stop).where(_r.id.in_(list(ids)), _r.stop.is_not(None))
    return {row.id: row.stop for row in tx.conn.execute(query)} if ids else {}


def lock(tx: Tx) -> None:
    """Only one replica at a time begins runs."""
    if tx.postgresql:
        tx.conn.exec_driver_sql(_CLAIMING)


def last_begun(tx: Tx, kind: Kind, subject: str, but: int = 0) -> datetime | None:
    """When a run of this subject other than `but` last began, dry runs left out."""
    query = sa.select(sa.func.max(_r.started_at)).where(
        _r.subject == subject, _r.kind == kind.value, _r.dry_run.is_(sa.false()), _r.started_at.is_not(None)
    )
    query = query.where(_r.id != but)
    return instant_or_none(tx.conn.execute(query).scalar())


def ask_to_stop(tx: Tx, ids: Collection[int], why: str) -> None:
    """Whoever runs these is to end them."""
    if ids:
        mine = sa.and_(_r.id.in_(list(ids)), _r.stop.is_(None))
        tx.conn.execute(sa.update(step_runs).where(mine).values(stop=why))


def _values(run: StepRun) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(run, name) for name in _NAMES}
    values |= {"kind": run.kind.value, "state": run.state.value, "data": dumps(run.data)}
    values["created_at"] = micros(run.created_at)
    for name in _TIMES:
        values[name] = micros_or_none(values[name])
    return values


def _decode(row: Any) -> StepRun:
    # A list of them leaves their output out.
    values: dict[str, Any] = {name: getattr(row, name) for name in _NAMES if hasattr(row, name)}
    values |= {
        "kind": Kind(row.kind),
        "state": RunState(row.state),
        "changes": bool(row.changes),
        "dry_run": bool(row.dry_run),
        "data": loads(row.data),
        "created_at": instant(row.created_at),
    }
    for name in _TIMES:
        values[name] = instant_or_none(values[name])
    return StepRun(**values)
