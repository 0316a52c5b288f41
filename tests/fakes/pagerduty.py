"""A fake PagerDuty: an Events API v2 that keeps the state of alerts, so that it sees zombie pages and lost resolves,
that takes change events, and a webhook subscription, version 3, that tells what people do there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.fakes.http import Answer, HttpFake, Received


class PagerDutyFake(HttpFake):
    """`base_url` is `url`. `events` was accepted, `alerts` is the state per (routing_key, dedup_key)."""

    def __init__(self, routing_keys: tuple[str, ...] = ("R" * 32,)) -> None:
        super().__init__()
        self.routing_keys = set(routing_keys)
        self.events: list[dict[str, Any]] = []
        self.alerts: dict[tuple[str, str], str] = {}
        self.dropped: list[dict[str, Any]] = []
        """Acknowledgements and resolves without an open alert: PagerDuty answers 202 and does nothing."""
        self.changes: list[dict[str, Any]] = []
        """Change events that were accepted."""

    async def answer(self, received: Received) -> Answer:
        judge = {"/v2/enqueue": judge_event, "/v2/change/enqueue": judge_change}.get(received.path)
        if received.method != "POST" or judge is None:
            return Answer(404, {"status": "not found"})
        event = json.loads(received.body)
        broken = list(judge(event, len(received.body)))
        self.violations += broken
        if broken:
            return _refused(broken)
        if event["routing_key"] not in self.routing_keys:
            return _refused([f"Invalid routing key {event['routing_key']}"])
        if judge is judge_change:
            self.changes.append(event)
            return Answer(202, {"status": "success", "message": "Change event processed"})
        self._apply(event)
        return Answer(
            202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        )

    def _apply(self, event: dict[str, Any]) -> None:
        key, action = (event["routing_key"], event["dedup_key"]), event["event_action"]
        state = self.alerts.get(key)
        self.events.append(event)
        if action == "trigger":
            notice = event["payload"].get("custom_details", {}).get("notice")
            if state == "resolved" and notice not in {"escalated", "unacknowledged"}:
                self.violations.append(f"zombie: {key[1]} was resolved and is triggered again")
            elif state in {"triggered", "acknowledged"} and notice in {"escalated", "unacknowledged"}:
                self.violations.append(f"unheard: {key[1]} is open, so its {notice} pages nobody")
            self.alerts[key] = state if state == "acknowledged" else "triggered"
        elif state in {"triggered", "acknowledged"}:
            self.alerts[key] = f"{action}d"
        else:
            self.dropped.append(event)
            if any(dedup == key[1] and known != key[0] for known, dedup in self.alerts):
                self.violations.append(f"{action} of {key[1]} through another routing key than its trigger")


def _refused(errors: list[str]) -> Answer:
    return Answer(400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})


def judge_event(event: dict[str, Any], size: int) -> Iterator[str]:
    """The rules of the Events API that `event` breaks."""
    if size > 512_000:
        yield "over 512 KB"
    if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        yield "event_action"
    if not 0 < len(event.get("dedup_key", "")) <= 255:
        yield "dedup_key"
    if event.get("event_action") == "trigger":
        yield from _judge_payload(event.get("payload", {}))
        yield from _judge_links(event)
    elif event.keys() - {"routing_key", "event_action", "dedup_key"}:
        yield "only a trigger has content"


def judge_change(event: dict[str, Any], size: int) -> Iterator[str]:
    """The rules for change events that `event` breaks."""
    if size > 512_000:
        yield "over 512 KB"
    if event.keys() - {"routing_key", "payload", "links", "images"}:
        yield "a change event has no action, key or severity"
    payload = event.get("payload", {})
    if payload.keys() - {"summary", "source", "timestamp", "custom_details"}:
        yield "payload"
    yield from _judge_facts(payload)
    yield from _judge_links(event)


def _judge_payload(payload: dict[str, Any]) -> Iterator[str]:
    if payload.get("severity") not in {"critical", "error", "warning", "info"}:
        yield "severity"
    yield from _judge_facts(payload)


def _judge_facts(payload: dict[str, Any]) -> Iterator[str]:
    if not 0 < len(payload.get("summary", "")) <= 1024:
        yield "summary"
    if not payload.get("source"):
        yield "source"
    if datetime.fromisoformat(payload.get("timestamp", "")).tzinfo is None:
        yield "timestamp"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "custom_details"


def _judge_links(event: dict[str, Any]) -> Iterator[str]:
    addresses = [link.get("href", "") for link in event.get("links", [])]
    if any(
        not address.startswith(("http://", "https://"))
        for address in (*addresses, event.get("client_url", "http://"))
    ):
        yield "a link is neither http nor https"


Agent = dict[str, str] | None
BOB: Agent = {"id": "PBOB", "summary": "Bob Builder", "type": "user_reference"}
INTEGRATION: Agent = {"id": "PXMQRWJ", "summary": "Events API V2", "type": "inbound_integration_reference"}
"""Who acts when an event came in with a routing key."""
AUTOMATION: Agent = None
_STATUS = {"incident.acknowledged": "acknowledged", "incident.resolved": "resolved"}


@dataclass(frozen=True)
class Webhook:
    """One webhook as PagerDuty sends it, and sends it again."""

    body: bytes
    headers: dict[str, str]

    def but(self, **headers: str) -> Webhook:
        """The same with other headers, named with underscores."""
        return replace(
            self, headers=self.headers | {name.replace("_", "-"): v for name, v in headers.items()}
        )


class Subscription:
    """A webhook subscription: it signs with each of its `secrets`, of which it has two while one is rotated."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = secrets
        self._count = 0

    def webhook(self, event_type: str, key: str, at: datetime, agent: Agent = BOB, **data: Any) -> Webhook:
        """What is sent when `event_type` happens at `at` to the incident with the incident_key `key`."""
        self._count += 1
        status = _STATUS.get(event_type, "triggered")
        about: dict[str, Any] = {
            "id": f"P-{key}",
            "type": "incident",
            "status": status,
            "incident_key": key,
            "title": "Down",
        }
        about |= {"assignees": [BOB], "priority": None, "resolve_reason": None}
        return self.signed(_event(f"01E{self._count:05}", event_type, at, agent, about | data))

    def note(self, key: str, at: datetime, text: str) -> Webhook:
        """What is sent when Bob writes a note: it names the incident by its id alone."""
        self._count += 1
        about = {"id": f"P-{key}", "summary": "Down", "type": "incident_reference"}
        data = {
            "incident": about,
            "id": "P2LA89X",
            "content": text,
            "trimmed": False,
            "type": "incident_note",
        }
        return self.signed(_event(f"01E{self._count:05}", "incident.annotated", at, BOB, data))

    def signed(self, event: dict[str, Any], delivery: str = "") -> Webhook:
        """Any event, signed."""
        return self.signed_body(
            json.dumps({"event": event}).encode(), delivery or f"delivery-of-{event.get('id')}"
        )

    def signed_body(self, body: bytes, delivery: str) -> Webhook:
        """Any bytes, signed."""
        made = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in self.secrets]
        headers = {
            "Content-Type": "application/json",
            "X-PagerDuty-Signature": ",".join(f"v1={each}" for each in made),
            "X-Webhook-Id": delivery,
        }
        return Webhook(body, headers)


def _event(
    event_id: str, event_type: str, at: datetime, agent: Agent, data: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": event_id,
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": agent,
        "client": {"name": "PagerDuty"},
        "data": data,
    }
