"""From a claimed row to the message that a channel says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from incidentd.channels.words import silence_url
from incidentd.domain.automation import StepRun
from incidentd.domain.incident import Incident
from incidentd.domain.notification import (
    AlertView,
    IncidentView,
    Message,
    OfferView,
    RunbookView,
    StepView,
)
from incidentd.domain.runbook_steps import Progress
from incidentd.domain.vendor_key import vendor_key
from incidentd.store.deliveries import Delivery

_NONE: Mapping[str, str] = MappingProxyType({})


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
    bundle: tuple[Incident, ...] = ()
    """Further incidents that its message tells of."""
    fallback_of: str | None = None
    """The channel it stands in for."""
    progress: Progress | None = None
    """How far the incident has got with its runbook."""
    offer: StepRun | None = None
    """The next step that a machine takes if a person agrees."""


def build(
    claimed: Claimed, *, instance: str, public_url: str, alertmanagers: Mapping[str, str] = _NONE
) -> Message:
    """The message. Its keys are made of `instance` and stored numbers alone, so every repeat carries the same.

    `alertmanagers` has the address of a source's Alertmanager, where it is known.
    """
    delivery = claimed.delivery
    return Message(
        delivery_id=f"{instance}-{delivery.id}",
        # Of the episode the row was written in: a late end of the first must not close the second.
        dedup_key=vendor_key(instance, delivery.incident_id, delivery.episode),
        notice=delivery.notice,
        at=delivery.created_at,
        actor=delivery.actor,
        comment=delivery.comment,
        incident=view(claimed.incident, public_url, alertmanagers, claimed.progress, claimed.offer),
        alerts=claimed.alerts,
        reference=claimed.reference,
        minimal=delivery.minimal,
        target=delivery.target,
        bundle=tuple([view(incident, public_url) for incident in claimed.bundle]),
        fallback_of=claimed.fallback_of,
    )


def view(
    incident: Incident,
    public_url: str,
    alertmanagers: Mapping[str, str] = _NONE,
    progress: Progress | None = None,
    offer: StepRun | None = None,
) -> IncidentView:
    """The incident as messages show it."""
    alertmanager = alertmanagers.get(incident.source)
    url = f"{public_url.rstrip('/')}/api/v1/incidents/{incident.id}"
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
        url=url,
        runbook=_runbook(progress, url, offer) if progress is not None else None,
        resolve_withheld=incident.resolve_withheld_for,
        suppressed_by=incident.suppressed_by,
        flapping=incident.flapping_since is not None,
        drill=incident.drill is not None,
        assigned_to=incident.assigned_to,
        silence_url=silence_url(alertmanager, incident.labels) if alertmanager else None,
    )


def _runbook(progress: Progress, incident_url: str, offer: StepRun | None) -> RunbookView:
    steps = [StepView(s.number, s.text, progress.standing(s.number).state.value) for s in progress.steps]
    url = f"{incident_url}/runbook"
    step = progress.step(offer.number) if offer is not None else None
    offered = (
        OfferView(step.number, step.text, offer.asked_by) if offer is not None and step is not None else None
    )
    return RunbookView(
        progress.name, progress.title, progress.hash, url, tuple(steps), progress.over, offered
    )
