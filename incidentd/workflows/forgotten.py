"""Acknowledged and forgotten: an acknowledgement runs out, and who holds an incident for long is reminded of it."""

from __future__ import annotations

from datetime import datetime

from incidentd.domain import response
from incidentd.domain.incident import OURSELVES, Change, Incident
from incidentd.domain.notification import Notice
from incidentd.store import timers
from incidentd.store.engine import Tx
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.reach import Reach, Reached
from incidentd.workflows.respond import DUE_AT_ONCE
from incidentd.workflows.rules import Rules

_TIMERS = ("ack_expires_at", "remind_at")


def forgotten_due(tx: Tx, now: datetime) -> bool:
    """True if `run_forgotten` would do something: a read, so that an idle daemon writes nothing."""
    return any([timers.is_due(tx, timer, now) for timer in _TIMERS])


def run_forgotten(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Take back acknowledgements that hold no more, and remind of incidents that are held for long."""
    ledger = Ledger(rules, now)
    for incident in timers.due(tx, "ack_expires_at", now, DUE_AT_ONCE):
        ledger.apply(response.acknowledgement_expired(incident))
    expired = {change.incident.id for change in ledger.changes}
    for incident in timers.due(tx, "remind_at", now, DUE_AT_ONCE):
        if incident.id not in expired:
            _remind(ledger, incident)
    ledger.save(tx)
    return tuple(ledger.changes)


def _remind(ledger: Ledger, incident: Incident) -> None:
    rules, now = ledger.rules, ledger.now
    change = response.reminded(incident, now, rules.paging.remind_after)
    ledger.apply(change)
    reached = Reached()
    reach = Reach(rules, (), now, calm=True)
    reach.person(reached, incident, owner(incident, rules), OURSELVES, change.comment, notice=Notice.UPDATED)
    ledger.deliveries += reached.rows


def owner(incident: Incident, rules: Rules) -> str:
    """The user who holds it. By link and in chat their name has more words behind it."""
    holder = (incident.acknowledged_by or "").partition(" ")[0]
    return holder if holder in rules.paging.people else incident.assigned_to or holder
