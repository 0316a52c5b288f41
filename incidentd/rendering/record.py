"""A postmortem as the API answers it: plain values with instants, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from incidentd.domain.action_item import ActionItem
from incidentd.domain.deployment import Deployment
from incidentd.domain.figures import IncidentFacts, time_to_acknowledge, time_to_detect, time_to_resolve
from incidentd.domain.incident import Incident, State
from incidentd.domain.notification import AlertView
from incidentd.domain.runbook_steps import Progress
from incidentd.domain.slo import TURNS, Spell, gaps, parts, turn
from incidentd.store.deliveries import Delivery
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.postmortem import Record

Json = dict[str, Any]
_STATE_AFTER: Final = {
    "triggered": State.TRIGGERED,
    "reopened": State.TRIGGERED,
    "unacknowledged": State.TRIGGERED,
    "acknowledgement_expired": State.TRIGGERED,
    "severity_raised": State.TRIGGERED,
    "snooze_ended": State.TRIGGERED,
    "acknowledged": State.ACKNOWLEDGED,
    "resolved": State.RESOLVED,
}
"""Kind of a timeline entry -> the state that it leads to."""


def record(made: Record) -> Json:
    """All of it."""
    return {
        "incident": _incident(made.incident),
        "written_at": made.written_at,
        "truncated": made.cut,
        "figures": _figures(made),
        "phases": phases(made.entries, made.over_at),
        "timeline": [_entry(entry) for entry in made.entries],
        "alerts": [_alert(alert) for alert in made.alerts],
        "deliveries": [_delivery(delivery) for delivery in made.deliveries],
        "deployments": [_deployment(d, made.incident, blamed=blamed) for d, blamed in made.deployments],
        "runbook": _runbook(made.progress, made) if made.progress else None,
        "runbook_url": made.incident.runbook_url or None,
        "budget_debits": [{"slo": o.name, "seconds": d.seconds, "share": d.share} for o, d in made.debits],
        "actions": [_item(item, made.written_at) for item in made.items],
    }


def _incident(i: Incident) -> Json:
    return {
        "id": i.id,
        "ref": f"INC-{i.id}",
        "title": i.title,
        "severity": i.severity.value,
        "service": i.service,
        "state": i.state.value,
        "drill": i.drill is not None,
        "labels": dict(i.labels),
        "route": i.route,
        "started_at": i.started_at,
        "opened_at": i.opened_at,
        "first_acknowledged_at": i.first_acknowledged_at,
        "acknowledged_by": i.acknowledged_by,
        "resolved_at": i.resolved_at,
        "resolved_by": i.resolved_by,
        "ended_at": i.ended_at if i.resolved_at is not None else None,
    }


def _figures(made: Record) -> Json:
    i = made.incident
    whole = Spell(i.id, i.severity, i.began_at, i.over_at)
    facts = IncidentFacts(
        severity=i.severity.value,
        service=i.service,
        started_at=i.began_at,
        opened_at=i.opened_at,
        first_acknowledged_at=i.first_acknowledged_at,
        resolved_at=i.resolved_at,
        ended_at=i.ended_at,
        gaps=gaps(parts(whole, [turn(e.kind, e.at, e.data) for e in made.entries if e.kind in TURNS])),
    )
    return {
        "detect_seconds": time_to_detect(facts).total_seconds(),
        "acknowledge_seconds": _seconds(time_to_acknowledge(facts)),
        "resolve_seconds": _seconds(time_to_resolve(facts)),
        "counts": i.counts,
        "alerts": i.alerts_total,
        "reopened": i.reopen_count,
        "pages": len(made.pages),
        "people_paged": sorted({page.person for page in made.pages if page.person}),
    }


def phases(entries: Iterable[StoredEntry], until: datetime) -> list[Json]:
    """The states that the incident went through, each with its beginning and end; `until`: where the last one ends."""
    found: list[Json] = []
    for entry in entries:
        state = _STATE_AFTER.get(entry.kind)
        if state is None or (found and found[-1]["state"] == state.value):
            continue
        if found:
            found[-1]["to"] = entry.at
        found.append({"state": state.value, "from": entry.at, "to": max(entry.at, until)})
    return [phase for phase in found if phase["state"] != State.RESOLVED.value]


def _entry(entry: StoredEntry) -> Json:
    return {"at": entry.at, "kind": entry.kind, "actor": entry.actor, "text": entry.text}


def _alert(alert: AlertView) -> Json:
    return {
        "fingerprint": alert.fingerprint,
        "severity": alert.severity.value,
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
    }


def _delivery(d: Delivery) -> Json:
    return {
        "id": d.id,
        "channel": d.channel,
        "to": d.person or d.target,
        "notice": d.notice.value,
        "class": d.delivery_class.value,
        "state": d.state.value,
        "created_at": d.created_at,
        "sent_at": d.sent_at,
        "why": d.reason or d.last_error,
    }


def _deployment(d: Deployment, incident: Incident, *, blamed: bool) -> Json:
    return {
        "id": d.id,
        "service": d.service,
        "environment": d.environment,
        "version": d.version,
        "status": d.status.value if d.status else None,
        "started_at": d.started_at,
        "finished_at": d.finished_at,
        "offset_seconds": ((d.finished_at or d.started_at) - incident.opened_at).total_seconds(),
        "blamed": blamed,
    }


def _runbook(progress: Progress, made: Record) -> Json:
    outputs = made.outputs
    return {
        "name": progress.name,
        "title": progress.title,
        "reason": progress.reason,
        "hash": progress.hash,
        "steps": [
            {
                "number": step.number,
                "text": step.text,
                "automated": step.action is not None,
                "state": progress.standing(step.number).state.value,
                "actor": progress.standing(step.number).actor or None,
                "at": progress.standing(step.number).at,
                "comment": progress.standing(step.number).comment,
                "output": _output(outputs.get(step.number, ())),
            }
            for step in progress.steps
        ],
    }


def _output(entries: Sequence[StoredEntry]) -> list[Json]:
    """What was said as the step moved, and what a machine printed, if it did."""
    found = []
    for entry in entries:
        printed = entry.data.get("output")
        text = printed if isinstance(printed, str) else entry.data.get("comment")
        if text:
            found.append({"at": entry.at, "actor": entry.actor, "text": str(text)})
    return found


def _item(item: ActionItem, now: datetime) -> Json:
    return {
        "id": item.id,
        "title": item.title,
        "owner": item.owner or None,
        "due": item.due,
        "state": item.state.value,
        "overdue": item.overdue(now),
        "comment": item.comment,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
