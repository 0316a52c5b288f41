"""Health: alive, ready to take alerts, and how every part is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TypeVar

from aiohttp import web

from incidentd import __version__
from incidentd.domain.destination import DestinationState
from incidentd.store import outbox
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.vitals import Vitals
from incidentd.web.answers import Answer
from incidentd.web.channels import Channel, Standing, channel_json, standings
from incidentd.web.context import Context
from incidentd.web.health_stored import (
    DEGRADED,
    HEALTHY,
    UNHEALTHY,
    Stored,
    age_seconds,
    calendar_checks,
    change_event_checks,
    check,
    round_checks,
    silence_checks,
    stored,
)
from incidentd.web.op import Call
from incidentd.web.problems import unavailable
from incidentd.web.resources import Resources, database, findings, process, resources
from incidentd.web.write_probe import Probe, since_ms

_T = TypeVar("_T")
DEGRADED_UNLESS: Final = {True: HEALTHY, False: DEGRADED}
"""For what the daemon can do without."""
_WORST: Final = (HEALTHY, DEGRADED, UNHEALTHY)
_WAIT_SECONDS: Final = 2.0
_LATE_PAGE_SECONDS: Final = 60.0
_FEW: Final = 5


class Check(Answer):
    """One check of the daemon's own health."""

    name: str
    status: Literal["healthy", "degraded", "unhealthy"]
    latency_ms: float | None
    """How long it took to ask; null: the process knows by itself."""
    detail: str


class Health(Answer):
    """The short answer."""

    status: str


class DetailedHealth(Answer):
    """Every check."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    uptime_seconds: float
    checks: list[Check]
    channels: list[Channel]
    resources: Resources


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
    waiting, known, waited = await _read(context) if probe.ok else (None, None, None)
    path, lag = context.store.path, call.desk.lag.worst
    used = await asyncio.to_thread(process, path.parent if path is not None else None)
    vitals = known.vitals if known else None
    now, found = context.clock.now(), standings(context, known.channels if known else None)
    checks = [
        _database(context, probe, vitals),
        _intake(context),
        _outbox(waiting, now, waited),
        *_unread(known, waited),
        *change_event_checks(known, now),
        *[_channel(standing, known, now) for standing in found],
        *calendar_checks(known),
        *_runbooks(context),
        *_sockets(call),
        *round_checks(context, known, now),
        *silence_checks(known),
        *[check(name, DEGRADED_UNLESS[well], words, ms) for name, well, words, ms in findings(used, lag)],
        *[
            check(each.name, DEGRADED_UNLESS[not each.trouble], each.trouble)
            for each in context.telemetry.carriers()
        ],
    ]
    status = max((each["status"] for each in checks), key=_WORST.index)
    answer = {
        "status": status,
        "version": __version__,
        "uptime_seconds": round(context.clock.monotonic() - context.started_at, 1),
        "checks": checks,
        "channels": [channel_json(standing, now) for standing in found],
        "resources": resources(used, vitals, lag),
    }
    return call.answer(answer, 503 if status == UNHEALTHY else 200)


def _database(context: Context, probe: Probe, vitals: Vitals | None) -> dict[str, Any]:
    kind = "postgresql" if context.store.postgresql else "sqlite"
    if not probe.ok:
        return check("database", UNHEALTHY, f"{kind}: {probe.detail}", probe.latency_ms)
    well, words = database(vitals) if vitals is not None else (True, kind)
    return check("database", DEGRADED_UNLESS[well], words, probe.latency_ms)


def _intake(context: Context) -> dict[str, Any]:
    queued, room = context.queued(), context.config.server.queue.max_alerts
    if context.stopping.is_set():
        return check("intake", UNHEALTHY, "the daemon is stopping")
    status = HEALTHY if queued < room / 2 else DEGRADED if queued < room else UNHEALTHY
    return check("intake", status, f"{queued} of {room} alerts wait for their commit")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What deliveries wait for."""

    oldest: Mapping[str, datetime]
    """Class -> since when its oldest row waits."""
    latency_ms: float


async def _read(context: Context) -> tuple[_Waiting | None, Stored | None, float]:
    """What the database says, as far as it does in time, and how long that took in ms."""
    started = context.clock.monotonic()
    details = _in_time(context, partial(stored, context, started))
    waiting, known = await asyncio.gather(_waiting(context), details)
    return waiting, known, since_ms(context, started)


async def _waiting(context: Context) -> _Waiting | None:
    started = context.clock.monotonic()
    # By itself, so that nothing else that is slow makes the daemon unhealthy.
    oldest = await _in_time(context, outbox.oldest_pending)
    return None if oldest is None else _Waiting(oldest, since_ms(context, started))


async def _in_time(context: Context, query: Callable[[Tx], _T]) -> _T | None:
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            return await context.store.read(query)
    except (TimeoutError, StoreUnavailableError, StoreRejectedError):
        return None


def _unread(known: Stored | None, waited: float | None) -> list[dict[str, Any]]:
    """Nothing to say when the database takes no write, which says it all: then nobody has waited."""
    unread = known is None and waited is not None
    return [check("details", DEGRADED, "not read in time", waited)] if unread else []


def _outbox(waiting: _Waiting | None, now: datetime, waited: float | None) -> dict[str, Any]:
    if waiting is None:
        return check("outbox", UNHEALTHY, "the database cannot be read", waited)
    ages = {kind: age_seconds(now, at) for kind, at in waiting.oldest.items()}
    words = ", ".join(f"oldest {kind} waits {age:.0f} s" for kind, age in sorted(ages.items())) or "empty"
    late = ages.get("page", 0.0) >= _LATE_PAGE_SECONDS
    return check("outbox", DEGRADED if late else HEALTHY, words, waiting.latency_ms)


def _channel(standing: Standing, known: Stored | None, now: datetime) -> dict[str, Any]:
    """Never worse than degraded: alerts can be taken, and the other channels tell of it."""
    words = "; ".join(_told(standing, now))
    status = DEGRADED if standing.up is False else HEALTHY
    return check(f"channel {standing.name}", status, words, known.latency_ms if known else None)


def _told(standing: Standing, now: datetime) -> list[str]:
    if standing.up is None and standing.oldest_page is None:
        return ["not used yet"]
    said, destination = [], standing.destination
    if destination is not None and destination.state is not DestinationState.OK:
        said.append(f"{destination.state} for {age_seconds(now, destination.since):.0f} s")
    if standing.last_error:
        said.append(standing.last_error)
    if destination is not None and destination.paused_until is not None and destination.paused(now):
        left = (destination.paused_until - now).total_seconds()
        said.append(f"paused for {left:.0f} s more")
    if standing.oldest_page is not None:
        said.append(f"oldest page waits {age_seconds(now, standing.oldest_page):.0f} s")
    return said


def _runbooks(context: Context) -> list[dict[str, Any]]:
    """Files that are refused. Their last good versions are in force, so it is never worse than degraded."""
    folder = context.library.folder if context.library else None
    if folder is None or not (folder.good or folder.bad):
        return []
    words = "; ".join(map(str, folder.problems[:_FEW])) or f"{len(folder.good)} in force"
    return [check("runbooks", DEGRADED if folder.bad else HEALTHY, words)]


def _sockets(call: Call) -> list[dict[str, Any]]:
    """Connections over which buttons and commands come in. Telling people does not need them."""
    return [
        check(f"socket {line.channel}", HEALTHY if line.up else DEGRADED, line.detail)
        for line in call.desk.sockets.lines()
    ]
