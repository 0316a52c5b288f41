"""From a claimed row to the message that a channel says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.incident import Incident
from incidentd.domain.notification import AlertView, IncidentView, Message
from incidentd.store.deliveries import Delivery

MAX_KEY = 255
"""PagerDuty's limit of a ``dedup_key``."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased row and everything its message needs, read in the transaction of the lease."""

    delivery: Delivery
    """As leased: this attempt is counted."""
    incident: Incident
    alerts: tuple[AlertView, ...]
    reference: Mapping[str, str] | None
    at: datetime
    """When it was leased."""


def build(claimed: Claimed, *, instance: str, public_url: str) -> Message:
    """The message. Its keys are made of `instance` and stored numbers alone, so every repeat carries the same."""
    delivery = claimed.delivery
    return Message(
        delivery_id=f"{instance}-{delivery.id}",
        # Of the episode the row was written in: a late end of the first must not close the second.
        dedup_key=f"incidentd-{instance}-{delivery.incident_id}-{delivery.episode}"[-MAX_KEY:],
        notice=delivery.notice,
        at=delivery.created_at,
        actor=delivery.actor,
        comment=delivery.comment,
        incident=view(claimed.incident, public_url),
        alerts=claimed.alerts,
        reference=claimed.reference,
        minimal=delivery.minimal,
    )


def view(incident: Incident, public_url: str) -> IncidentView:
    """The incident as messages show it."""
    return IncidentView(
        id=incident.id,
        title=incident.title,
        state=incident.state.value,
        severity=incident.severity,
        service=incident.service,
        group_key=incident.group_key,
        labels=incident.labels,
        opened_at=incident.opened_at,
        started_at=incident.started_at,
        acknowledged_at=incident.acknowledged_at,
        acknowledged_by=incident.acknowledged_by,
        resolved_at=incident.resolved_at,
        resolved_by=incident.resolved_by,
        snoozed_until=incident.snoozed_until,
        alerts_firing=incident.alerts_firing,
        alerts_total=incident.alerts_total,
        reopen_count=incident.reopen_count,
        episode=incident.episode,
        runbook_url=incident.runbook_url,
        url=f"{public_url.rstrip('/')}/api/v1/incidents/{incident.id}",
    )
