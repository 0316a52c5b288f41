"""The runbooks of incidents: the text once, the row of the incident, and the steps that somebody has touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.domain.runbook_steps import Progress, Standing, StepState
from incidentd.domain.severity import Severity
from incidentd.store.codec import dumps, instant, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, values_of
from incidentd.store.schema_runbooks import incident_runbooks, runbook_steps, runbook_texts

_t = runbook_texts.c
_i = incident_runbooks.c
_s = runbook_steps.c
_TEXT_COLUMNS = [column.name for column in runbook_texts.columns]
_STEP_COLUMNS = [column.name for column in runbook_steps.columns]
_ATTACHING = "SELECT pg_advisory_xact_lock_shared(7265, -3)"
_FORGETTING = "SELECT pg_advisory_xact_lock(7265, -3)"
"""Not among the slots of `incidents.lock_groups`, which count from 0. Any number may attach; who forgets is alone."""


def _stored(postgresql: bool) -> sa.Insert:  # noqa: FBT001 - the signature that Prepared calls
    make = pg_insert if postgresql else sqlite_insert
    statement = make(runbook_texts).values({name: sa.bindparam(name) for name in _TEXT_COLUMNS})
    return statement.on_conflict_do_nothing(index_elements=[_t.hash, _t.name])


def _put(postgresql: bool) -> sa.Insert:  # noqa: FBT001 - as above
    make = pg_insert if postgresql else sqlite_insert
    statement = make(runbook_steps).values({name: sa.bindparam(name) for name in _STEP_COLUMNS})
    fresh = statement.excluded
    changed = {name: fresh[name] for name in ("state", "actor", "at", "comment")}
    return statement.on_conflict_do_update(index_elements=[_s.incident_id, _s.number], set_=changed)


_store_text = Prepared(_stored, _TEXT_COLUMNS)
_attach = insert(incident_runbooks)
_put_step = Prepared(_put, _STEP_COLUMNS)
_attached = Prepared(
    lambda pg: (
        sa.select(incident_runbooks, _t.title, _t.steps)
        .select_from(incident_runbooks.join(runbook_texts, sa.and_(_t.hash == _i.hash, _t.name == _i.name)))
        .where(among(_i.incident_id, "ids", postgresql=pg))
    ),
    ["ids"],
)
_with_one = Prepared(
    lambda pg: sa.select(_i.incident_id).where(among(_i.incident_id, "ids", postgresql=pg)), ["ids"]
)
_steps = Prepared(
    lambda pg: sa.select(runbook_steps).where(among(_s.incident_id, "ids", postgresql=pg)), ["ids"]
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A runbook that an incident gets as it opens."""

    incident_id: int
    runbook: Runbook
    reason: str


def attach(tx: Tx, new: Sequence[Attachment], now: datetime) -> None:
    """Freeze these runbooks onto their incidents; each text is kept once."""
    if not new:
        return
    if tx.postgresql:
        tx.conn.exec_driver_sql(_ATTACHING)
    texts = {(each.runbook.hash, each.runbook.name): each.runbook for each in new}
    # In one order everywhere, or two replicas could wait for each other.
    rows = [
        (book.hash, book.name, book.title, book.text, dumps([_encoded(s) for s in book.steps]), micros(now))
        for _, book in sorted(texts.items())
    ]
    _store_text.many(tx, rows)
    _attach.many(tx, [(a.incident_id, a.runbook.hash, a.runbook.name, a.reason, micros(now)) for a in new])


def of(tx: Tx, incident_ids: Sequence[int]) -> dict[int, Progress]:
    """Incident -> its runbook and how far it has got; incidents without one are left out."""
    rows = _attached.all(tx, values_of(tx, incident_ids)) if incident_ids else ()
    if not rows:
        return {}
    touched: dict[int, dict[int, Standing]] = {}
    for row in _steps.all(tx, values_of(tx, [row.incident_id for row in rows])):
        standing = Standing(row.number, StepState(row.state), row.actor, instant(row.at), row.comment)
        touched.setdefault(row.incident_id, {})[row.number] = standing
    known: dict[tuple[str, str], tuple[Step, ...]] = {}
    return {row.incident_id: _progress(row, known, touched.get(row.incident_id, {})) for row in rows}


def attached_to(tx: Tx, incident_ids: Sequence[int]) -> set[int]:
    """Those of these incidents that have a runbook."""
    return {row.incident_id for row in _with_one.all(tx, values_of(tx, incident_ids))}


def _progress(
    row: Any, known: dict[tuple[str, str], tuple[Step, ...]], standings: dict[int, Standing]
) -> Progress:
    key = (row.hash, row.name)
    if key not in known:
        known[key] = tuple([_decoded(number, raw) for number, raw in enumerate(loads(row.steps), start=1)])
    return Progress(
        incident_id=row.incident_id,
        name=row.name,
        title=row.title,
        hash=row.hash,
        reason=row.reason,
        attached_at=instant(row.attached_at),
        steps=known[key],
        standings=standings,
    )


def text_of(tx: Tx, progress: Progress) -> str:
    """The whole file as it was when the incident opened."""
    query = sa.select(_t.text).where(_t.hash == progress.hash, _t.name == progress.name)
    return str(tx.conn.execute(query).scalar_one())


def put(tx: Tx, incident_id: int, standing: Standing) -> None:
    """Write where a step stands. Hold the lock of its incident."""
    at = micros(standing.at) if standing.at is not None else 0
    row = (incident_id, standing.number, standing.state.value, standing.actor, at, standing.comment)
    _put_step.many(tx, [row])


def delete_unused(tx: Tx, stored_before: datetime, batch: int) -> int:
    """Forget up to `batch` texts that no incident has any more; how many."""
    used = sa.exists().where(_i.hash == _t.hash, _i.name == _t.name)
    if tx.postgresql:
        tx.conn.exec_driver_sql(_FORGETTING)
    old = sa.select(_t.hash, _t.name).where(_t.stored_at < micros(stored_before), ~used).limit(batch)
    rows = tx.conn.execute(old).all()
    for row in rows:
        tx.conn.execute(sa.delete(runbook_texts).where(_t.hash == row.hash, _t.name == row.name))
    return len(rows)


def _encoded(step: Step) -> dict[str, Any]:
    action = step.action
    if action is None:
        return {"text": step.text}
    return {
        "text": step.text,
        "action": {
            "kind": action.kind.value,
            "run": action.run.value,
            "timeout": action.timeout.total_seconds(),
            "when": [severity.value for severity in action.when],
            "retries": action.retries,
            "stop_on_resolve": action.stop_on_resolve,
            "attributes": dict(action.attributes),
        },
    }


def _decoded(number: int, raw: dict[str, Any]) -> Step:
    if "action" not in raw:
        return Step(number, raw["text"])
    found = raw["action"]
    action = Action(
        kind=Kind(found["kind"]),
        run=Run(found["run"]),
        timeout=timedelta(seconds=found["timeout"]),
        when=tuple([Severity(each) for each in found["when"]]),
        retries=found["retries"],
        stop_on_resolve=found["stop_on_resolve"],
        attributes=found["attributes"],
    )
    return Step(number, raw["text"], action)
