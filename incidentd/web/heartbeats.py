"""Heartbeats: the pings that come in, and how each expected one stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic import AwareDatetime

from incidentd.config import Scope
from incidentd.domain.duration import format_duration
from incidentd.domain.heartbeat import Heartbeat, Pulse, PulseState, missing_at
from incidentd.domain.severity import Severity
from incidentd.store import heartbeats as store
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.op import Call, Op
from incidentd.web.problems import not_found
from incidentd.workflows.heartbeats import ping as heard


class HeartbeatAnswer(Answer):
    """One heartbeat that is expected."""

    name: str
    source: str | None
    """Whose alerts it is about; null for one that is pinged."""
    state: PulseState
    since: AwareDatetime | None
    last_beat_at: AwareDatetime | None
    expected_by: AwareDatetime | None
    """After that it is missing, unless incidentd itself could not hear; null if it was never seen."""
    every: str
    grace: str
    severity: Severity


class HeartbeatList(Answer):
    """Every heartbeat that is expected."""

    items: list[HeartbeatAnswer]
    next_cursor: None


async def ping(call: Call) -> web.Response:
    """What the heartbeat stands for is alive."""
    context, name = call.desk.context, call.request.match_info["name"]
    expected, now = context.rules.expected.get(name), context.clock.now()
    if expected is None or expected.source:
        raise not_found("there is no such heartbeat under `heartbeats` in the configuration")
    pulse = await context.store.write(lambda tx: heard(tx, expected, now))
    return call.answer(_json(expected, pulse, now))


async def listed(call: Call) -> web.Response:
    """Every expected heartbeat."""
    context = call.desk.context
    pulses, now = await context.store.read(store.all_of), context.clock.now()
    items = [_json(each, pulses.get(name), now) for name, each in context.rules.expected.items()]
    return call.answer({"items": items, "next_cursor": None})


def _json(expected: Heartbeat, pulse: Pulse | None, now: datetime) -> dict[str, Any]:
    seen = pulse is not None and pulse.last_beat_at is not None
    return {
        "name": expected.name,
        "source": expected.source or None,
        "state": (pulse.state if pulse else PulseState.WAITING).value,
        "since": pulse.since if pulse else None,
        "last_beat_at": pulse.last_beat_at if pulse else None,
        "expected_by": missing_at(expected, pulse, pulse.since, now) if pulse and seen else None,
        "every": format_duration(expected.every),
        "grace": format_duration(expected.grace),
        "severity": expected.severity.value,
    }


OPS: Final = (
    Op(
        ("POST", "PUT", "GET"),
        "/api/v1/heartbeats/{name}",
        ping,
        Scope.INGEST,
        "A sign of life of something that runs elsewhere",
        returns=HeartbeatAnswer,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        "/api/v1/heartbeats",
        listed,
        Scope.READ,
        "The heartbeats that are expected, and how each stands",
        query=m.NoQuery,
        returns=HeartbeatList,
    ),
)
