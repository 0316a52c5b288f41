"""PagerDuty's webhooks, version 3: whether one is genuine, and what it says. Pure."""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from incidentd.ingest.text import field
from incidentd.ingest.types import NotAWebhookError

SIGNATURE_HEADER: Final = "X-PagerDuty-Signature"
DELIVERY_HEADER: Final = "X-Webhook-Id"
_VERSION: Final = "v1="
_MAX_ID: Final = 200
_MAX_NAME: Final = 80
_MAX_TEXT: Final = 4000
_MERGED: Final = "merge_resolve_reason"
_NAMES_SHOWN: Final = 5


class By(enum.Enum):
    """Who made it happen."""

    PERSON = enum.auto()
    INTEGRATION = enum.auto()
    """An event sent with a routing key: under our own keys nobody sends any but us."""
    AUTOMATION = enum.auto()
    """A timeout, a workflow, another service."""


class Happened(enum.Enum):
    """What happened to an incident in PagerDuty, as far as it matters here."""

    ACKNOWLEDGED = enum.auto()
    UNACKNOWLEDGED = enum.auto()
    RESOLVED = enum.auto()
    MERGED = enum.auto()
    """Closed because it became part of another one: the condition is not over."""
    REOPENED = enum.auto()
    ANNOTATED = enum.auto()
    """Somebody wrote a note."""
    REMARKABLE = enum.auto()
    """Worth a line in the timeline: assigned anew, another priority."""
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class VendorEvent:
    """One webhook, read. Texts are clean and bounded."""

    id: str
    type: str
    occurred_at: datetime
    happened: Happened
    by: By
    name: str
    """Who it was, as PagerDuty shows it; empty for nobody."""
    key: str
    """PagerDuty's ``incident_key``: our dedup key, or what somebody else opened it with. Empty in what is told
    about notes and responders, which names the incident by its id alone."""
    vendor_id: str
    """PagerDuty's id of the incident."""
    text: str
    """The note, or the remark in words."""


def genuine(body: bytes, header: str, secrets: Iterable[str]) -> bool:
    """True if one of the signatures in `header` is that of `body` under one of `secrets`.

    The header holds several while PagerDuty rotates a secret. Every pair is compared, in constant time.
    """
    given = [part.strip()[len(_VERSION) :] for part in header.split(",") if part.strip().startswith(_VERSION)]
    made = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets]
    found = [hmac.compare_digest(mine, theirs.encode(errors="replace")) for mine in made for theirs in given]
    return any(found)


def parse(body: bytes) -> VendorEvent:
    """What the webhook says. Raises `NotAWebhookError` if it is none of version 3."""
    event = _object(_read(body).get("event"))
    data = _object(event.get("data"))
    about = _object(data.get("incident")) or data
    kind, event_id = field(event, "event_type", _MAX_ID), _id(event)
    happened = _HAPPENED.get(kind, Happened.OTHER)
    if happened is Happened.RESOLVED and _object(data.get("resolve_reason")).get("type") == _MERGED:
        happened = Happened.MERGED
    agent = _object(event.get("agent"))
    return VendorEvent(
        id=event_id,
        type=kind,
        occurred_at=_instant(event),
        happened=happened,
        by=_by(field(agent, "type", _MAX_ID)),
        name=_line(field(agent, "summary", _MAX_NAME)),
        key=field(data, "incident_key", _MAX_ID * 2),
        vendor_id=field(about, "id", _MAX_ID),
        text=_text(kind, data),
    )


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotAWebhookError("the body is not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("event"), dict):
        raise NotAWebhookError("there is no event: subscribe to webhooks of version 3")
    return found


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(event: Mapping[str, Any]) -> str:
    found = event.get("id")
    # Not cut: what is recognised by its beginning could hide another one.
    if not isinstance(found, str) or not found or len(found) > _MAX_ID or "\0" in found:
        raise NotAWebhookError("event.id is no short text")
    return found


def _instant(event: Mapping[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(field(event, "occurred_at", _MAX_ID))
    except ValueError as error:
        raise NotAWebhookError("event.occurred_at is no time in ISO 8601") from error
    if found.tzinfo is None or not 2 <= found.year <= 9998:  # noqa: PLR2004 - what can be moved to UTC
        raise NotAWebhookError("event.occurred_at has no time zone, or is out of range")
    return found.astimezone(UTC)


def _by(agent: str) -> By:
    if agent in {"user", "user_reference"}:
        return By.PERSON
    return By.INTEGRATION if agent.removesuffix("_reference").endswith("integration") else By.AUTOMATION


def _text(kind: str, data: Mapping[str, Any]) -> str:
    match kind:
        case "incident.annotated":
            return field(data, "content", _MAX_TEXT)
        case "incident.reassigned":
            return f"reassigned to {_assignees(data)}"
        case "incident.escalated":
            return f"escalated to {_assignees(data)}"
        case "incident.delegated":
            return f"delegated to the escalation policy {_summary(data, 'escalation_policy') or 'unknown'}"
        case "incident.priority_updated":
            return f"priority set to {_summary(data, 'priority') or 'none'}"
        case "incident.responder.replied":
            answer = _line(field(data, "state", _MAX_NAME)) or "answered"
            return f"{_summary(data, 'user') or 'a responder'} was asked for help: {answer}"
        case _:
            return ""


def _assignees(data: Mapping[str, Any]) -> str:
    listed = data.get("assignees")
    found = [_object(one) for one in listed] if isinstance(listed, list) else []
    names = [_line(field(one, "summary", _MAX_NAME)) for one in found]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return (", ".join([name for name in names[:_NAMES_SHOWN] if name]) or "nobody") + more


def _summary(data: Mapping[str, Any], key: str) -> str:
    return _line(field(_object(data.get(key)), "summary", _MAX_NAME))


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


_HAPPENED: Final = {
    "incident.acknowledged": Happened.ACKNOWLEDGED,
    "incident.unacknowledged": Happened.UNACKNOWLEDGED,
    "incident.resolved": Happened.RESOLVED,
    "incident.reopened": Happened.REOPENED,
    "incident.annotated": Happened.ANNOTATED,
    "incident.reassigned": Happened.REMARKABLE,
    "incident.escalated": Happened.REMARKABLE,
    "incident.delegated": Happened.REMARKABLE,
    "incident.priority_updated": Happened.REMARKABLE,
    "incident.responder.replied": Happened.REMARKABLE,
}
