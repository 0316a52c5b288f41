"""Health: alive, ready to take alerts, and how every part is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from aiohttp import web

from incidentd import __version__
from incidentd.domain.destination import DestinationState
from incidentd.domain.silence import Silence
from incidentd.store import change_events, outbox, reconcile, silences
from incidentd.store.change_events import Backlog
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.reconcile import SourceRounds
from incidentd.store.vitals import Vitals
from incidentd.store.vitals import vitals as read_vitals
from incidentd.web.answers import Answer
from incidentd.web.channels import Channel, Known, Standing, channel_json, known, standings
from incidentd.web.context import Context
from incidentd.web.op import Call
from incidentd.web.problems import unavailable
from incidentd.web.resources import Resources, database, findings, process, resources
from incidentd.web.write_probe import Probe, since_ms
from incidentd.workflows import calendars
from incidentd.workflows.calendars import CalendarState

_T = TypeVar("_T")
HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"
DEGRADED_UNLESS: Final = {True: HEALTHY, False: DEGRADED}
"""For what the daemon can do without."""
_WORST: Final = (HEALTHY, DEGRADED, UNHEALTHY)
_WAIT_SECONDS: Final = 2.0
_LATE_PAGE_SECONDS: Final = 60.0
_DAY: Final = timedelta(days=1)
_LATE_ROUNDS: Final = 5
_LATE_RECONCILE: Final = timedelta(minutes=10)
_FEW: Final = 5


class Check(Answer):
    """One check of the daemon's own health."""

    name: str
    status: Literal["healthy", "degraded", "unhealthy"]
    latency_ms: float | None
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
    waiting, stored = await asyncio.gather(_waiting(context), _stored(context)) if probe.ok else (None, None)
    path, lag = context.store.path, call.desk.lag.worst
    used = await asyncio.to_thread(process, path.parent if path is not None else None)
    vitals = stored.vitals if stored else None
    now, found = context.clock.now(), standings(context, stored.channels if stored else None)
    checks = [
        _database(context, probe, vitals),
        _intake(context),
        _outbox(waiting, now),
        *_unread(probe, stored),
        *_change_events(stored, now),
        *[_channel(standing, now) for standing in found],
        *_calendars(stored),
        *_runbooks(context),
        *_sockets(call),
        *_rounds(context, stored, now),
        *_silences(stored),
        *[_check(name, DEGRADED_UNLESS[well], words, ms) for name, well, words, ms in findings(used, lag)],
        *[
            _check(each.name, DEGRADED_UNLESS[not each.trouble], each.trouble)
            for each in context.telemetry.carriers()
        ],
    ]
    status = max((check["status"] for check in checks), key=_WORST.index)
    answer = {
        "status": status,
        "version": __version__,
        "uptime_seconds": round(context.clock.monotonic() - context.started_at, 1),
        "checks": checks,
        "channels": [channel_json(standing, now) for standing in found],
        "resources": resources(used, vitals, lag),
    }
    return call.answer(answer, 503 if status == UNHEALTHY else 200)


def _check(name: str, status: str, detail: str = "", latency_ms: float | None = None) -> dict[str, Any]:
    return {"name": name, "status": status, "latency_ms": latency_ms, "detail": detail}


def _database(context: Context, probe: Probe, vitals: Vitals | None) -> dict[str, Any]:
    kind = "postgresql" if context.store.postgresql else "sqlite"
    if not probe.ok:
        return _check("database", UNHEALTHY, f"{kind}: {probe.detail}", probe.latency_ms)
    well, words = database(vitals) if vitals is not None else (True, kind)
    return _check("database", DEGRADED_UNLESS[well], words, probe.latency_ms)


def _intake(context: Context) -> dict[str, Any]:
    queued, room = context.queued(), context.config.server.queue.max_alerts
    if context.stopping.is_set():
        return _check("intake", UNHEALTHY, "the daemon is stopping")
    status = HEALTHY if queued < room / 2 else DEGRADED if queued < room else UNHEALTHY
    return _check("intake", status, f"{queued} of {room} alerts wait for their commit")


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database says besides."""

    channels: Known
    changes: Backlog
    rounds: Mapping[str, SourceRounds]
    silences: list[Silence]
    calendars: Sequence[CalendarState]
    vitals: Vitals


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What deliveries wait for."""

    oldest: Mapping[str, datetime]
    """Class -> since when its oldest row waits."""
    latency_ms: float


async def _stored(context: Context) -> _Stored | None:
    """Read it; None if the database does not answer in time."""

    def read(tx: Tx) -> _Stored:
        backlog, rounds = change_events.backlog(tx, yesterday), reconcile.rounds(tx)
        states, vitals = calendars.states(tx, context.config), read_vitals(tx, context.store.path)
        return _Stored(known(tx), backlog, rounds, silences.live(tx), states, vitals)

    yesterday = context.clock.now() - _DAY
    return await _in_time(context, read)


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


def _unread(probe: Probe, stored: _Stored | None) -> list[dict[str, Any]]:
    """Nothing to say when the database takes no write, which says it all."""
    return [_check("details", DEGRADED, "not read in time")] if stored is None and probe.ok else []


def _outbox(waiting: _Waiting | None, now: datetime) -> dict[str, Any]:
    if waiting is None:
        return _check("outbox", UNHEALTHY, "the database cannot be read")
    ages = {kind: age_seconds(now, at) for kind, at in waiting.oldest.items()}
    words = ", ".join(f"oldest {kind} waits {age:.0f} s" for kind, age in sorted(ages.items())) or "empty"
    late = ages.get("page", 0.0) >= _LATE_PAGE_SECONDS
    return _check("outbox", DEGRADED if late else HEALTHY, words, waiting.latency_ms)


def _change_events(stored: _Stored | None, now: datetime) -> list[dict[str, Any]]:
    """What vendors are told of deployments; nothing to say while none waits and none was given up."""
    if stored is None or not (stored.changes.waiting or stored.changes.given_up):
        return []
    changes = stored.changes
    age = f", the oldest for {age_seconds(now, changes.oldest):.0f} s" if changes.oldest else ""
    words = f"{changes.waiting} wait{age}; {changes.given_up} were given up within a day"
    return [_check("change events", DEGRADED if changes.given_up else HEALTHY, words)]


def _channel(standing: Standing, now: datetime) -> dict[str, Any]:
    """Never worse than degraded: alerts can be taken, and the other channels tell of it."""
    words = "; ".join(_told(standing, now))
    return _check(f"channel {standing.name}", DEGRADED if standing.up is False else HEALTHY, words)


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


def _calendars(stored: _Stored | None) -> list[dict[str, Any]]:
    """Never worse than degraded: what a calendar said last counts."""
    return [
        _check(f"calendar {each.place.path}", DEGRADED if each.since else HEALTHY, each.trouble or "")
        for each in (stored.calendars if stored else ())
    ]


def _runbooks(context: Context) -> list[dict[str, Any]]:
    """Files that are refused. Their last good versions are in force, so it is never worse than degraded."""
    folder = context.library.folder if context.library else None
    if folder is None or not (folder.good or folder.bad):
        return []
    words = "; ".join(map(str, folder.problems[:_FEW])) or f"{len(folder.good)} in force"
    return [_check("runbooks", DEGRADED if folder.bad else HEALTHY, words)]


def _sockets(call: Call) -> list[dict[str, Any]]:
    """Connections over which buttons and commands come in. Telling people does not need them."""
    return [
        _check(f"socket {line.channel}", HEALTHY if line.up else DEGRADED, line.detail)
        for line in call.desk.sockets.lines()
    ]


def _rounds(context: Context, stored: _Stored | None, now: datetime) -> list[dict[str, Any]]:
    """How reconciling goes. One failed round is nothing yet: an Alertmanager fresh from a start is not believed."""
    if stored is None:
        return []
    uptime = timedelta(seconds=context.clock.monotonic() - context.started_at)
    checks = []
    for source, policy in context.rules.reconcile.items():
        row = stored.rounds.get(source)
        good = row.good_at if row else None
        age = uptime if good is None else now - good
        late = age > max(_LATE_ROUNDS * policy.every, _LATE_RECONCILE, 2 * policy.settle)
        words = "never" if good is None else f"{max(age.total_seconds(), 0):.0f} s ago"
        words = f"last good round {words}" + (f"; {row.failed}: {row.detail}" if row and row.failed else "")
        checks.append(_check(f"reconcile {source}", DEGRADED if late else HEALTHY, words))
    return checks


def _silences(stored: _Stored | None) -> list[dict[str, Any]]:
    """Whether Alertmanagers do what was asked of them; nothing to say while nobody has asked."""
    if stored is None or not stored.silences:
        return []
    vain = [each for each in stored.silences if each.attempts]
    words = [f"INC-{each.incident_id}, {each.alertmanager}: {each.last_error}" for each in vain[:3]]
    said = "; ".join([f"{len(vain)} of {len(stored.silences)} are not as they should be", *words])
    return [_check("silences", DEGRADED if vain else HEALTHY, said)]


def age_seconds(now: datetime, at: datetime) -> float:
    """How long ago `at` was; never negative, as clocks of replicas differ."""
    return max((now - at.astimezone(UTC)).total_seconds(), 0.0)
