"""What is known of one incident, read in one snapshot of the database: what its postmortem is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.action_item import ActionItem
from incidentd.domain.deployment import Deployment
from incidentd.domain.incident import Incident
from incidentd.domain.notification import AlertView, DeliveryClass, DeliveryState
from incidentd.domain.runbook_steps import Progress
from incidentd.domain.slo import Debit, Objective
from incidentd.store import action_items, alert_views, deliveries, deployments, incidents, runbooks, timeline
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.store.timeline import StoredEntry
from incidentd.workflows.deployment_links import DEPLOYMENT
from incidentd.workflows.objectives import debited
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules

MOST_ENTRIES = 2000
MOST_ROWS = 500
"""Alerts and deliveries of one document at most; the lists of the API have them all."""
_BEFORE = timedelta(hours=6)
"""So long before an incident a deployment is near it, or longer if it may be blamed for longer."""


@dataclass(frozen=True, slots=True)
class Record:
    """One incident with all that hangs on it."""

    incident: Incident
    entries: Sequence[StoredEntry]
    cut: bool
    """There are more entries, alerts or deliveries than are in it."""
    alerts: Sequence[AlertView]
    deliveries: Sequence[Delivery]
    """The oldest first."""
    deployments: Sequence[tuple[Deployment, bool]]
    """Those near it in the order of their start, and whether one may be to blame."""
    progress: Progress | None
    debits: Sequence[tuple[Objective, Debit]]
    items: Sequence[ActionItem]
    """The oldest first."""
    written_at: datetime

    @property
    def over_at(self) -> datetime:
        """Its end, or now while it is open."""
        resolved = self.incident.resolved_at
        return self.written_at if resolved is None else resolved

    @property
    def pages(self) -> Sequence[Delivery]:
        """Pages that a vendor accepted."""
        sent = [d for d in self.deliveries if d.state is DeliveryState.SENT]
        return [d for d in sent if d.delivery_class is DeliveryClass.PAGE]

    @property
    def outputs(self) -> Mapping[int, Sequence[StoredEntry]]:
        """Step of the runbook -> what the timeline says of it."""
        found: dict[int, list[StoredEntry]] = {}
        for entry in self.entries:
            number = entry.data.get("step")
            if entry.kind.startswith("step_") and isinstance(number, int):
                found.setdefault(number, []).append(entry)
        return found


def recorded(tx: Tx, number: int, rules: Rules, now: datetime) -> Record:
    """All of it. Raises `NotFoundError` without such an incident."""
    # Loading by id takes a row lock, which is for those who will write.
    found = incidents.search(tx, Search(before=number + 1, limit=1))
    if not found or found[0].id != number:
        raise NotFoundError(f"there is no incident INC-{number}")
    incident = found[0]
    entries = timeline.of_incident(tx, number, 0, MOST_ENTRIES + 1)
    told = deliveries.search(
        tx, state=None, incident_id=number, channel=None, before=None, limit=MOST_ROWS + 1
    )
    alerts = alert_views.of_incident(tx, number, MOST_ROWS + 1)
    return Record(
        incident=incident,
        entries=entries[:MOST_ENTRIES],
        cut=len(entries) > MOST_ENTRIES or max(len(told), len(alerts)) > MOST_ROWS,
        alerts=sorted(alerts[:MOST_ROWS], key=lambda alert: alert.starts_at),
        deliveries=told[:MOST_ROWS][::-1],
        deployments=_near(tx, incident, entries, rules, now),
        progress=runbooks.of(tx, [number]).get(number),
        debits=debited(tx, rules, incident, now),
        items=action_items.search(tx, action_items.Search(incident_id=number))[::-1],
        written_at=now,
    )


def _near(
    tx: Tx, incident: Incident, entries: Sequence[StoredEntry], rules: Rules, now: datetime
) -> list[tuple[Deployment, bool]]:
    if not incident.service:
        return []
    since = incident.opened_at - max(_BEFORE, rules.blame.window)
    known = deployments.near(tx, {incident.service}, since, incident.resolved_at or now)
    said = [entry.data for entry in entries if entry.kind == DEPLOYMENT]
    blamed = {(data.get("source"), data.get("deployment")) for data in said}
    return [(d, (d.source, d.id) in blamed) for d in sorted(known, key=lambda d: (d.started_at, d.id))]
