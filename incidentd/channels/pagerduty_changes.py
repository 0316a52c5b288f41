"""PagerDuty's change events: what was deployed, shown beside a service's incidents. They notify nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from incidentd.channels.base import Request
from incidentd.channels.words import tidy, web_link
from incidentd.domain.deployment import Announcement, Deployment
from incidentd.fields import Secret

MAX_SUMMARY = 1024
_MAX_FIELD = 255


def render_change(base_url: str, key: Secret, said: Announcement) -> Request:
    """The change event for a deployment that has ended."""
    deployment = said.deployment
    event: dict[str, Any] = {
        "routing_key": key.get_secret_value(),
        "payload": {
            "summary": tidy(said.sentence, MAX_SUMMARY),
            "source": tidy(deployment.service, _MAX_FIELD) or "incidentd",
            "timestamp": _time(deployment.finished_at or deployment.started_at),
            "custom_details": _details(deployment),
        },
    }
    if link := web_link("Deployments of this service", said.url):
        event["links"] = [{"href": link.href, "text": link.text}]
    headers = {"content-type": "application/json"}
    return Request("POST", f"{base_url}/v2/change/enqueue", headers, orjson.dumps(event))


def _details(d: Deployment) -> dict[str, str]:
    texts = {
        "deployment": d.id,
        "service": d.service,
        "environment": d.environment,
        "version": d.version,
        "status": d.status.value if d.status else "",
    }
    times = {"commit_time": d.commit_time, "started_at": d.started_at, "finished_at": d.finished_at}
    details = {name: tidy(text, _MAX_FIELD) for name, text in texts.items()}
    return details | {name: _time(at) for name, at in times.items() if at is not None}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
