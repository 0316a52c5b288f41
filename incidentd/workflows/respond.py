"""What people do to incidents: acknowledge, give back, resolve, reopen, snooze, note, declare.

Each function is one unit of work. Web, CLI and, later, buttons and links in messages all come through here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain import response
from incidentd.domain.incident import ActionRefusedError, Change, Entry, Incident, Refusal, State
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.domain.severity import Severity
from incidentd.store import deliveries, incidents, schema, timers
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows import explain_trail
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules, readable

DUE_AT_ONCE = 500
"""How many timers one unit of work handles; the rest follows in the next."""


class NotFoundError(Exception):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an action came to."""

    incident: Incident
    changes: tuple[Change, ...]
    """Empty if it was done already."""


Decide = Callable[[Incident], Change]


def act(tx: Tx, incident_id: int, decide: Decide, rules: Rules, now: datetime) -> Done:
    """Apply a decision of `domain.response` to one incident.

    Raises `NotFoundError`, and `ActionRefusedError` when its state does not allow the action.
    """
    incident = _locked(tx, incident_id)
    change = decide(incident)
    if change.entry is None and change.incident is incident:
        return Done(incident, ())
    ledger = Ledger(rules, now)
    after = ledger.apply(change)
    ledger.save(tx)
    return Done(after, tuple(ledger.changes))


def reopen(tx: Tx, incident_id: int, actor: str, comment: str, rules: Rules, now: datetime) -> Done:
    """A person says it is not over. Refused while another incident of the same group is open."""
    refuse_second(tx, _locked(tx, incident_id))
    return act(tx, incident_id, lambda i: response.reopen(i, actor, comment), rules, now)


def refuse_second(tx: Tx, incident: Incident) -> None:
    """Raise `ActionRefusedError` if reopening `incident` would make a second open one of its group."""
    if not incident.open:
        for rival in incidents.open_by_group(tx, [incident.group_key]):
            detail = f"INC-{rival.id} of the same group is open: work on that one"
            raise ActionRefusedError(Refusal.GROUP_BUSY, incident.state, detail)


def note(tx: Tx, incident_id: int, actor: str, text: str, rules: Rules, now: datetime) -> Done:
    """Write a line into the timeline, and tell the channels of it."""
    return act(tx, incident_id, lambda i: _noted(i, actor, text), rules, now)


def _noted(incident: Incident, actor: str, text: str) -> Change:
    entry = Entry("note", actor, text, {})
    return Change(incident, entry, Notice.UPDATED if incident.open else None, text)


@dataclass(frozen=True, slots=True)
class Declaration:
    """An incident as a person declares it."""

    title: str
    severity: Severity
    service: str
    description: str
    actor: str


def declare(tx: Tx, declared: Declaration, rules: Rules, now: datetime) -> Done:
    """Open an incident that no alert told of. It is routed like one and ends by a person's resolve."""
    incident_id = Ids(tx, schema.incidents, 1).take()
    labels = {"service": declared.service} if declared.service else {}
    decision = rules.route_of(labels, declared.severity)
    incident = Incident(
        id=incident_id,
        source="",
        group_key=f"declared:{incident_id}",
        title=declared.title,
        state=State.TRIGGERED,
        severity=declared.severity,
        service=declared.service,
        labels=labels,
        notify=decision.notify,
        route=readable(decision),
        escalation=decision.escalation,
        opened_at=now,
        started_at=now,
        declared_by=declared.actor,
    )
    text = f"declared by {declared.actor}" + (f": {declared.description}" if declared.description else "")
    data = {
        "route": incident.route,
        "notify": list(decision.notify),
        "description": declared.description,
        "decision": explain_trail.routed(rules, labels, declared.severity, decision),
    }
    ledger = Ledger(rules, now)
    opened = ledger.open(incident, Entry("triggered", declared.actor, text, data), Notice.TRIGGERED)
    ledger.save(tx)
    return Done(opened, tuple(ledger.changes))


def retry_delivery(tx: Tx, delivery_id: int, actor: str, rules: Rules, now: datetime) -> Delivery:
    """Put a dead delivery back into its lane.

    Refused for any other state, for then it is under way or done; for a page about an incident that is over,
    for at the vendor it would open an alert that nobody closes; and for an acknowledgement or end after which
    its target was told something newer, which it would undo there.
    """
    delivery = deliveries.by_id(tx, delivery_id)
    if delivery is None:
        raise NotFoundError(f"there is no delivery {delivery_id}")
    if delivery.state is not DeliveryState.DEAD:
        incident = _locked(tx, delivery.incident_id)
        detail = f"delivery {delivery_id} is {delivery.state}; only a dead one can be retried"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    incident = _locked(tx, delivery.incident_id)
    if delivery.delivery_class is DeliveryClass.PAGE and not incident.open:
        detail = f"INC-{incident.id} is resolved: paging somebody about it now would open it at the vendor for good"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    if delivery.delivery_class is DeliveryClass.PAGE and delivery.episode != incident.episode:
        detail = (
            f"INC-{incident.id} was resolved and opened again since; its newer pages are the ones that count"
        )
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    if delivery.delivery_class is DeliveryClass.CLOSE and deliveries.sent_after(tx, delivery):
        detail = f"a newer message was sent to {delivery.target}; there is nothing to repeat"
        raise ActionRefusedError(Refusal.WRONG_STATE, incident.state, detail)
    deliveries.revive(tx, delivery_id, now)
    entry = Entry(
        "delivery_retried", actor, f"delivery to {delivery.channel} put back by {actor}", {"id": delivery_id}
    )
    act(tx, delivery.incident_id, lambda i: Change(i, entry), rules, now)
    return deliveries.by_id(tx, delivery_id) or delivery


def timers_due(tx: Tx, now: datetime) -> bool:
    """True if a snooze or a hold has ended: a read, so that an idle daemon writes nothing."""
    return any([timers.is_due(tx, timer, now) for timer in ("snoozed_until", "held_until")])


def run_timers(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """End the snoozes and holds that are due. Timers are columns, so a restart forgets none."""
    ledger = Ledger(rules, now)
    for incident in timers.due(tx, "snoozed_until", now, DUE_AT_ONCE):
        ledger.apply(response.snooze_ended(incident))
    snoozed = {change.incident.id for change in ledger.changes}
    for incident in timers.due(tx, "held_until", now, DUE_AT_ONCE):
        if incident.id not in snoozed:
            ledger.apply(response.hold_ended(incident))
    ledger.save(tx)
    return tuple(ledger.changes)


def _locked(tx: Tx, incident_id: int) -> Incident:
    found = incidents.by_ids(tx, [incident_id])
    if not found:
        raise NotFoundError(f"there is no incident INC-{incident_id}")
    return found[0]
