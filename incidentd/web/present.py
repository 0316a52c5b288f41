"""Domain values as the JSON of the API: exactly the fields of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from incidentd.domain.at_source import AtSource
from incidentd.domain.escalation import Escalation
from incidentd.domain.incident import Incident
from incidentd.domain.notification import AlertView, DeliveryState
from incidentd.domain.runbook_steps import Progress
from incidentd.store.deliveries import Delivery
from incidentd.store.quarantine import QuarantinedAlert
from incidentd.store.timeline import StoredEntry
from incidentd.web.climb import escalation_json
from incidentd.web.models import cursor_of
from incidentd.web.runbook_answers import ref_json

Json = dict[str, Any]
T = TypeVar("T")


def incident_json(
    incident: Incident,
    public_url: str,
    escalation: Escalation | None = None,
    progress: Progress | None = None,
) -> Json:
    """An incident, with its latest escalation and how far it has got with its runbook."""
    return {
        "id": incident.id,
        "ref": f"INC-{incident.id}",
        "title": incident.title,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "service": incident.service,
        "group_key": incident.group_key,
        "labels": dict(incident.labels),
        "opened_at": incident.opened_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "snoozed_until": incident.snoozed_until,
        "resolve_withheld": incident.resolve_withheld_for,
        "suppressed_by": incident.suppressed_by,
        "flapping": incident.flapping_since is not None,
        "drill": incident.drill is not None,
        "assigned_to": incident.assigned_to,
        "escalation": escalation_json(escalation, incident.episode),
        "alerts_firing": incident.alerts_firing,
        "alerts_total": incident.alerts_total,
        "reopen_count": incident.reopen_count,
        "runbook": ref_json(incident, progress),
        "url": f"{public_url}/api/v1/incidents/{incident.id}",
    }


def with_source(shown: Json, view: AtSource | None) -> Json:
    """The same incident with what is special about it at its source."""
    quiet = view is not None and bool(view.silenced_by or view.inhibited)
    return {
        **shown,
        "at_source": at_source_json(view) if view is not None and quiet else None,
        "still_firing_at_source": view is not None and view.still_firing,
    }


def at_source_json(view: AtSource) -> Json:
    """What keeps an incident's alerts quiet at their source."""
    return {"silenced_by": [asdict(silence) for silence in view.silenced_by], "inhibited": view.inhibited}


def detail_json(
    incident: Incident,
    alerts: Sequence[AlertView],
    deliveries: Sequence[Delivery],
    public_url: str,
    escalation: Escalation | None,
    acknowledged_comment: str,
    progress: Progress | None,
) -> Json:
    """An incident with what belongs to it."""
    return {
        **incident_json(incident, public_url, escalation, progress),
        "alerts": [alert_json(alert, incident.id) for alert in alerts],
        "deliveries": [delivery_json(delivery) for delivery in deliveries],
        "truncated": incident.truncated,
        "route": incident.route,
        "notify": list(incident.notify),
        "acknowledged_comment": acknowledged_comment or None,
    }


def alert_json(alert: AlertView, incident_id: int | None) -> Json:
    """An alert."""
    return {
        "fingerprint": alert.fingerprint,
        "source": alert.source,
        "status": alert.status,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "generator_url": alert.generator_url,
        "last_seen_at": alert.last_seen_at,
        "incident_id": incident_id,
    }


def delivery_json(delivery: Delivery) -> Json:
    """A delivery."""
    return {
        "id": delivery.id,
        "incident_id": delivery.incident_id,
        "channel": delivery.channel,
        "target": delivery.target,
        "notice": delivery.notice.value,
        "class": delivery.delivery_class.value,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "last_error": delivery.last_error,
        "last_outcome": delivery.last_verdict,
        "reason": delivery.reason,
        "created_at": delivery.created_at,
        "first_attempt_at": delivery.first_attempt_at,
        "sent_at": delivery.sent_at,
        "next_attempt_at": delivery.not_before if delivery.state is DeliveryState.PENDING else None,
        "fallback_of": delivery.fallback_of,
        "fell_back": delivery.fell_back,
        "bundled_in": delivery.bundled_in,
        "retried_at": delivery.retried_at,
    }


def entry_json(entry: StoredEntry) -> Json:
    """A timeline entry, in lists and in the event stream alike."""
    return {
        "id": entry.id,
        "incident_id": entry.incident_id,
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "text": entry.text,
        "data": dict(entry.data),
    }


def quarantined_json(item: QuarantinedAlert) -> Json:
    """An alert that was set aside."""
    return asdict(item)


def page_json(found: Sequence[T], limit: int, key: Callable[[T], int], show: Callable[[T], Json]) -> Json:
    """One page of a list that was asked for one item more than `limit`, to know whether there are more."""
    items = found[:limit]
    more = len(found) > limit
    return {
        "items": [show(item) for item in items],
        "next_cursor": cursor_of(key(items[-1])) if more else None,
    }
