"""The webhook channel: any HTTP receiver, told by the Standard Webhooks specification."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, Field, SecretStr

from incidentd.channels.base import (
    NOT_PROBED,
    Channel,
    ChannelConfig,
    ChannelEnv,
    HttpAnswer,
    Request,
    exchange,
    judge_status,
    retry_after,
    scrubbed,
)
from incidentd.channels.words import cut, encodable, web_link
from incidentd.domain.notification import (
    AlertView,
    IncidentView,
    Message,
    Notice,
    Outcome,
    RunbookView,
    Verdict,
)
from incidentd.fields import Secret, SecretUrl, origin

MAX_BODY = 20_000
"""Bytes: Standard Webhooks recommends payloads under 20 KB."""
_SHORT = 300
_FEW = 20
_NOTHING: Mapping[str, object] = MappingProxyType({})
_STEPS = 10
_STEP = 100
"""Characters of a step where room is short."""
_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_OVERLOADED = frozenset({502, 504})
"""Standard Webhooks: these, like 429, ask to slow down."""


def _signing(secret: SecretStr) -> SecretStr:
    try:
        key = _key(secret.get_secret_value())
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES or not secret.get_secret_value().startswith(_PREFIX):
        raise ValueError("is not a signing secret; accepted: whsec_ and the base64 of 24 to 64 bytes")
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_signing)]
"""``whsec_`` and base64, as Standard Webhooks writes symmetric keys."""


class WebhookConfig(ChannelConfig):
    """Where to post. The address is held like a secret: receivers put their tokens into it."""

    kind: Literal["webhook"]
    url: SecretUrl
    """The address that every event is posted to."""
    secret: SigningSecret | Annotated[list[SigningSecret], Field(min_length=1)] | None = None
    """`whsec_` and base64: signs every request; several all sign it, so that receivers can rotate. Without it one is
    generated, which `incidentd channels` shows."""


def render(config: WebhookConfig, message: Message) -> Request:
    """The request without its signature, the same in every attempt."""
    headers = {"content-type": "application/json", "webhook-id": message.delivery_id}
    return Request("POST", config.url.get_secret_value(), headers, _body(message))


def sign(request: Request, secrets: Iterable[str], now: datetime) -> Request:
    """`request` signed for this attempt: the receiver refuses time stamps that are minutes old."""
    stamp = str(int(now.timestamp()))
    signed = b".".join((request.headers["webhook-id"].encode(), stamp.encode(), request.content))
    signatures = " ".join(f"v1,{_mac(secret, signed)}" for secret in secrets)
    more = {"webhook-timestamp": stamp, "webhook-signature": signatures}
    return replace(request, headers={**request.headers, **more})


def judge(answer: HttpAnswer, now: datetime) -> Outcome:
    """Only a 2xx is success; 410 asks for no more; everything else by its status."""
    if answer.status in _OVERLOADED:
        pause = retry_after(answer, now)
        return Outcome(Verdict.THROTTLED, f"http_{answer.status}", "the receiver is overloaded", pause)
    return judge_status(answer, now)


def _mac(secret: str, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    # Some tools leave the padding out; superfluous padding is ignored.
    return base64.b64decode(secret.removeprefix(_PREFIX).encode() + b"==")


def _body(message: Message) -> bytes:
    """The full facts if they fit, else shortened texts and as many alerts as fit."""
    if not message.minimal and _length(message) <= MAX_BODY:
        alerts = [_alert(alert, message.incident.id, _exact) for alert in message.alerts]
        body = _pack(message, alerts, _exact, _silence(message))
        if len(body) <= MAX_BODY:
            return body
    shown: list[dict[str, object]] = []
    room = MAX_BODY - len(_pack(message, [], _shortened))
    for alert in () if message.minimal else message.alerts:
        candidate = _alert(alert, message.incident.id, _shortened)
        room -= len(orjson.dumps(candidate)) + 1
        if room < 0:
            break
        shown.append(candidate)
    return _pack(message, shown, _shortened)


def _length(message: Message) -> int:
    """Characters of the texts that can be long: spares packing megabytes to learn that they do not fit."""
    labels = [message.incident.labels]
    labels += [texts for alert in message.alerts for texts in (alert.labels, alert.annotations)]
    return sum(len(name) + len(value) for texts in labels for name, value in texts.items())


def _silence(message: Message) -> Mapping[str, object]:
    """The address of Alertmanager's form for a silence; nothing else says it."""
    link = web_link("Silence", message.incident.silence_url or "")
    return {"silence_url": link.href} if link is not None else {}


def _pack(
    message: Message,
    alerts: list[dict[str, object]],
    text: Callable[[str], str],
    more: Mapping[str, object] = _NOTHING,
) -> bytes:
    incident = _incident(message.incident, text)
    data: dict[str, object] = {"incident": incident, "alerts": alerts, **more}
    if message.incident.runbook is not None and not message.minimal:
        data["runbook_steps"] = _steps(message.incident.runbook, text)
    if (missing := message.incident.alerts_total - len(alerts)) > 0:
        data["alerts_truncated"] = missing
    notice = message.notice
    if notice is Notice.MISSED:
        data["missed_page"] = True
    if notice in {Notice.MISSED, Notice.DIGEST}:
        # Not a step of the incident's own life, so no type of its own: receivers switch on those.
        notice = Notice.UPDATED
    if message.fallback_of is not None:
        data["fallback_of"] = message.fallback_of
    return orjson.dumps({"type": f"incident.{notice}", "timestamp": _time(message.at), "data": data})


def _exact(text: str) -> str:
    return encodable(text)


def _shortened(text: str) -> str:
    return encodable(cut(text, _SHORT))


def _incident(incident: IncidentView, text: Callable[[str], str]) -> dict[str, object]:
    return {
        "id": incident.id,
        "ref": incident.ref,
        "title": text(incident.title),
        "state": incident.state,
        "severity": incident.severity,
        "service": text(incident.service),
        "group_key": text(incident.group_key),
        "labels": _labels(incident.labels, text),
        "opened_at": _time(incident.opened_at),
        "acknowledged_at": _time(incident.acknowledged_at),
        "acknowledged_by": text(incident.acknowledged_by) if incident.acknowledged_by else None,
        "resolved_at": _time(incident.resolved_at),
        "resolved_by": text(incident.resolved_by) if incident.resolved_by else None,
        "snoozed_until": _time(incident.snoozed_until),
        "resolve_withheld": incident.resolve_withheld,
        "suppressed_by": text(incident.suppressed_by) if incident.suppressed_by else None,
        "flapping": incident.flapping,
        "drill": incident.drill,
        "assigned_to": text(incident.assigned_to) if incident.assigned_to else None,
        "alerts_firing": incident.alerts_firing,
        "alerts_total": incident.alerts_total,
        "reopen_count": incident.reopen_count,
        "runbook": _runbook(incident, text),
        "url": text(incident.url),
    }


def _runbook(incident: IncidentView, text: Callable[[str], str]) -> dict[str, object] | None:
    book = incident.runbook
    if book is None and not incident.runbook_url:
        return None
    return {
        "url": text(incident.runbook_url) if incident.runbook_url else None,
        "name": book.name if book else None,
        "hash": book.hash if book else None,
        "steps_done": book.over if book else None,
        "steps_total": len(book.steps) if book else None,
    }


def _steps(book: RunbookView, text: Callable[[str], str]) -> list[dict[str, object]]:
    most, width = (_STEPS, _STEP) if text is _shortened else (len(book.steps), MAX_BODY)
    return [
        {"number": step.number, "text": text(step.text[:width]), "state": step.state}
        for step in book.steps[:most]
    ]


def _alert(alert: AlertView, incident_id: int, text: Callable[[str], str]) -> dict[str, object]:
    return {
        "fingerprint": alert.fingerprint,
        "source": alert.source,
        "status": alert.status,
        "severity": alert.severity,
        "labels": _labels(alert.labels, text),
        "annotations": _labels(alert.annotations, text),
        "starts_at": _time(alert.starts_at),
        "ends_at": _time(alert.ends_at),
        "generator_url": text(alert.generator_url),
        "last_seen_at": _time(alert.last_seen_at),
        "incident_id": incident_id,
    }


def _labels(labels: Mapping[str, str], text: Callable[[str], str]) -> dict[str, str]:
    shown = list(labels.items())[:_FEW] if text is _shortened else labels.items()
    return {text(name): text(value) for name, value in shown}


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Posts signed events to one address."""

    config: WebhookConfig
    env: ChannelEnv
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def targets(self) -> tuple[str, ...]:
        """Scheme and host; the rest of the address may be a token."""
        return (origin(self.config.url),)

    async def send(self, message: Message) -> Outcome:
        """Post one event."""
        request = sign(render(self.config, message), self.secrets, self.env.clock.now())
        outcome = await exchange(self.env.http, request, lambda answer: judge(answer, self.env.clock.now()))
        return scrubbed(outcome, *self.secrets)

    async def probe(self) -> Outcome:
        """Always OK: the specification has no harmless request, so the next event is the test."""
        return Outcome(Verdict.OK, NOT_PROBED, "a webhook is tested by its next event")

    async def close(self) -> None:
        """Nothing to let go of."""


def _open(config: WebhookConfig, name: str, env: ChannelEnv) -> WebhookSender:
    configured = config.secret if isinstance(config.secret, list) else [config.secret]
    secrets = tuple(secret.get_secret_value() for secret in configured if secret is not None)
    return WebhookSender(config, env, secrets or (env.generated_secret(name),))


CHANNEL = Channel(
    kind="webhook",
    description="Signed events to any HTTP address, by the Standard Webhooks specification.",
    config_model=WebhookConfig,
    example={"kind": "webhook", "url": "https://hooks.example.com/incidents"},
    open=_open,
    people=False,
)
