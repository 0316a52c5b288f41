"""`/metrics`: Prometheus text or OpenMetrics, with the gauges that only the database knows read at scrape time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from incidentd.domain.incident import State
from incidentd.domain.notification import DeliveryClass
from incidentd.domain.severity import Severity
from incidentd.store import incidents, outbox
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.web.context import Context
from incidentd.web.health import age_seconds
from incidentd.web.op import Call

_WAIT_SECONDS: Final = 2.0

Gauges = tuple[dict[tuple[str, str], int], dict[str, datetime]]


async def metrics(call: Call) -> web.Response:
    """Every series. With the database away, the others are shown all the same."""
    context = call.desk.context
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            _set_stored(context, await context.store.read(_stored))
    except (TimeoutError, StoreUnavailableError, StoreRejectedError):
        call.desk.seldom.warn("metrics_without_database")
    _set_own(context)
    encoder, content_type = choose_encoder(call.request.headers.get("Accept", ""))
    body = await asyncio.to_thread(_render, encoder, context.metrics.registry)
    return web.Response(body=body, headers=call.desk.headers(call.request_id, content_type))


def _render(encoder: Callable[[CollectorRegistry], bytes], registry: CollectorRegistry) -> bytes:
    return encoder(registry)


def _stored(tx: Tx) -> Gauges:
    return incidents.count_open(tx), outbox.oldest_pending(tx)


def _set_stored(context: Context, gauges: Gauges) -> None:
    counted, oldest = gauges
    now = context.clock.now()
    for severity in Severity:
        for state in (State.TRIGGERED, State.ACKNOWLEDGED):
            number = counted.get((severity.value, state.value), 0)
            context.metrics.incidents_open.labels(severity.value, state.value).set(number)
    for kind in DeliveryClass:
        at = oldest.get(kind.value)
        context.metrics.oldest_pending.labels(kind.value).set(0 if at is None else age_seconds(now, at))


def _set_own(context: Context) -> None:
    context.metrics.intake_queued.set(context.queued())
    gauge = context.metrics.channel_up
    gauge.clear()
    for channel in context.channel_health():
        if channel.up is not None:
            gauge.labels(channel.name).set(1 if channel.up else 0)
