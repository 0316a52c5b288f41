"""Alert webhooks: answered 200 after the commit, and 503 whenever it is not durable, never 429.

Alertmanager retries a 5xx within a second with backoff; after any 4xx it waits a whole group_interval. So a body
is refused only if it is no webhook at all, and everything temporary is a 503.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import orjson
from aiohttp import web
from prometheus_client import Counter as Series

from incidentd.ingest import alertmanager, grafana
from incidentd.ingest.types import NotAWebhookError, Post, Reason
from incidentd.store.engine import StoreUnavailableError
from incidentd.tracing import CURRENT
from incidentd.web.body import INLINE_BYTES, read_body
from incidentd.web.desk import SOURCE, Desk
from incidentd.web.headers import JSON
from incidentd.web.op import Call
from incidentd.web.problems import LimitReached, Problem, unavailable
from incidentd.workflows.intake import IntakeFullError
from incidentd.workflows.receive import Receipt, Submission

Parse = Callable[[bytes, str, datetime], Post]


async def post_alertmanager(call: Call) -> web.Response:
    """Alertmanager's webhook, version 4."""
    return await _post(call, "alertmanager", alertmanager.parse)


async def post_grafana(call: Call) -> web.Response:
    """Grafana Alerting's webhook, version 1."""
    return await _post(call, "grafana", grafana.parse)


async def _post(call: Call, sender: str, parse: Parse) -> web.Response:
    context, request = call.desk.context, call.request
    started = context.clock.monotonic()
    source = call.identity.source or context.config.default_source
    request[SOURCE] = source
    try:
        if context.stopping.is_set():
            raise unavailable("the daemon is stopping")
        if context.intake.refuses(source):
            # Before the body: reading and parsing what is refused anyway would cost those who can be served.
            raise LimitReached("the intake queue is full")
        limit = context.config.server.max_body
        with call.desk.bodies.hold(2 * limit) as held:
            data = await read_body(request, limit, held)
            received_at = context.clock.now()
            post = await _parsed(parse, data, source, received_at)
            receipt = await _committed(call, source, post)
    except Problem as problem:
        if problem.status == 503:
            call.desk.seldom.warn("webhook_refused_503", source=source, why=problem.detail)
        raise
    context.metrics.ingest_seconds.observe(context.clock.monotonic() - started)
    context.heard.note(source, post.receiver)
    if context.config.journal.enabled and not context.journal.keep(received_at, source, sender, data):
        context.metrics.journal_dropped.inc()
    _count(call.desk, source, post, receipt)
    return _receipt(call, post, receipt)


async def _parsed(parse: Parse, data: bytes, source: str, now: datetime) -> Post:
    try:
        if len(data) > INLINE_BYTES:
            return await asyncio.to_thread(parse, data, source, now)
        return parse(data, source, now)
    except NotAWebhookError as error:
        raise Problem(400, error.detail) from None


async def _committed(call: Call, source: str, post: Post) -> Receipt:
    trace = CURRENT.get()
    submission = Submission(
        source, call.request_id, post.alerts, post.quarantined, post.truncated, trace=trace
    )
    try:
        return await call.desk.context.intake.submit(submission)
    except IntakeFullError as error:
        raise LimitReached(str(error)) from None
    except StoreUnavailableError:
        raise unavailable("the alerts cannot be stored now") from None


def _receipt(call: Call, post: Post, receipt: Receipt) -> web.Response:
    quarantined = len(post.quarantined) + receipt.set_aside
    body = {
        "request_id": call.request_id,
        "received": post.received,
        "accepted": post.received - quarantined,
        "quarantined": quarantined,
        "incidents": receipt.incidents,
    }
    return web.Response(body=orjson.dumps(body), headers=call.desk.headers(call.request_id, JSON))


def _count(desk: Desk, source: str, post: Post, receipt: Receipt) -> None:
    metrics = desk.context.metrics
    firing = sum([alert.firing for alert in post.alerts])
    for status, number in (("firing", firing), ("resolved", len(post.alerts) - firing)):
        if number:
            _series(desk, metrics.alerts_received, source, status).inc(number)
    for sighting, number in receipt.sightings:
        _series(desk, metrics.alerts_sighted, source, sighting.value).inc(number)
    for bad in post.quarantined:
        _series(desk, metrics.alerts_quarantined, source, bad.reason.name.lower()).inc()
    if receipt.set_aside:
        reason = Reason.UNPROCESSABLE.name.lower()
        _series(desk, metrics.alerts_quarantined, source, reason).inc(receipt.set_aside)


def _series(desk: Desk, family: Series, source: str, value: str) -> Series:
    key = (family, source, value)
    child = desk.series.get(key)
    if child is None:
        child = desk.series[key] = family.labels(source, value)
    return child
