"""Maintenance windows: planned by people, listed with those of the configuration."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from aiohttp import web
from pydantic import AwareDatetime, Field, model_validator

from incidentd.config import Scope
from incidentd.config.maintenance import length
from incidentd.config.section import MatcherField, PositiveDuration, TimeZone
from incidentd.domain.duration import format_duration
from incidentd.domain.maintenance import Window, plan
from incidentd.store import maintenance as store
from incidentd.store.maintenance import Stored
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.context import Context
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import maintenance


class WindowBody(m.Body):
    """A window to plan."""

    name: Annotated[m.Title, Field(max_length=100)]
    """What messages and incidents call it."""
    matchers: Annotated[list[MatcherField], Field(min_length=1, max_length=50)]
    """Which alerts it covers, in Alertmanager's syntax; all of them must hold."""
    starts: Annotated[datetime | None, Field(strict=False)] = None
    """Start of the first occurrence, on the clock of `time_zone` unless it has an offset; default: now."""
    ends: Annotated[datetime | None, Field(strict=False)] = None
    """End of the first occurrence; or give `duration`."""
    duration: PositiveDuration | None = None
    """How long each occurrence lasts, such as `2h`; or give `ends`."""
    rrule: Annotated[str | None, Field(max_length=300)] = None
    """When it comes again, as in RFC 5545."""
    time_zone: TimeZone = "Etc/UTC"
    """The IANA time zone in which it is meant."""
    comment: m.Comment = ""
    """Why."""

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if (self.ends is None) is (self.duration is None):
            raise ValueError("give either ends or duration")
        return self

    def window(self, now: datetime) -> Window:
        """The same for the domain. Raises ValueError."""
        starts = self.starts or now
        duration = self.duration or length(starts, self.ends or starts)
        return Window(self.name, tuple(self.matchers), plan(starts, duration, self.time_zone, self.rrule))


class WindowAnswer(Answer):
    """One maintenance window."""

    id: int | None
    """Null for one of the configuration."""
    name: str
    matchers: list[str]
    starts: str
    """Of the first occurrence, on the clock of `time_zone`."""
    duration: str
    rrule: str | None
    time_zone: str
    comment: str
    created_by: str | None
    created_at: AwareDatetime | None
    active: bool
    """It holds now."""
    starts_at: AwareDatetime | None
    """Of the occurrence that holds now, else of the next one."""
    ends_at: AwareDatetime | None
    cancelled_at: AwareDatetime | None
    cancelled_by: str | None


class WindowList(Answer):
    """Every window that holds now or later."""

    items: list[WindowAnswer]
    next_cursor: None


async def add(call: Call) -> web.Response:
    """Plan a window."""
    context, body, actor = call.desk.context, call.body, call.identity.actor
    now = context.clock.now()
    try:
        # In a thread: a rule that hardly ever happens is looked for through thousands of years.
        window = await asyncio.to_thread(body.window, now)
        stored = await context.store.write(lambda tx: maintenance.add(tx, window, body.comment, actor, now))
    except (ValueError, OverflowError) as wrong:
        places = [{"at": "/", "detail": str(wrong)}]
        raise Problem(422, "the window is not understood", members={"errors": places}) from None
    return call.answer(_json(context, stored, now), 201, location=f"/api/v1/maintenance/{stored.id}")


async def listed(call: Call) -> web.Response:
    """Every window that holds now or later."""
    context = call.desk.context
    now = context.clock.now()
    made = await context.store.read(lambda tx: store.standing(tx, now))
    items = [_window_json(context, window, now) for window in context.rules.maintenance]
    items += [_json(context, each, now) for each in made]
    # Those of the configuration that are over, and rules that have come to their end, say nothing any more.
    return call.answer({"items": [item for item in items if item["ends_at"]], "next_cursor": None})


async def cancel(call: Call) -> web.Response:
    """End a window, or call it off."""
    context, actor, text = call.desk.context, call.identity.actor, call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such maintenance window; those of the configuration are ended there")
    number, now = int(text), context.clock.now()
    stored = await context.store.write(lambda tx: maintenance.cancel(tx, number, actor, now))
    return call.answer(_json(context, stored, now))


def _json(context: Context, stored: Stored, now: datetime) -> dict[str, Any]:
    shown = _window_json(context, stored.window, now)
    if stored.cancelled_at is not None:
        shown |= {"active": False, "starts_at": None, "ends_at": None}
    return {
        **shown,
        "id": stored.id,
        "comment": stored.comment,
        "created_by": stored.created_by,
        "created_at": stored.created_at,
        "cancelled_at": stored.cancelled_at,
        "cancelled_by": stored.cancelled_by,
    }


def _window_json(context: Context, window: Window, now: datetime) -> dict[str, Any]:
    planned, found = window.plan, context.rules.calendar.span(window.plan, now)
    return {
        "id": None,
        "name": window.name,
        "matchers": [str(matcher) for matcher in window.matchers],
        "starts": planned.starts.isoformat(timespec="seconds"),
        "duration": format_duration(planned.duration - planned.duration % timedelta(milliseconds=1)),
        "rrule": planned.rrule,
        "time_zone": planned.time_zone,
        "comment": "",
        "created_by": None,
        "created_at": None,
        "active": found is not None and found.holds(now),
        "starts_at": found.starts_at if found else None,
        "ends_at": found.ends_at if found else None,
        "cancelled_at": None,
        "cancelled_by": None,
    }


_PATH: Final = "/api/v1/maintenance"
OPS: Final = (
    Op(
        ("GET",),
        _PATH,
        listed,
        Scope.READ,
        "Maintenance windows that hold now or later",
        query=m.NoQuery,
        returns=WindowList,
    ),
    Op(
        ("POST",),
        _PATH,
        add,
        Scope.RESPOND,
        "Plan a maintenance window: what it covers is recorded and tells nobody",
        query=m.NoQuery,
        body=WindowBody,
        returns=WindowAnswer,
        status=201,
        refusals=(413, 415, 422),
    ),
    Op(
        ("DELETE",),
        f"{_PATH}/{{id}}",
        cancel,
        Scope.RESPOND,
        "End a window, or call it off: people are told of what still fires",
        query=m.NoQuery,
        returns=WindowAnswer,
        refusals=(404,),
    ),
)
