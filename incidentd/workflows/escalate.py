"""Escalations go on: steps that are due, and what people ask of them.

What is due stands in the database. A batch of incidents is one transaction with a constant number of statements, and
whoever holds the locks of the incidents runs their steps, so it happens once, on any replica, also after an outage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidentd.domain.escalation import Ended, Escalation, Reason, Turn, advance, at_once, end
from incidentd.domain.incident import (
    OURSELVES,
    ActionRefusedError,
    Change,
    Entry,
    Incident,
    Refusal,
    State,
    evolve,
)
from incidentd.domain.notification import Notice
from incidentd.store import escalations, incidents, overrides
from incidentd.store.engine import Tx
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.reach import Reach, Reached
from incidentd.workflows.respond import Done, NotFoundError
from incidentd.workflows.rules import Rules

AT_ONCE = 500
"""Incidents in one unit of work: intake waits meanwhile."""
_INSTANT = timedelta(microseconds=1)
UNANSWERED = "nobody has acknowledged"


class UnknownUserError(Exception):
    """Nobody under `users` is called so."""


@dataclass(slots=True)
class Climb:
    """The steps of one transaction."""

    ledger: Ledger
    reach: Reach
    changed: list[Escalation] = field(default_factory=list)

    @classmethod
    def of(cls, tx: Tx, rules: Rules, now: datetime) -> Climb:
        """Of the people who are on duty now."""
        known = overrides.between(tx, now, now + _INSTANT) if rules.paging.schedules else ()
        return cls(Ledger(rules, now), Reach(rules, known, now))

    def step(self, incident: Incident, escalation: Escalation, actor: str = OURSELVES) -> Incident:
        """Do what is due of one incident, whoever wants it."""
        now = self.ledger.now
        turn = advance(escalation, now)
        reached = self._tell(incident, turn, actor)
        hollow = reached.nobody and turn.reason in {Reason.STEP, Reason.LAST_RESORT}
        self.changed.append(at_once(turn.next, now) if hollow else turn.next)
        notify = tuple(dict.fromkeys((*incident.notify, *reached.channels)))
        entry = _entry(escalation, turn, reached, actor)
        return self.ledger.apply(Change(evolve(incident, notify=notify), entry))

    def _tell(self, incident: Incident, turn: Turn, actor: str) -> Reached:
        comment = f"{turn.place}: {UNANSWERED}"
        reached = self.reach.targets(incident, turn.targets, actor, comment)
        self.ledger.deliveries += reached.rows
        return reached

    def save(self, tx: Tx) -> None:
        """Write everything."""
        self.ledger.save(tx)
        escalations.save(tx, self.changed)


def steps_due(tx: Tx, now: datetime) -> bool:
    """True if `run_steps` would find something: a read, so that an idle daemon writes nothing."""
    return escalations.any_due(tx, now)


def run_steps(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Run up to `AT_ONCE` steps that are due, one of each incident; empty if others work on all that is left."""
    found = incidents.free_by_ids(tx, sorted(escalations.due(tx, now, AT_ONCE)))
    # Read under the locks: another replica may have been first.
    known = escalations.of(tx, [incident.id for incident in found])
    climb = Climb.of(tx, rules, now)
    for incident in found:
        escalation = known[incident.id]
        if not escalation.running or escalation.due_at > now:
            continue
        if escalates(incident, escalation):
            climb.step(incident, escalation)
        else:
            # Something that does not know of escalations has changed it: a version before this one.
            climb.changed.append(end(escalation, Ended.RESOLVED, now))
    climb.save(tx)
    return tuple(climb.ledger.changes)


def escalates(incident: Incident, escalation: Escalation | None) -> bool:
    """True if this very escalation is what `incident` waits for."""
    waits = incident.state is State.TRIGGERED and not incident.quiet
    return waits and escalation is not None and escalation.episode == incident.episode


def _entry(escalation: Escalation, turn: Turn, reached: Reached, actor: str) -> Entry:
    policy = escalation.policy.name
    data = {
        "policy": policy,
        "step": turn.label,
        "reason": turn.reason.value,
        "round": escalation.round + 1,
        "targets": [str(target) for target in turn.targets],
        "reached": reached.trail,
        "failed": reached.failed,
    }
    if turn.reason is Reason.NOBODY_LEFT:
        text = f"policy {policy} is at its end and {UNANSWERED}: nobody is left to tell"
        return Entry("escalation_exhausted", actor, text, data)
    if turn.reason is Reason.OTHER_HOURS:
        return Entry("escalation_passed", actor, f"{turn.place} of policy {policy} is for other hours", data)
    by = "" if actor == OURSELVES else f" by {actor}"
    failed = "; ".join(reached.failed)
    if reached.nobody:
        text = f"not escalated{by}, {turn.place}: {failed}; going on at once"
        return Entry("escalation_failed", actor, text, data)
    text = f"escalated{by} to {', '.join(reached.whom)}, {turn.place}" + (f"; {failed}" if failed else "")
    return Entry("escalated", actor, text, data)


# -- what people ask --------------------------------------------------------------------------------------------
def escalate(tx: Tx, incident_id: int, actor: str, rules: Rules, now: datetime) -> Done:
    """Run the next step now. One that has told everybody begins anew.

    Raises `NotFoundError`, and `ActionRefusedError` if nothing escalates.
    """
    incident = _locked(tx, incident_id)
    if incident.state is not State.TRIGGERED or incident.quiet:
        why = "is snoozed or held" if incident.state is State.TRIGGERED else f"is {incident.state}"
        raise ActionRefusedError(
            Refusal.WRONG_STATE, incident.state, f"INC-{incident.id} {why}: it does not escalate"
        )
    known = escalations.of(tx, [incident.id]).get(incident.id)
    escalation = known if known is not None and known.running and escalates(incident, known) else None
    if escalation is None:
        escalation = rules.paging.begun(incident, now)
        if escalation is None:
            detail = f"INC-{incident.id} has no escalation policy for its severity; assign it to somebody"
            raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
        escalations.start(tx, [escalation], again=[incident.id])
    climb = Climb.of(tx, rules, now)
    after = climb.step(incident, escalation, actor)
    climb.save(tx)
    return Done(after, tuple(climb.ledger.changes))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is asked to work on an incident, by whom and why."""

    user: str
    actor: str
    comment: str


def assign(tx: Tx, incident_id: int, wanted: Assignment, rules: Rules, now: datetime) -> Done:
    """Ask somebody to work on an open incident and tell them: as a page while nobody has acknowledged.

    Asking the same again changes nothing. Raises `NotFoundError`, `UnknownUserError`, `ActionRefusedError`.
    """
    if wanted.user not in rules.paging.people:
        raise UnknownUserError(wanted.user)
    incident = _locked(tx, incident_id)
    if not incident.open:
        detail = f"INC-{incident.id} is resolved: there is nothing to assign"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    if incident.assigned_to == wanted.user:
        return Done(incident, ())
    ledger, reached = Ledger(rules, now), Reached()
    told = f"assigned to {wanted.user} by {wanted.actor}" + (f": {wanted.comment}" if wanted.comment else "")
    pages = incident.state is State.TRIGGERED and not incident.quiet
    Reach(rules, (), now).person(
        reached,
        incident,
        wanted.user,
        wanted.actor,
        told,
        notice=Notice.ESCALATED if pages else Notice.UPDATED,
    )
    ledger.deliveries += reached.rows
    untold = reached.failed if reached.failed or reached.rows else reached.whom
    text = f"{told}; not told: {'; '.join(untold)}" if untold else told
    data = {"user": wanted.user, "comment": wanted.comment, "reached": reached.trail}
    entry = Entry("assigned", wanted.actor, text, data)
    after = ledger.apply(Change(evolve(incident, assigned_to=wanted.user), entry))
    ledger.save(tx)
    return Done(after, tuple(ledger.changes))


def _locked(tx: Tx, incident_id: int) -> Incident:
    found = incidents.by_ids(tx, [incident_id])
    if not found:
        raise NotFoundError(f"there is no incident INC-{incident_id}")
    return found[0]
