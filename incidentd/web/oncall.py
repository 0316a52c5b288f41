"""On-call: who is on duty, the calendar of a schedule, overrides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field

from incidentd.domain.schedule import Duty, Schedule, Shift, Why
from incidentd.domain.schedule_time import instant, wall
from incidentd.store import overrides
from incidentd.store.engine import Tx
from incidentd.store.overrides import StoredOverride
from incidentd.web.answers import Answer
from incidentd.web.models import Body, Comment, Instant, PageQuery, Query, Word, cursor_of
from incidentd.web.op import Call
from incidentd.web.present import Json, page_json
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import oncall
from incidentd.workflows.calendars import troubles
from incidentd.workflows.oncall import OnDuty, OverrideEndedError, OverrideRefusedError, Wanted

_EARLIEST, _LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
T = TypeVar("T")


def _in_reach(value: datetime) -> datetime:
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("is not between the years 1971 and 2199")
    return value


Moment = Annotated[Instant, AfterValidator(_in_reach)]
"""An instant at which schedules can be asked."""


class OncallQuery(PageQuery):
    """When."""

    at: Moment | None = None
    """The instant; absent: now."""


class CalendarQuery(Query):
    """Which part of the calendar."""

    from_: Moment | None = Field(default=None, alias="from")
    """Where it begins; absent: today's first moment in the schedule's time zone."""
    weeks: int = Field(default=4, ge=1, le=53)
    """How many weeks of seven local days."""


class OverrideBody(Body):
    """Who is on duty instead of whom the layers say."""

    user: Word
    """Name of a user."""
    starts_at: Moment
    """What is in the past means now."""
    ends_at: Moment
    """Just before this instant it holds for the last time."""
    note: Comment | None = None
    """Why."""


class DutyAnswer(Answer):
    """Who is on duty in a schedule."""

    schedule: str
    time_zone: str
    at: AwareDatetime
    people: list[str]
    why: Why
    by: str
    since: AwareDatetime | None
    until: AwareDatetime | None
    warnings: list[str]


class DutyList(Answer):
    """Who is on duty, for each schedule."""

    items: list[DutyAnswer]
    next_cursor: str | None


class LayerAnswer(Answer):
    """A layer of a schedule."""

    name: str
    users: list[list[str]]


class ScheduleAnswer(Answer):
    """A schedule."""

    name: str
    time_zone: str
    layers: list[LayerAnswer]


class ScheduleList(Answer):
    """All schedules."""

    items: list[ScheduleAnswer]
    next_cursor: str | None


class ShiftAnswer(Answer):
    """A period in which the same people are on duty for the same reason."""

    people: list[str]
    why: Why
    by: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class GapAnswer(Answer):
    """A period in which nobody is on duty."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime


class CalendarAnswer(ScheduleAnswer):
    """A schedule with a part of its calendar: shifts and gaps together are all of it."""

    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    shifts: list[ShiftAnswer]
    gaps: list[GapAnswer]
    warnings: list[str]


class OverrideAnswer(Answer):
    """An override."""

    id: int
    schedule: str
    user: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    note: str
    created_by: str
    created_at: AwareDatetime
    cancelled_at: AwareDatetime | None
    cancelled_by: str | None


class OverridePage(Answer):
    """A page of overrides."""

    items: list[OverrideAnswer]
    next_cursor: str | None


async def now(call: Call) -> web.Response:
    """Who is on duty, in every schedule."""
    query: OncallQuery = call.query
    context = call.desk.context
    config, at = context.config, query.at or context.clock.now()
    found = await context.store.read(lambda tx: oncall.everybody(tx, config, at))
    return call.answer(sliced([_duty_json(each, at) for each in found], query))


async def listed(call: Call) -> web.Response:
    """The schedules as configured."""
    plans = call.desk.context.config.plans.values()
    return call.answer(sliced([_schedule_json(plan) for plan in plans], call.query))


async def calendar(call: Call) -> web.Response:
    """Shifts and gaps of one schedule."""
    query: CalendarQuery = call.query
    context = call.desk.context
    plan = oncall.plan_of(context.config, call.request.match_info["name"])
    start = query.from_ or _today(plan, context.clock.now())
    zone = ZoneInfo(plan.time_zone)
    end = instant(wall(start, zone) + timedelta(weeks=query.weeks), zone)
    found = await context.store.read(lambda tx: oncall.calendar(tx, plan, start, end))
    unknown = await context.store.read(lambda tx: troubles(tx, context.config))
    return call.answer(
        {
            **_schedule_json(plan),
            "from": start,
            "to": end,
            "shifts": [_shift_json(shift) for shift in found if shift.people],
            "gaps": [{"starts_at": gap.since, "ends_at": gap.until} for gap in found if not gap.people],
            "warnings": unknown.get(plan.name, ()),
        }
    )


async def override(call: Call) -> web.Response:
    """Put somebody on duty for a while."""
    body: OverrideBody = call.body
    context = call.desk.context
    config, at = context.config, context.clock.now()
    wanted = Wanted(
        schedule=call.request.match_info["name"],
        user=body.user,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        note=body.note or "",
        actor=call.identity.actor,
    )
    made = await _changed(call, lambda tx: oncall.add(tx, config, wanted, at))
    location = f"/api/v1/schedules/{made.schedule}/overrides/{made.id}"
    return call.answer(_override_json(made), 201, location=location)


async def overridden(call: Call) -> web.Response:
    """The overrides of a schedule, or of all, newest first."""
    query: PageQuery = call.query
    context, name = call.desk.context, call.request.match_info.get("name")
    if name is not None:
        oncall.plan_of(context.config, name)
    found = await context.store.read(lambda tx: overrides.search(tx, name, query.cursor, query.limit + 1))
    return call.answer(page_json(found, query.limit, lambda each: each.id, _override_json))


async def cancel(call: Call) -> web.Response:
    """An override holds no longer."""
    name, text = call.request.match_info.get("name"), call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such override")
    actor, at = call.identity.actor, call.desk.context.clock.now()
    made = await _changed(call, lambda tx: oncall.cancel(tx, name, int(text), actor, at))
    return call.answer(_override_json(made))


async def _changed(call: Call, work: Callable[[Tx], T]) -> T:
    try:
        return await call.desk.context.store.write(work)
    except OverrideRefusedError as refused:
        raise Problem(422, str(refused)) from None
    except OverrideEndedError as refused:
        raise Problem(409, str(refused)) from None


def _today(plan: Schedule, at: datetime) -> datetime:
    zone = ZoneInfo(plan.time_zone)
    return instant(wall(at, zone).replace(hour=0, minute=0, second=0, microsecond=0), zone)


def sliced(items: Sequence[Json], query: PageQuery) -> Json:
    """One page of what the configuration names, in its order; the cursor counts items."""
    end = (query.cursor or 0) + query.limit
    more = cursor_of(end) if end < len(items) else None
    return {"items": items[query.cursor or 0 : end], "next_cursor": more}


def _duty_json(found: OnDuty, at: datetime) -> Json:
    duty: Duty = found.duty
    return {
        "schedule": found.schedule.name,
        "time_zone": found.schedule.time_zone,
        "at": at,
        "people": duty.people,
        "why": duty.why.value,
        "by": duty.by,
        "since": duty.since,
        "until": duty.until,
        "warnings": found.warnings,
    }


def _schedule_json(plan: Schedule) -> Json:
    layers = [{"name": layer.name, "users": layer.users} for layer in plan.layers]
    return {"name": plan.name, "time_zone": plan.time_zone, "layers": layers}


def _shift_json(shift: Shift) -> Json:
    return {
        "people": shift.people,
        "why": shift.why.value,
        "by": shift.by,
        "starts_at": shift.since,
        "ends_at": shift.until,
    }


def _override_json(found: StoredOverride) -> Json:
    return {
        "id": found.id,
        "schedule": found.schedule,
        "user": found.user,
        "starts_at": found.starts_at,
        "ends_at": found.ends_at,
        "note": found.note,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "cancelled_at": found.cancelled_at,
        "cancelled_by": found.cancelled_by,
    }
