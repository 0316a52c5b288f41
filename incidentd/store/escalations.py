"""Escalations: one row an incident with its frozen policy, found again when it is due.

Whoever works on a row holds the lock of its incident, so two replicas never run the same step.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.escalation import Ended, Escalation, Policy, Step, Target, parse_target
from incidentd.domain.hours import Hours
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, values_of

_e = schema.escalations.c
_i = schema.incidents.c
_d = schema.deliveries.c
# A literal, not a parameter: only so does the partial index fit.
_RUNNING = sa.text("escalations.ended_at IS NULL")
_SECOND = timedelta(seconds=1)
ON_ITS_WAY = timedelta(minutes=10)
"""How long a page may wait and still prove that somebody is being told."""

_insert = insert(schema.escalations)
_due = Prepared(
    lambda _: (
        sa.select(_e.incident_id)
        .where(_RUNNING, _e.due_at <= sa.bindparam("now"))
        .order_by(_e.due_at)
        .limit(sa.bindparam("n"))
    ),
    ["now", "n"],
)
_next = Prepared(lambda _: sa.select(_e.due_at).where(_RUNNING).order_by(_e.due_at).limit(1), [])
_of = Prepared(
    lambda pg: sa.select(schema.escalations).where(among(_e.incident_id, "ids", postgresql=pg)), ["ids"]
)
_delete = Prepared(
    lambda pg: sa.delete(schema.escalations).where(among(_e.incident_id, "ids", postgresql=pg)), ["ids"]
)
_end = Prepared(
    lambda pg: (
        sa.update(schema.escalations)
        .where(among(_e.incident_id, "ids", postgresql=pg), _RUNNING)
        .values(ended_at=sa.bindparam("now"), ended_reason=sa.bindparam("reason"))
    ),
    ["now", "reason", "ids"],
)
_save = Prepared(
    lambda _: (
        sa.update(schema.escalations)
        .where(_e.incident_id == sa.bindparam("incident"))
        .values(
            step=sa.bindparam("number"),
            round=sa.bindparam("turn"),
            due_at=sa.bindparam("due"),
            ended_at=sa.bindparam("ended"),
            ended_reason=sa.bindparam("reason"),
        )
    ),
    ["number", "turn", "due", "ended", "reason", "incident"],
)


def start(tx: Tx, new: Sequence[Escalation], *, again: Sequence[int]) -> None:
    """Write escalations that start now; incidents `again` may have had one before, which goes."""
    if again:
        _delete.run(tx, values_of(tx, again))
    _insert.many(tx, [_row(each) for each in new])


def save(tx: Tx, changed: Sequence[Escalation]) -> None:
    """Write how far these have gone."""
    _save.many(
        tx,
        [
            (e.step, e.round, micros(e.due_at), micros_or_none(e.ended_at), e.ended_reason, e.incident_id)
            for e in changed
        ],
    )


def end(tx: Tx, incident_ids: Sequence[int], reason: Ended, now: datetime) -> None:
    """End those of these incidents that run."""
    if incident_ids:
        _end.run(tx, micros(now), reason.value, values_of(tx, incident_ids))


def any_due(tx: Tx, now: datetime) -> bool:
    """True if a step is due: one look into an index, so that an idle daemon writes nothing."""
    return bool(_due.all(tx, micros(now), 1))


def next_due(tx: Tx) -> datetime | None:
    """When the next step is due, of whichever incident; None if none is to come."""
    row = _next.first(tx)
    return None if row is None else instant(row.due_at)


def due(tx: Tx, now: datetime, limit: int) -> list[int]:
    """Incidents with a step that is due, the most overdue first. Not locked: look again with their locks held."""
    return [row.incident_id for row in _due.all(tx, micros(now), limit)]


def of(tx: Tx, incident_ids: Sequence[int]) -> dict[int, Escalation]:
    """Incident -> its latest escalation; incidents that never had one are left out."""
    rows = _of.all(tx, values_of(tx, incident_ids)) if incident_ids else ()
    return {row.incident_id: _decode(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An incident that should be escalating and of which nothing is on its way."""

    incident_id: int
    severity: Severity
    policy: str
    escalation: Escalation | None
    """Of this episode, if there is one."""


def doubtful(tx: Tx, overdue: datetime, limit: int) -> list[Doubtful]:
    """Incidents that name a policy, that nobody has acknowledged, snoozed, held or suppressed, and that stand still.

    They have neither a step due after `overdue`, nor a page on its way (one that waits for longer than
    `ON_ITS_WAY` reaches nobody), nor been told to the end.
    """
    e, same = schema.escalations, _e.episode == _i.episode
    goes_on = sa.and_(same, _RUNNING, _e.due_at > micros(overdue))
    done = sa.and_(same, _e.ended_reason == Ended.NOBODY_LEFT.value)
    page = sa.exists().where(
        _d.incident_id == _i.id,
        _d["class"] == "page",
        sa.text("deliveries.state IN ('pending', 'leased')"),
        sa.func.coalesce(_d.retried_at, _d.created_at) > micros(overdue - ON_ITS_WAY),
    )
    query = (
        sa.select(_i.id, _i.severity, _i.escalation.label("named"), _i.episode.label("now"), e)
        .select_from(schema.incidents.outerjoin(e, _e.incident_id == _i.id))
        .where(
            sa.text("incidents.state = 'triggered' AND incidents.state <> 'resolved'"),
            _i.escalation.is_not(None),
            _i.snoozed_until.is_(None),
            _i.held_until.is_(None),
            _i.suppressed_by.is_(None),
            sa.func.coalesce(~goes_on, sa.true()),
            sa.func.coalesce(~done, sa.true()),
            ~page,
        )
        .order_by(_i.id)
        .limit(limit)
    )
    return [
        Doubtful(
            row.id,
            Severity(row.severity),
            row.named,
            _decode(row) if row.incident_id is not None and row.episode == row.now else None,
        )
        for row in tx.conn.execute(query)
    ]


def _row(e: Escalation) -> tuple[object, ...]:
    policy = (e.policy.name, _frozen(e.policy))
    end = (micros_or_none(e.ended_at), e.ended_reason, e.stuck)
    return (e.incident_id, e.episode, *policy, e.step, e.round, micros(e.due_at), *end)


def _decode(row: Any) -> Escalation:
    return Escalation(
        incident_id=row.incident_id,
        episode=row.episode,
        policy=_policy(row.frozen),
        due_at=instant(row.due_at),
        step=row.step,
        round=row.round,
        ended_at=instant_or_none(row.ended_at),
        ended_reason=None if row.ended_reason is None else Ended(row.ended_reason),
        stuck=bool(row.stuck),
    )


# Thousands of incidents start with the same few policies.
@functools.lru_cache(maxsize=256)
def _frozen(policy: Policy) -> str:
    return dumps(
        {
            "name": policy.name,
            "steps": [_step_json(step) for step in policy.steps],
            "repeat": policy.repeat,
            "last_resort": [str(target) for target in policy.last_resort],
            "pause": policy.pause / _SECOND,
        }
    )


@functools.lru_cache(maxsize=256)
def _policy(text: str) -> Policy:
    known: Mapping[str, Any] = loads(text)
    return Policy(
        name=known["name"],
        steps=tuple([_step(step) for step in known["steps"]]),
        repeat=known["repeat"],
        last_resort=_targets(known["last_resort"]),
        pause=timedelta(seconds=known["pause"]),
    )


def _targets(texts: Sequence[str]) -> tuple[Target, ...]:
    return tuple([parse_target(text) for text in texts])


def _step_json(step: Step) -> dict[str, object]:
    return {
        "after": step.after / _SECOND,
        "notify": [str(target) for target in step.notify],
        "severities": sorted(step.severities),
        "hours": None if step.hours is None else _hours_json(step.hours),
    }


def _step(known: Mapping[str, Any]) -> Step:
    return Step(
        after=timedelta(seconds=known["after"]),
        notify=_targets(known["notify"]),
        severities=frozenset([Severity(word) for word in known["severities"]]),
        hours=None if known["hours"] is None else _hours(known["hours"]),
    )


def _hours_json(hours: Hours) -> dict[str, object]:
    return {
        "time_zone": hours.time_zone,
        "start": hours.start.isoformat(),
        "end": hours.end.isoformat(),
        "days": sorted(hours.days),
        "outside": hours.outside,
    }


def _hours(known: Mapping[str, Any]) -> Hours:
    start, end = time.fromisoformat(known["start"]), time.fromisoformat(known["end"])
    return Hours(known["time_zone"], start, end, frozenset(known["days"]), known["outside"])
