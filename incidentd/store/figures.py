"""What the figures are computed from. No drill is ever among it, and nothing about incidentd itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.dora import Outage
from incidentd.domain.figures import Counting, Gaps, IncidentFacts
from incidentd.domain.incident import OURSELVES, Incident
from incidentd.domain.notification import DeliveryClass
from incidentd.domain.runbook_figures import Steps, Worked
from incidentd.domain.runbook_steps import StepState
from incidentd.domain.severity import Severity
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.domain.slo import TURNS, Spell, Turn, gaps, parts, turn
from incidentd.domain.toil import Paged
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.schema_runbooks import incident_runbooks, runbook_steps, runbook_texts

_i = schema.incidents.c
_t = schema.timeline.c
_d = schema.deliveries.c
_r = incident_runbooks.c
_s = runbook_steps.c
_COUNTED = sa.and_(_i.drill.is_(None), _i.source != OBJECTIVES)
_REAL = sa.and_(_i.drill.is_(None), _i.source.not_in((OURSELVES, OBJECTIVES)))


def outages(
    tx: Tx, since: datetime, services: Collection[str] | None = None, until: datetime | None = None
) -> list[Outage]:
    """Incidents that opened at `since` or later and not after `until`, of these services or of all that have one."""
    query = sa.select(schema.incidents).where(_REAL, _i.opened_at >= micros(since), _i.service != "")
    if services is not None:
        query = query.where(_i.service.in_(sorted(services)))
    if until is not None:
        query = query.where(_i.opened_at <= micros(until))
    return [
        Outage(
            row.id,
            row.service,
            Severity(row.severity),
            _environment(row),
            instant(row.opened_at),
            _end(row),
        )
        for row in tx.conn.execute(query.order_by(_i.id))
    ]


def facts_since(
    tx: Tx, since: datetime, service: str | None = None, counting: Counting | None = None
) -> list[IncidentFacts]:
    """What the figures are computed from: incidents that were open at `since` or later, burning budgets left out."""
    wanted = [
        sa.or_(_i.resolved_at >= micros(since), _i.resolved_at.is_(None), _i.opened_at >= micros(since)),
        _COUNTED,
    ]
    if service is not None:
        wanted.append(_i.service == service)
    query = (
        sa.select(schema.incidents, _r.name.label("runbook"))
        .join(incident_runbooks, _r.incident_id == _i.id, isouter=True)
        .where(*wanted)
    )
    turns = _turns(tx, sa.select(_i.id).where(*wanted, _i.reopen_count > 0))
    rules = counting or Counting()
    return [_facts(row, turns.get(row.id, ()), rules) for row in tx.conn.execute(query.order_by(_i.id))]


def _facts(row: Any, turns: Sequence[Turn], counting: Counting) -> IncidentFacts:
    labels = loads(row.labels)
    return IncidentFacts(
        severity=row.severity,
        service=row.service,
        started_at=_began(row),
        opened_at=instant(row.opened_at),
        first_acknowledged_at=instant_or_none(row.first_acknowledged_at),
        resolved_at=instant_or_none(row.resolved_at),
        ended_at=instant_or_none(row.ended_at) if row.resolved_at is not None else None,
        counts=bool(row.counts),
        id=row.id,
        title=row.title,
        alertname=str(labels.get("alertname") or ""),
        reopened=row.reopen_count,
        flapping=row.flapping_since is not None,
        link=bool(row.runbook_url),
        runbook=row.runbook or "",
        gaps=gaps(parts(_whole(row), turns)) if turns else (),
        outage=counting.outage(row.severity, labels),
    )


def worked(tx: Tx, since: datetime, until: datetime, service: str | None = None) -> list[Worked]:
    """Runbooks of the incidents that opened after `since` up to and including `until`, and how far their steps are."""
    within = [_i.opened_at > micros(since), _i.opened_at <= micros(until), _COUNTED]
    if service is not None:
        within.append(_i.service == service)
    attached = schema.incidents.join(incident_runbooks, _r.incident_id == _i.id)
    used = (
        sa.select(
            _r.name, _r.hash, sa.func.count().label("incidents"), sa.func.max(_r.attached_at).label("last")
        )
        .select_from(attached)
        .where(*within)
        .group_by(_r.name, _r.hash)
        .subquery()
    )
    text = runbook_texts.c
    texts = used.join(runbook_texts, sa.and_(text.hash == used.c.hash, text.name == used.c.name))
    given = sa.select(used, text.title, text.steps).select_from(texts).order_by(used.c.name, used.c.hash)
    moved = (
        sa.select(_r.name, _r.hash, _s.state, sa.func.count())
        .select_from(attached.join(runbook_steps, _s.incident_id == _i.id))
        .where(*within)
        .group_by(_r.name, _r.hash, _s.state)
    )
    states: dict[tuple[str, str], dict[StepState, int]] = {}
    for name, digest, state, count in tx.conn.execute(moved):
        states.setdefault((name, digest), {})[StepState(state)] = count
    return [_worked(row, states.get((row.name, row.hash), {})) for row in tx.conn.execute(given)]


def _worked(row: Any, states: dict[StepState, int]) -> Worked:
    steps = Steps.of(row.incidents * len(loads(row.steps)), states)
    return Worked(row.name, row.title, row.incidents, instant(row.last), steps)


def pages(tx: Tx, since: datetime, until: datetime, service: str | None = None) -> list[Paged]:
    """Pages of real incidents that a vendor accepted for a person in that time, as far as retention has kept them."""
    query = (
        sa.select(_d.person, _d.sent_at)
        .join(schema.incidents, _i.id == _d.incident_id)
        .where(
            _d["class"] == DeliveryClass.PAGE.value,
            _d.person.is_not(None),
            _d.sent_at > micros(since),
            _d.sent_at <= micros(until),
            _i.drill.is_(None),
        )
    )
    if service is not None:
        query = query.where(_i.service == service)
    return [Paged(row.person, instant(row.sent_at)) for row in tx.conn.execute(query)]


def linked(tx: Tx, incidents: Sequence[int], source: str, deployment: str) -> set[int]:
    """Those of these incidents whose timeline names this deployment."""
    if not incidents:
        return set()
    query = sa.select(_t.incident_id, _t.data).where(_t.incident_id.in_(incidents), _t.kind == "deployment")
    found = [(number, loads(data)) for number, data in tx.conn.execute(query)]
    return {n for n, data in found if (data.get("source"), data.get("deployment")) == (source, deployment)}


def spells(tx: Tx, since: datetime, service: str) -> list[Spell]:
    """Times of trouble of a service, each of one severity, of incidents that lasted to `since` or longer."""
    wanted = sa.and_(
        _REAL, _i.service == service, sa.or_(_i.resolved_at.is_(None), _i.resolved_at >= micros(since))
    )
    columns = (_i.id, _i.severity, _i.started_at, _i.counted_from, _i.resolved_at, _i.ended_at)
    turns = _turns(tx, sa.select(_i.id).where(wanted))
    found: list[Spell] = []
    for row in tx.conn.execute(sa.select(*columns).where(wanted).order_by(_i.id)):
        found += parts(_whole(row), turns.get(row.id, ()))
    return found


def gaps_of(tx: Tx, known: Sequence[Incident]) -> dict[int, Gaps]:
    """When each of these incidents was over and came back."""
    turns = _turns(tx, [incident.id for incident in known]) if known else {}
    return {
        i.id: gaps(parts(Spell(i.id, i.severity, i.began_at, i.over_at), turns[i.id]))
        for i in known
        if i.id in turns
    }


def _turns(tx: Tx, incidents: Any) -> dict[int, list[Turn]]:
    query = sa.select(_t.incident_id, _t.kind, _t.at, _t.data).where(
        _t.incident_id.in_(incidents), _t.kind.in_(TURNS)
    )
    found: dict[int, list[Turn]] = {}
    for number, kind, at, data in tx.conn.execute(query.order_by(_t.incident_id, _t.seq)):
        found.setdefault(number, []).append(turn(kind, instant(at), loads(data)))
    return found


def _whole(row: Any) -> Spell:
    return Spell(row.id, Severity(row.severity), _began(row), _end(row))


def _began(row: Any) -> datetime:
    return instant(row.started_at if row.counted_from is None else row.counted_from)


def _end(row: Any) -> datetime | None:
    if row.resolved_at is None:
        # A reopened incident may still carry the end of its earlier episode.
        return None
    return instant_or_none(row.ended_at) or instant(row.resolved_at)


def _environment(row: Any) -> str:
    labels = loads(row.labels)
    return str(labels.get("environment") or labels.get("env") or "")
