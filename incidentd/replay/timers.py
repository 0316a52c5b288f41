"""What one incident wants because time passes or a person acts: decisions of the domain, picked in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from incidentd.domain import flapping, maintenance, response
from incidentd.domain.escalation import Ended, Escalation, end
from incidentd.domain.heartbeat import Withheld
from incidentd.domain.incident import ActionRefusedError, Change, Entry, Incident, State, evolve
from incidentd.domain.maintenance import Window
from incidentd.domain.notification import Notice
from incidentd.replay.recording import Act
from incidentd.workflows.escalate import Climb, escalates
from incidentd.workflows.reach import Reached
from incidentd.workflows.rules import Rules


def due_change(incident: Incident, rules: Rules, now: datetime) -> Change | None:
    """The timer that is due first in the order the daemon looks at them; None if it is none of these."""
    if not incident.open:
        return None
    if _passed(incident.snoozed_until, now):
        return response.snooze_ended(incident)
    if _passed(incident.held_until, now):
        return response.hold_ended(incident)
    if _passed(incident.ack_expires_at, now):
        return response.acknowledgement_expired(incident)
    if _passed(incident.remind_at, now):
        return response.reminded(incident, now, rules.paging.remind_after)
    if incident.flapping_since is not None:
        return flapping.settled(incident, rules.flapping, now)
    return None


def _passed(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


def next_at(
    incident: Incident, rules: Rules, escalation: Escalation | None, lifted_at: datetime | None
) -> datetime | None:
    """When `incident` wants attention next; `lifted_at` is when its maintenance may be over."""
    if not incident.open:
        return None
    times = [
        incident.snoozed_until,
        incident.held_until,
        incident.ack_expires_at,
        incident.remind_at,
        lifted_at,
        _steady_at(incident, rules),
        escalation.due_at if escalation is not None and escalation.running else None,
    ]
    return min([at for at in times if at is not None], default=None)


def _steady_at(incident: Incident, rules: Rules) -> datetime | None:
    """When its flapping ends if nothing more happens."""
    if incident.flapping_since is None:
        return None
    if incident.resolve_withheld_at is not None:
        flaps = incident.resolve_withheld_for == Withheld.FLAPPING
        return incident.resolve_withheld_at + rules.flapping.hold if flaps else None
    last = incident.refires[-1] if incident.refires else incident.flapping_since
    return last + rules.flapping.window


def uncovered(
    incident: Incident, windows: tuple[Window, ...], firing: Sequence[Mapping[str, str]]
) -> Change | None:
    """The end of its maintenance, if no window covers what fires any more."""
    covered = maintenance.covering_all(windows, firing or [incident.labels])
    return maintenance.ended(incident) if covered is None else None


def pointless(escalation: Escalation, now: datetime) -> Escalation:
    """One that its incident does not wait for."""
    return end(escalation, Ended.RESOLVED, now)


def acted(incident: Incident, act: Act, climb: Climb, escalation: Escalation | None) -> Change | None:
    """What a recorded act comes to here; None if this incident does not allow it."""
    try:
        return _decided(incident, act, climb, escalation)
    except ActionRefusedError:
        return None


def _decided(incident: Incident, act: Act, climb: Climb, escalation: Escalation | None) -> Change | None:
    if act.kind == "reopened":
        return response.reopen(incident, act.actor, act.comment)
    if not incident.open:
        return None
    if act.kind == "acknowledged":
        return response.acknowledge(incident, act.actor, act.comment, act.at)
    if act.kind == "unacknowledged":
        return response.unacknowledge(incident, act.actor, act.comment)
    if act.kind == "resolved":
        return response.resolve(incident, act.actor, act.comment, act.at, force=True)
    if act.kind == "snoozed" and act.until is not None:
        return response.snooze(incident, act.actor, act.comment, act.until)
    if act.kind == "assigned":
        return _assigned(incident, act, climb)
    return _escalated(incident, act, climb, escalation) if act.kind == "escalated" else None


def _assigned(incident: Incident, act: Act, climb: Climb) -> Change | None:
    if act.user not in climb.ledger.rules.paging.people:
        return None
    reached = Reached()
    pages = incident.state is State.TRIGGERED and not incident.quiet
    notice = Notice.ESCALATED if pages else Notice.UPDATED
    told = f"assigned to {act.user} by {act.actor}"
    climb.reach.person(reached, incident, act.user, act.actor, told, notice=notice)
    climb.ledger.deliveries += reached.rows
    return Change(evolve(incident, assigned_to=act.user), Entry("assigned", act.actor, told))


def _escalated(incident: Incident, act: Act, climb: Climb, escalation: Escalation | None) -> Change | None:
    if incident.state is not State.TRIGGERED or incident.quiet:
        return None
    running = escalation if escalation is not None and escalation.running else None
    if running is None or not escalates(incident, running):
        running = climb.ledger.rules.paging.begun(incident, act.at)
    return None if running is None else Change(climb.step(incident, running, act.actor))
