"""A fake PagerDuty Events API v2 that keeps the state of alerts: it sees zombie pages and lost resolves."""

from __future__ import annotations

import json
from collections.abc import Iterator
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

    async def answer(self, received: Received) -> Answer:
        if (received.method, received.path) != ("POST", "/v2/enqueue"):
            return Answer(404, {"status": "not found"})
        event = json.loads(received.body)
        broken = list(judge_event(event, len(received.body)))
        self.violations += broken
        if broken:
            return _refused(broken)
        if event["routing_key"] not in self.routing_keys:
            return _refused([f"Invalid routing key {event['routing_key']}"])
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


def _judge_payload(payload: dict[str, Any]) -> Iterator[str]:
    if not 0 < len(payload.get("summary", "")) <= 1024:
        yield "summary"
    if not payload.get("source"):
        yield "source"
    if payload.get("severity") not in {"critical", "error", "warning", "info"}:
        yield "severity"
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
