"""Drills start by plan, are judged by what the vendors took, and end; a planned one that failed is an incident.

What is due stands in the database and the configuration, so a restart forgets nothing, and of several replicas one
acts: whoever holds the lock of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain import response
from incidentd.domain.alert import Alert, AlertStatus, fingerprint_of
from incidentd.domain.drill import (
    FAILED,
    GRACE,
    LATENESS,
    Drill,
    Judgement,
    Page,
    Plan,
    State,
    judge,
)
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, evolve
from incidentd.domain.incident import State as IncidentState
from incidentd.domain.notification import Notice
from incidentd.store import alert_views, drills, incidents, schema
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows import audit
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.receive import Submission, receive
from incidentd.workflows.rules import Rules, readable

_ALL = f"{OURSELVES}:drills"


@dataclass(frozen=True, slots=True)
class Shown:
    """A drill and what it has shown so far."""

    drill: Drill
    judgement: Judgement
    pages: tuple[Page, ...]
    incident: Incident | None
    """None before its alert came, and after retention."""


def ask(tx: Tx, drill: Drill) -> None:
    """Somebody asks for a drill."""
    drills.add(tx, drill)
    data = {"severity": drill.severity.value, "service": drill.service}
    audit.note(tx, drill.registered_at, drill.requested_by, "drill.asked", f"drill:{drill.id}", data)


def group_of(name: str) -> str:
    """The group key of the incident about a planned drill that failed."""
    return f'{OURSELVES}:{{alertname="{FAILED}", drill="{name}"}}'


def show(tx: Tx, drill: Drill, now: datetime) -> Shown:
    """What `drill` has shown by now; one that has finished shows what it showed then."""
    incident = None if drill.incident_id is None else drills.incident_of(tx, drill)
    pages = () if drill.incident_id is None else tuple(drills.pages(tx, drill.incident_id))
    if drill.finished_at is not None:
        return Shown(drill, Judgement(drill.state, drill.reasons), pages, incident)
    over = incident is not None and not incident.open
    quiet = None if incident is None else incident.suppressed_by
    judgement = judge(drill, pages, now, over=over, suppressed_by=quiet)
    resolved_at = incident.resolved_at if incident else None
    return Shown(replace(drill, resolved_at=resolved_at), judgement, pages, incident)


def due(tx: Tx, rules: Rules, now: datetime) -> bool:
    """True if `run` would do something: a read, so that an idle daemon writes nothing."""
    if any([_starting(tx, plan, now) for plan in rules.drills]):
        return True
    return any([_ends(shown, now) or _to_end(shown, now) for shown in _unfinished(tx, now)])


def run(tx: Tx, rules: Rules, now: datetime, identities: Sequence[str]) -> tuple[Change, ...]:
    """Start planned drills whose time has come, end those that have shown what they can, and write that down.

    `identities`: a fresh one for each plan.
    """
    # One replica at a time, whatever it finds.
    incidents.lock_groups(tx, [_ALL, *[group_of(plan.name) for plan in rules.drills]])
    changes: list[Change] = []
    for plan, identity in zip(rules.drills, identities, strict=True):
        at = _starting(tx, plan, now)
        if at is not None:
            drill = plan.drill(identity, at, now)
            drills.add(tx, drill)
            audit.note(tx, now, OURSELVES, "drill.started", f"drill:{drill.id}", {"name": drill.name})
            changes += _begun(tx, rules, drill, now)
    for shown in _unfinished(tx, now):
        if shown.incident is not None and _to_end(shown, now):
            changes += _ended(tx, rules, shown.incident, now)
    # Looked at again: what has just been ended shows so.
    for shown in _unfinished(tx, now):
        if _ends(shown, now):
            changes += _finished(tx, rules, shown, now)
    return tuple(changes)


def _unfinished(tx: Tx, now: datetime) -> list[Shown]:
    return [show(tx, drill, now) for drill in drills.unfinished(tx)]


def _starting(tx: Tx, plan: Plan, now: datetime) -> datetime | None:
    """The time of a planned drill that is to start now."""
    at = plan.last_due(now)
    if at is None or now - at > LATENESS or drills.took_place(tx, plan.name, at):
        return None
    return at


def _to_end(shown: Shown, now: datetime) -> bool:
    """Its incident is to be resolved: a planned drill has shown what it can, or nobody ended an asked one in time."""
    if shown.incident is None or not shown.incident.open or not shown.incident.alerts_firing:
        return False
    settled = shown.judgement.state in {State.PASSED, State.FAILED}
    return now >= shown.drill.deadline_at or (settled and shown.drill.name is not None)


def _ends(shown: Shown, now: datetime) -> bool:
    """It can be written down how it ended."""
    if shown.incident is not None and not shown.incident.open:
        return True
    late = shown.drill.deadline_at if shown.incident is None else shown.drill.deadline_at + GRACE
    return now >= late


def _begun(tx: Tx, rules: Rules, drill: Drill, now: datetime) -> tuple[Change, ...]:
    """Take the drill's alert in as if its source had posted it."""
    alert = Alert(
        source=drill.source,
        fingerprint=fingerprint_of(drill.labels),
        status=AlertStatus.FIRING,
        labels=drill.labels,
        annotations=drill.annotations,
        starts_at=drill.registered_at,
        ends_at=None,
    )
    return receive(tx, [Submission(drill.source, drill.id, (alert,))], rules, now).changes


def _ended(tx: Tx, rules: Rules, incident: Incident, now: datetime) -> tuple[Change, ...]:
    """Take in that its alerts are over, as if their source had posted it."""
    over = tuple(
        Alert(
            source=view.source,
            fingerprint=view.fingerprint,
            status=AlertStatus.RESOLVED,
            labels=view.labels,
            annotations=view.annotations,
            starts_at=view.starts_at,
            ends_at=max(now, view.starts_at),
        )
        for view in alert_views.of_incident(tx, incident.id, incident.alerts_total)
        if view.status == AlertStatus.FIRING
    )
    return receive(tx, [Submission(incident.source, incident.drill or "", over)], rules, now).changes


def _finished(tx: Tx, rules: Rules, shown: Shown, now: datetime) -> tuple[Change, ...]:
    drill = replace(
        shown.drill, state=shown.judgement.state, reasons=shown.judgement.reasons, finished_at=now
    )
    drills.finish(tx, drill)
    data, why = {"name": drill.name, "state": drill.state.value}, {"reasons": "; ".join(drill.reasons)}
    audit.note(tx, now, OURSELVES, "drill.finished", f"drill:{drill.id}", data, why)
    if drill.name is None:
        return ()  # whoever asked for it is looking at it
    ledger = Ledger(rules, now)
    known = incidents.open_by_group(tx, [group_of(drill.name)])
    if drill.state is State.FAILED:
        _tell(tx, ledger, drill, known)
    else:
        for incident in known:
            _resolve(ledger, incident)
    ledger.save(tx)
    return tuple(ledger.changes)


def _tell(tx: Tx, ledger: Ledger, drill: Drill, known: Sequence[Incident]) -> None:
    """Open the incident about a drill that failed, or note that it did so again."""
    name, why = drill.name or "", "; ".join(drill.reasons)
    if known:
        entry = Entry("note", OURSELVES, f"failed again: {why}", {"drill": drill.id})
        ledger.apply(Change(known[0], entry, Notice.UPDATED, why))
        return
    labels = {"alertname": FAILED, "drill": name}
    decision = ledger.rules.route_of(labels, drill.severity)
    incident = Incident(
        id=Ids(tx, schema.incidents, 1).take(),
        source=OURSELVES,
        group_key=group_of(name),
        title=f"Drill {name} failed: {why}"[:300],
        state=IncidentState.TRIGGERED,
        severity=drill.severity,
        service=OURSELVES,
        labels=labels,
        # Somebody has to know, whatever the route says.
        notify=decision.notify or tuple(ledger.rules.targets),
        route=readable(decision),
        escalation=decision.escalation,
        opened_at=ledger.now,
        started_at=min(drill.registered_at, ledger.now),
        # It says how well incidentd is kept, not how well the services are.
        counts=False,
    )
    data = {"route": incident.route, "notify": list(incident.notify), "drill": drill.id}
    ledger.open(
        incident, Entry("triggered", OURSELVES, f"drill {name} failed: {why}", data), Notice.TRIGGERED
    )


def _resolve(ledger: Ledger, incident: Incident) -> None:
    change = response.ended_by_source(incident, ledger.now, ledger.now, administrative=True)
    entry = Entry("resolved", OURSELVES, "resolved: the drill has passed", {})
    ledger.apply(Change(evolve(change.incident, counts=False), entry, change.notice))
