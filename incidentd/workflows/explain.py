"""Explanations: why an incident is as it is. Reads what is kept, and leaves the words to the pure modules beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.explain import Kind, Statement, in_order, listed, utc
from incidentd.domain.incident import Incident
from incidentd.store import alert_views, destinations, escalations
from incidentd.store import explain as reads
from incidentd.store.engine import Tx
from incidentd.workflows import explain_told
from incidentd.workflows.explain_course import course, standing, steps_left
from incidentd.workflows.explain_facts import Facts
from incidentd.workflows.explain_opening import opening
from incidentd.workflows.respond import NotFoundError

MOST = 1000
"""Timeline entries, and messages, of an incident that are explained."""
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Explained:
    """Why an incident is as it is."""

    incident: Incident
    statements: tuple[Statement, ...]


def why(tx: Tx, number: int, now: datetime, kept: timedelta) -> Explained:
    """Explain an incident; messages are kept for `kept`. Raises `NotFoundError`."""
    incident = reads.incident(tx, number)
    if incident is None:
        raise NotFoundError(f"there is no incident INC-{number}")
    facts = facts_of(tx, incident, now)
    return Explained(incident, (*composed(facts), *_limits(facts, kept)))


def facts_of(tx: Tx, incident: Incident, now: datetime) -> Facts:
    """Everything that is kept of an incident."""
    return Facts(
        incident=incident,
        entries=reads.entries(tx, [incident.id], MOST)[incident.id],
        deliveries=reads.deliveries(tx, [incident.id], MOST),
        now=now,
        alerts=alert_views.of_incident(tx, incident.id, _NAMED),
        escalation=escalations.of(tx, [incident.id]).get(incident.id),
        destinations={each.channel: each for each in destinations.all_of(tx)},
    )


def composed(facts: Facts) -> tuple[Statement, ...]:
    """The statements: the opening, what followed by time, and how it stands."""
    later = [*course(facts), *explain_told.skipped(facts.entries), *steps_left(facts)]
    told = explain_told.Told.of(facts).statements()
    return (*opening(facts), *_members(facts), *in_order([*later, *told]), standing(facts))


def _members(facts: Facts) -> tuple[Statement, ...]:
    total = facts.incident.alerts_total
    if total <= 1 or not facts.alerts:
        return ()
    titles = [alert.annotations.get("summary") or alert.labels.get("alertname", "") for alert in facts.alerts]
    more = [f"{total - len(titles)} more"] if total > len(titles) else []
    text = f"{total} alerts have been part of it: {listed([*titles, *more])}."
    fingerprints = [alert.fingerprint for alert in facts.alerts]
    data = {"total": total, "fingerprints": fingerprints}
    return (Statement(None, Kind.ALERTS, text, "members", data),)


def _limits(facts: Facts, kept: timedelta) -> list[Statement]:
    """What cannot be told, because it is not kept or is too much."""
    found = []
    old = facts.now - kept
    if not facts.incident.open and facts.incident.opened_at < old:
        text = f"Messages from before {utc(old)} are not kept (retention.deliveries): who was told then is unknown."
        found.append(Statement(None, Kind.LIMIT, text, "retention", {"before": old.isoformat()}))
    if len(facts.entries) == MOST or len(facts.deliveries) == MOST:
        text = (
            f"There is more: the first {MOST} timeline entries and the newest {MOST} messages are explained."
        )
        found.append(Statement(None, Kind.LIMIT, text, "too_much", {"most": MOST}))
    return found
