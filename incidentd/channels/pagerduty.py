"""The PagerDuty channel: Events API v2. The routing key travels in the body and is the only credential."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from incidentd.channels.base import (
    Channel,
    ChannelConfig,
    ChannelEnv,
    HttpAnswer,
    Request,
    exchange,
    judge_status,
    scrubbed,
)
from incidentd.channels.words import (
    alert_lines,
    cut,
    facts,
    headline,
    label_text,
    links,
    more_alerts,
    tidy,
)
from incidentd.domain.notification import Message, Notice, Outcome, Verdict
from incidentd.fields import BaseUrl, Secret

MAX_SUMMARY = 1024
MAX_KEY = 255
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
_ACCEPTED = 202
_BAD_REQUEST = 400
_NOT_FOUND = 404
_TOO_MANY = 429
_BAD_KEY = re.compile(r"routing.?key|integration.?key|service.?key", re.IGNORECASE)


class PagerDutyConfig(ChannelConfig):
    """One integration of a PagerDuty service."""

    kind: Literal["pagerduty"]
    routing_key: Secret
    base_url: BaseUrl = "https://events.pagerduty.com"


def render(config: PagerDutyConfig, message: Message) -> Request | None:
    """The event for this notice; None if PagerDuty has nothing to be told of it."""
    action = _ACTION.get(message.notice)
    if action is None:
        return None
    event: dict[str, Any] = {"event_action": action, "dedup_key": message.dedup_key[:MAX_KEY]}
    if action == "trigger":
        event |= _trigger(message)
    return _request(config, event)


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
        return Outcome(Verdict.DESTINATION_BROKEN, "invalid_routing_key", detail)
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
        return {"payload": payload | {"custom_details": {"notice": message.notice.value}}}
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
    alerts = [
        cut(
            f"{'FIRING' if line.firing else 'ended'} {line.name}: {line.summary} ({line.since})", _ALERT_WIDTH
        )
        for line in shown
    ]
    if more := more_alerts(message, len(shown)):
        alerts.append(more)
    details: dict[str, Any] = {fact.name.lower().replace(" ", "_"): fact.value for fact in facts(message)}
    return {
        "notice": message.notice.value,
        **details,
        "comment": tidy(message.comment),
        "labels": label_text(message.incident.labels, 4000),
        "alerts": alerts,
    }


def _request(config: PagerDutyConfig, event: dict[str, Any]) -> Request:
    event = {"routing_key": config.routing_key.get_secret_value(), **event}
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
    target: str = "PagerDuty service"

    async def send(self, message: Message) -> Outcome:
        """Queue the event at PagerDuty, after a resolve where it must page again.

        A 202 does not say that somebody was paged.
        """
        request = render(self.config, message)
        if request is None:
            detail = "PagerDuty is told of pages, acknowledgements and ends"
            return Outcome(Verdict.OK, "not_applicable", detail)
        if message.notice in _PAGES_AGAIN:
            # Resolving twice is harmless, so a retry may repeat both.
            end = {"event_action": "resolve", "dedup_key": message.dedup_key[:MAX_KEY]}
            ended = await self._exchange(_request(self.config, end))
            if ended.verdict is not Verdict.OK:
                return ended
        return await self._exchange(request)

    async def probe(self) -> Outcome:
        """Acknowledge an alert that never was: PagerDuty drops that, but checks the routing key first."""
        return await self._exchange(
            _request(self.config, {"event_action": "acknowledge", "dedup_key": "incidentd-probe"})
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _exchange(self, request: Request) -> Outcome:
        outcome = await exchange(self.env.http, request, lambda answer: judge(answer, self.env.clock.now()))
        return scrubbed(outcome, self.config.routing_key.get_secret_value())


def _open(config: PagerDutyConfig, _name: str, env: ChannelEnv) -> PagerDutySender:
    return PagerDutySender(config, env)


CHANNEL = Channel(
    kind="pagerduty",
    description="PagerDuty services, by Events API v2: trigger, acknowledge, resolve.",
    config_model=PagerDutyConfig,
    example={"kind": "pagerduty", "routing_key": "${PAGERDUTY_ROUTING_KEY}"},
    open=_open,
)
