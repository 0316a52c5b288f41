"""PagerDuty's webhooks: verified, committed, answered.

After a 4xx PagerDuty drops the event, and after three drops in a row it switches the subscription off. So it gets 202
for whatever is genuine, 401 for what is not, and 503, after which it comes again, while nothing can be stored.
"""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web

from incidentd.channels.pagerduty import PagerDutyConfig
from incidentd.config import Config
from incidentd.ingest.pagerduty import DELIVERY_HEADER, SIGNATURE_HEADER, genuine, parse
from incidentd.ingest.types import NotAWebhookError
from incidentd.security_events import SecurityEvent
from incidentd.store.engine import StoreUnavailableError
from incidentd.web.body import ByteBudget, read_body
from incidentd.web.op import Call
from incidentd.web.problems import Problem, unavailable
from incidentd.workflows import pagerduty as workflow
from incidentd.workflows.pagerduty import Heard, Result

log = structlog.get_logger()

MAX_BODY: Final = 256 * 1024
"""Bytes: the largest that PagerDuty sends."""
_MAX_ID: Final = 200


async def receive(call: Call) -> web.Response:
    """One event."""
    context = call.desk.context
    if context.stopping.is_set():
        raise unavailable("the daemon is stopping")
    with ByteBudget().hold(2 * MAX_BODY) as held:
        body = await read_body(call.request, MAX_BODY, held)
    channel = _sender(context.config, body, ",".join(call.request.headers.getall(SIGNATURE_HEADER, ())))
    if channel is None:
        raise _refused(call)
    context.metrics.auth_attempts.labels("signature", "ok").inc()
    try:
        event = parse(body)
    except NotAWebhookError as error:
        # Genuine, so it is answered like any other: it would not be clearer the next time.
        call.desk.seldom.warn("vendor_event_unreadable", channel=channel, why=error.detail)
        return _receipt(call, Result.IGNORED, error.detail)
    heard = Heard(event, channel, call.request.headers.get(DELIVERY_HEADER, "")[:_MAX_ID])
    rules, now = context.rules, context.clock.now()
    try:
        handled = await context.store.write(lambda tx: workflow.hear(tx, heard, rules, now))
    except StoreUnavailableError:
        raise unavailable("the event cannot be stored now") from None
    if handled.changes:
        context.changed(handled.changes)
    log.info(
        "vendor_event", channel=channel, type=event.type, result=handled.result.value, why=handled.reason
    )
    return _receipt(call, handled.result, handled.reason)


def _sender(config: Config, body: bytes, header: str) -> str | None:
    """The channel whose secret signed it."""
    for name, channel in config.channels.items():
        if isinstance(channel, PagerDutyConfig):
            secrets = [secret.get_secret_value() for secret in channel.webhook_secrets]
            if genuine(body, header, secrets):
                return name
    return None


def _refused(call: Call) -> Problem:
    metrics = call.desk.context.metrics
    metrics.auth_attempts.labels("signature", "failed").inc()
    metrics.security_event(SecurityEvent.AUTH_FAIL)
    detail = f"the {SIGNATURE_HEADER} fits none of the configured webhook_secrets"
    return Problem(401, detail, headers={"WWW-Authenticate": "Signature"})


def _receipt(call: Call, result: Result, reason: str) -> web.Response:
    return call.answer({"request_id": call.request_id, "result": result.value, "reason": reason}, 202)
