"""The PagerDuty channel: Events API v2. The routing key travels in the body and is the only credential."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from incidentd.channels.announcing import AnnouncingConfig
from incidentd.channels.base import (
    Channel,
    ChannelEnv,
    HttpAnswer,
    Rate,
    Request,
    exchange,
    judge_status,
    scrubbed,
)
from incidentd.channels.pagerduty_changes import render_change
from incidentd.channels.words import (
    alert_lines,
    body_text,
    cut,
    facts,
    headline,
    label_text,
    links,
    more_alerts,
    stand_in,
    tidy,
)
from incidentd.domain.deployment import Announcement
from incidentd.domain.notification import Message, Notice, Outcome, Verdict
from incidentd.domain.vendor_key import MAX_KEY
from incidentd.fields import BaseUrl, Secret

MAX_SUMMARY = 1024
MAX_BODY = 512_000
"""Bytes, as Alertmanager counts PagerDuty's 512 KB."""
_MAX_FIELD = 255
_ALERTS_SHOWN = 20
_ALERT_WIDTH = 1000
_LEAST_PAUSE = timedelta(seconds=30)
"""PagerDuty promises no Retry-After; its documentation has three retries 30 seconds apart."""

_ACTION = {
    Notice.TRIGGERED: "trigger",
    Notice.REOPENED: "trigger",
    Notice.ESCALATED: "trigger",
    Notice.UNACKNOWLEDGED: "trigger",
    Notice.ACKNOWLEDGED: "acknowledge",
    Notice.RESOLVED: "resolve",
}
_PAGES_AGAIN = frozenset({Notice.ESCALATED, Notice.UNACKNOWLEDGED})
"""A trigger for an open key is only logged, and notifies nobody once the alert is acknowledged: the key is resolved
first, so that the trigger opens a new alert and pages."""
_BAD_KEY_CODE = "invalid_routing_key"
_MAY_HAVE_ARRIVED = frozenset({Verdict.OK, Verdict.AMBIGUOUS})
_DOMAIN = b"incidentd pagerduty routing key\0"
_ORPHANED = (
    "the routing key that opened it is not configured any more: resolve it by hand in PagerDuty, or add the key to "
    "previous_routing_keys and retry"
)
_DELETED = "PagerDuty refuses the routing key that opened it: resolve it by hand in PagerDuty"
_ACCEPTED = 202
_BAD_REQUEST = 400
_NOT_FOUND = 404
_TOO_MANY = 429
_BAD_KEY = re.compile(r"routing.?key|integration.?key|service.?key", re.IGNORECASE)


class PagerDutyConfig(AnnouncingConfig):
    """One integration of a PagerDuty service."""

    kind: Literal["pagerduty"]
    routing_key: Secret
    """The integration key that new incidents are opened with."""
    previous_routing_keys: tuple[Secret, ...] = ()
    """Keys used before: incidents that were opened with one are acknowledged and resolved with it. PagerDuty drops
    what comes through another key, so without it they would stay open there."""
    webhook_secrets: tuple[Secret, ...] = ()
    """Secrets of the webhook subscriptions that tell this daemon what people do in PagerDuty."""
    base_url: BaseUrl = "https://events.pagerduty.com"
    """Where events go: for an account in the EU `https://events.eu.pagerduty.com`."""

    def key_of(self, key_id: str) -> Secret | None:
        """The configured routing key of that short id."""
        return next(
            (key for key in (self.routing_key, *self.previous_routing_keys) if id_of(key) == key_id), None
        )


def id_of(key: Secret) -> str:
    """Twelve characters that tell one routing key from another and do not tell what it is."""
    return hashlib.sha256(_DOMAIN + key.get_secret_value().encode()).hexdigest()[:12]


def render(config: PagerDutyConfig, message: Message, key: Secret | None = None) -> Request | None:
    """The event for this notice, through `key` or else the current one; None if there is nothing to say of it."""
    action = _ACTION.get(message.notice)
    return None if action is None else _request(config, key or config.routing_key, _event(message, action))


def judge(answer: HttpAnswer, now: datetime) -> Outcome:
    """Only a 202 means queued; a 400 is never worth repeating, and tells a bad key from bad content."""
    said = _said(answer)
    if answer.status == _ACCEPTED:
        return Outcome(Verdict.OK, str(answer.status))
    outcome = judge_status(answer, now)
    if outcome.verdict is Verdict.OK:
        # A proxy's page: PagerDuty itself answers 202 and nothing else.
        return Outcome(Verdict.RETRY, f"http_{answer.status}", "this answer is not PagerDuty's")
    if answer.status == _BAD_REQUEST and _BAD_KEY.search(said):
        detail = f"PagerDuty refuses the routing key: {said}"
        return Outcome(Verdict.DESTINATION_BROKEN, _BAD_KEY_CODE, detail)
    if answer.status == _NOT_FOUND:
        outcome = replace(outcome, verdict=Verdict.DESTINATION_BROKEN, detail="check base_url")
    if answer.status == _TOO_MANY:
        outcome = replace(outcome, retry_after=max(outcome.retry_after or _LEAST_PAUSE, _LEAST_PAUSE))
    return replace(outcome, detail=f"{outcome.detail}: {said}" if said else outcome.detail)


def _said(answer: HttpAnswer) -> str:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    parts = [body.get("message"), *(errors if isinstance(errors, list) else [])]
    return tidy("; ".join(str(part) for part in parts if part))


def _event(message: Message, action: str) -> dict[str, Any]:
    event = {"event_action": action, "dedup_key": message.dedup_key[:MAX_KEY]}
    return event | _trigger(message) if action == "trigger" else event


def _trigger(message: Message) -> dict[str, Any]:
    incident = message.incident
    first = message.alerts[0].labels.get("alertname", "") if message.alerts else ""
    payload: dict[str, Any] = {
        "summary": headline(message, MAX_SUMMARY if not message.minimal else 120),
        "source": tidy(incident.service, _MAX_FIELD) or "incidentd",
        "severity": str(incident.severity),
        "timestamp": incident.started_at.astimezone(UTC).isoformat(),
    }
    if message.minimal:
        return {
            "payload": payload | {"custom_details": {"notice": message.notice.value, **_own_words(message)}}
        }
    more = {
        "component": tidy(incident.service, _MAX_FIELD),
        "group": tidy(incident.group_key, _MAX_FIELD),
        "class": tidy(first, _MAX_FIELD),
    }
    payload |= {name: value for name, value in more.items() if value}
    payload["custom_details"] = _details(message)
    found = links(message)
    event: dict[str, Any] = {"payload": payload, "client": "incidentd"}
    if found:
        event |= {"client_url": found[0].href, "links": [{"href": to.href, "text": to.text} for to in found]}
    return event


def _details(message: Message) -> dict[str, Any]:
    shown = alert_lines(message, _ALERTS_SHOWN, _ALERT_WIDTH)
    alerts = [cut(f"{'FIRING' if line.firing else 'ended'} {line.text}", _ALERT_WIDTH) for line in shown]
    if more := more_alerts(message, len(shown)):
        alerts.append(more)
    details: dict[str, Any] = {fact.name.lower().replace(" ", "_"): fact.value for fact in facts(message)}
    details["alert_count"] = details.pop("alerts")
    return {
        "notice": message.notice.value,
        **details,
        **_own_words(message),
        "comment": tidy(message.comment),
        "labels": label_text(message.incident.labels, 4000),
        "alerts": alerts,
    }


def _own_words(message: Message) -> dict[str, str]:
    said = {"text": body_text(message) if message.texts is not None else "", "stand_in": stand_in(message)}
    return {name: text for name, text in said.items() if text}


def _request(config: PagerDutyConfig, key: Secret, event: dict[str, Any]) -> Request:
    event = {"routing_key": key.get_secret_value(), **event}
    body = orjson.dumps(event)
    if len(body) > MAX_BODY:
        event["payload"]["custom_details"] = {"error": "left out: PagerDuty takes at most 512 KB an event"}
        body = orjson.dumps(event)
    headers = {"content-type": "application/json"}
    return Request("POST", f"{config.base_url}/v2/enqueue", headers, body)


@dataclass(frozen=True, slots=True)
class PagerDutySender:
    """Sends events through one integration."""

    config: PagerDutyConfig
    env: ChannelEnv
    targets: tuple[str, ...] = ("PagerDuty service",)

    async def send(self, message: Message) -> Outcome:
        """Queue the event at PagerDuty, through the key that opened this episode there.

        A 202 does not say that somebody was paged.
        """
        action = _ACTION.get(message.notice)
        if action is None:
            detail = "PagerDuty is told of pages, acknowledgements and ends"
            return Outcome(Verdict.OK, "not_applicable", detail)
        key = self._key_of(message)
        if action == "trigger":
            return await self._page(message, key)
        if key is None:
            return Outcome(Verdict.TARGET_GONE, "routing_key_gone", _ORPHANED)
        outcome = await self._say(message, key)
        if outcome.code == _BAD_KEY_CODE and key is not self.config.routing_key:
            # One old integration is gone, not the destination: what is new must not wait for it.
            return Outcome(Verdict.TARGET_GONE, "routing_key_gone", _DELETED)
        return outcome

    async def _page(self, message: Message, key: Secret | None) -> Outcome:
        """Open an alert that pages; through the current key if the one of this episode does not work any more."""
        if key is not None and key is not self.config.routing_key:
            outcome = await self._page_through(message, key)
            if outcome.code != _BAD_KEY_CODE:
                return outcome
        return await self._page_through(message, self.config.routing_key)

    async def _page_through(self, message: Message, key: Secret) -> Outcome:
        if message.notice in _PAGES_AGAIN:
            # Resolving twice is harmless, so a retry may repeat both.
            ended = await self._exchange(_request(self.config, key, _event(message, "resolve")))
            if ended.verdict is not Verdict.OK:
                return ended
        outcome = await self._say(message, key)
        if outcome.verdict not in _MAY_HAVE_ARRIVED:
            return outcome
        return replace(outcome, reference={"key": id_of(key), "dedup_key": message.dedup_key[:MAX_KEY]})

    def _key_of(self, message: Message) -> Secret | None:
        """The key that opened this episode; the current one if none has yet, None if it is not configured any more."""
        known: Mapping[str, str] = message.reference or {}
        if known.get("dedup_key") != message.dedup_key[:MAX_KEY]:
            return self.config.routing_key
        return self.config.key_of(known.get("key", ""))

    async def _say(self, message: Message, key: Secret) -> Outcome:
        return await self._exchange(_request(self.config, key, _event(message, _ACTION[message.notice])))

    async def announce(self, said: Announcement) -> Outcome:
        """Put a deployment beside the service's incidents."""
        return await self._exchange(render_change(self.config.base_url, self.config.routing_key, said))

    async def probe(self) -> Outcome:
        """Acknowledge an alert that never was: PagerDuty drops that, but checks the routing key first."""
        never = {"event_action": "acknowledge", "dedup_key": "incidentd-probe"}
        return await self._exchange(_request(self.config, self.config.routing_key, never))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _exchange(self, request: Request) -> Outcome:
        outcome = await exchange(self.env.http, request, lambda answer: judge(answer, self.env.clock.now()))
        keys = (self.config.routing_key, *self.config.previous_routing_keys)
        return scrubbed(outcome, *[key.get_secret_value() for key in keys])


def _open(config: PagerDutyConfig, _name: str, env: ChannelEnv) -> PagerDutySender:
    return PagerDutySender(config, env)


CHANNEL = Channel(
    kind="pagerduty",
    description="PagerDuty services, by Events API v2: trigger, acknowledge, resolve; change events.",
    config_model=PagerDutyConfig,
    example={"kind": "pagerduty", "routing_key": "${PAGERDUTY_ROUTING_KEY}"},
    open=_open,
    people=False,
    keyed=True,
    rate=Rate(per_second=1.5, burst=20),  # "about 120 calls a minute" and integration
)
