"""Health: alive, ready to take alerts, and how every part is doing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from incidentd import __version__
from incidentd.store import outbox
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.web.context import Context
from incidentd.web.op import Call
from incidentd.web.problems import unavailable
from incidentd.web.write_probe import Probe, since_ms

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"
_WORST: Final = (HEALTHY, DEGRADED, UNHEALTHY)
_WAIT_SECONDS: Final = 2.0
_LATE_PAGE_SECONDS: Final = 60.0


async def live(call: Call) -> web.Response:
    """The process answers."""
    return call.answer({"status": "alive"})


async def ready(call: Call) -> web.Response:
    """Alerts can be taken: the schema is there and a write was committed just now. Else 503."""
    if call.desk.context.stopping.is_set():
        raise unavailable("the daemon is stopping")
    if not (await call.desk.probe.ask()).ok:
        raise unavailable("the database takes no write now")
    return call.answer({"status": "ready"})


async def short(call: Call) -> web.Response:
    """In one word."""
    healthy = not call.desk.context.stopping.is_set() and (await call.desk.probe.ask()).ok
    return call.answer({"status": HEALTHY if healthy else UNHEALTHY}, 200 if healthy else 503)


async def detailed(call: Call) -> web.Response:
    """Every check with its status and latency; 503 when alerts cannot be taken."""
    context = call.desk.context
    probe = await call.desk.probe.ask()
    checks = [
        _database(context, probe),
        _intake(context),
        await _outbox(context, readable=probe.ok),
        *_channels(context),
        *_sockets(call),
    ]
    status = max((check["status"] for check in checks), key=_WORST.index)
    answer = {
        "status": status,
        "version": __version__,
        "uptime_seconds": round(context.clock.monotonic() - context.started_at, 1),
        "checks": checks,
    }
    return call.answer(answer, 503 if status == UNHEALTHY else 200)


def _check(name: str, status: str, detail: str = "", latency_ms: float | None = None) -> dict[str, Any]:
    return {"name": name, "status": status, "latency_ms": latency_ms, "detail": detail}


def _database(context: Context, probe: Probe) -> dict[str, Any]:
    kind = "postgresql" if context.store.postgresql else "sqlite"
    detail = f"{kind}: {probe.detail}" if probe.detail else kind
    return _check("database", HEALTHY if probe.ok else UNHEALTHY, detail, probe.latency_ms)


def _intake(context: Context) -> dict[str, Any]:
    queued, room = context.queued(), context.config.server.queue.max_alerts
    if context.stopping.is_set():
        return _check("intake", UNHEALTHY, "the daemon is stopping")
    status = HEALTHY if queued < room / 2 else DEGRADED if queued < room else UNHEALTHY
    return _check("intake", status, f"{queued} of {room} alerts wait for their commit")


async def _outbox(context: Context, *, readable: bool) -> dict[str, Any]:
    if not readable:
        return _check("outbox", UNHEALTHY, "the database cannot be read")
    started = context.clock.monotonic()
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            oldest = await context.store.read(outbox.oldest_pending)
    except (TimeoutError, StoreUnavailableError, StoreRejectedError):
        return _check("outbox", UNHEALTHY, "the database cannot be read")
    now = context.clock.now()
    ages = {kind: age_seconds(now, at) for kind, at in oldest.items()}
    words = ", ".join(f"oldest {kind} waits {age:.0f} s" for kind, age in sorted(ages.items())) or "empty"
    late = ages.get("page", 0.0) >= _LATE_PAGE_SECONDS
    return _check("outbox", DEGRADED if late else HEALTHY, words, since_ms(context, started))


def _channels(context: Context) -> list[dict[str, Any]]:
    return [
        _check(
            f"channel {channel.name}",
            DEGRADED if channel.up is False else HEALTHY,
            (channel.last_error or "")
            if channel.up is False
            else "not used yet"
            if channel.up is None
            else "",
        )
        for channel in context.channel_health()
    ]


def _sockets(call: Call) -> list[dict[str, Any]]:
    """Connections over which buttons and commands come in. Telling people does not need them."""
    return [
        _check(f"socket {line.channel}", HEALTHY if line.up else DEGRADED, line.detail)
        for line in call.desk.sockets.lines()
    ]


def age_seconds(now: datetime, at: datetime) -> float:
    """How long ago `at` was; never negative, as clocks of replicas differ."""
    return max((now - at.astimezone(UTC)).total_seconds(), 0.0)
