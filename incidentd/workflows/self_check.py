"""The self-audit: proof that nobody is forgotten, told loudly where it fails.

Each incident that names a policy and that nobody has acknowledged, snoozed or held has its next step in the future, a
page on its way, or was told to the end. What stands still is told over the last resort, once an episode, and started
anew.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.domain.escalation import Ended, Escalation, Kind, Policy, Target, end
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, State, evolve
from incidentd.store import escalations, incidents
from incidentd.store.engine import Tx
from incidentd.store.escalations import Doubtful
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.reach import Reach
from incidentd.workflows.rules import Rules

GRACE = timedelta(seconds=60)
"""How late a step may be before that is a fault: a tick is a second, an outage of the database takes longer."""
LOOKED_AT = 500
"""Incidents that stand still, at most, that one audit deals with."""


def stuck(tx: Tx, rules: Rules, now: datetime) -> tuple[int, ...]:
    """Incidents that stand still, up to `LOOKED_AT`: a read."""
    return tuple([found.incident_id for found in _stuck(tx, rules, now)])


def audit(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Tell of what stands still, and start it anew."""
    found = {each.incident_id: each for each in _stuck(tx, rules, now)}
    ledger, reach = Ledger(rules, now), Reach(rules, (), now)
    written: list[Escalation] = []
    for incident in incidents.by_ids(tx, sorted(found)):
        # Looked at again under its lock: somebody may have acted on it.
        if incident.state is State.TRIGGERED and not incident.quiet:
            known = found[incident.id].escalation
            written.append(_again(incident, known, rules, now))
            if known is None or not known.stuck:
                _tell(ledger, reach, incident, written[-1].policy)
    ledger.save(tx)
    escalations.start(tx, written, again=[each.incident_id for each in written])
    return tuple(ledger.changes)


def _stuck(tx: Tx, rules: Rules, now: datetime) -> list[Doubtful]:
    found = escalations.doubtful(tx, now - GRACE, LOOKED_AT)
    return [each for each in found if _should_escalate(each, rules)]


def _should_escalate(found: Doubtful, rules: Rules) -> bool:
    """False if its policy, where it is known, has nothing for its severity: then nothing ever started."""
    policy = rules.paging.policies.get(found.policy)
    if found.escalation is not None or policy is None:
        return True
    return rules.paging.fits(policy, found.severity)


def _again(incident: Incident, known: Escalation | None, rules: Rules, now: datetime) -> Escalation:
    if known is not None and known.running:
        # Where it stands it has to go on: it is no less stuck for being told of.
        return replace(known, stuck=True)
    begun = rules.paging.begun(incident, now)
    if begun is not None:
        return replace(begun, stuck=True)
    # Nobody knows the policy any more: all that is left is to tell of it once.
    lost = Escalation(incident.id, incident.episode, Policy(incident.escalation or "", ()), now, stuck=True)
    return end(lost, Ended.STUCK, now)


def _tell(ledger: Ledger, reach: Reach, incident: Incident, policy: Policy) -> None:
    targets = policy.last_resort or tuple([Target(Kind.CHANNEL, name) for name in incident.notify])
    text = "its escalation stood still"
    reached = reach.targets(incident, targets, OURSELVES, f"{text}: nobody may have been told")
    ledger.deliveries += reached.rows
    whom = ", ".join(reached.whom) or "nobody: " + "; ".join(reached.failed)
    entry = Entry("escalation_stuck", OURSELVES, f"{text}; told over the last resort: {whom}", {})
    notify = tuple(dict.fromkeys((*incident.notify, *reached.channels)))
    ledger.apply(Change(evolve(incident, notify=notify), entry))
