"""Scheduled maintenance on the status page, and statuses that people give components."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from incidentd.config import Scope
from incidentd.domain.maintenance import plan, span
from incidentd.domain.status_page.facts import Maintenance, Override
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.planned import Word
from incidentd.domain.status_page.words import Stage
from incidentd.store import public_state
from incidentd.web import models as m
from incidentd.web import status_models as s
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem, not_found
from incidentd.web.status_desk import public_code
from incidentd.workflows import public_maintenance
from incidentd.workflows.publish_by_hand import checked, clear, inside_of, override, part_of

_LISTED = 200


async def plans(call: Call) -> web.Response:
    """Scheduled maintenances."""
    found = await call.desk.context.store.read(lambda tx: public_state.maintenances(tx, _LISTED))
    return call.answer({"items": [s.plan_json(each) for each in found], "next_cursor": None})


async def schedule(call: Call) -> web.Response:
    """Tell the public of a maintenance to come."""
    context, body = call.desk.context, call.body
    layout, now = context.rules.layout, context.clock.now()
    inside = await context.store.read(lambda tx: inside_of(tx, layout))
    forced = checked([body.title, body.body], inside, force=body.force)
    word = Word(call.identity.actor, body.body, forced)
    try:
        # In a thread: a rule that hardly ever happens is looked for through thousands of years.
        wanted = await asyncio.to_thread(_planned, body, layout, call.identity.actor, now)
        made = await context.store.write(
            lambda tx: public_maintenance.schedule(tx, layout, wanted, word, public_code, quiet=body.quiet)
        )
    except (ValueError, OverflowError) as wrong:
        places = [{"at": "/", "detail": str(wrong)}]
        raise Problem(422, "the maintenance is not understood", members={"errors": places}) from None
    context.noted.ring()
    return call.answer(s.plan_json(made), 201)


def _planned(body: s.PlanBody, layout: Layout, actor: str, now: datetime) -> Maintenance:
    """What was asked for, at its first occurrence. Raises ValueError, `NotFoundError`."""
    here = ZoneInfo(body.time_zone)
    when = plan(body.starts or now, body.duration, body.time_zone, body.rrule)
    first = span(when, now)
    if first is None:
        raise ValueError("the maintenance is over already")
    return Maintenance(
        id=0,
        code=public_code(),
        title=body.title,
        stage=Stage.SCHEDULED,
        components=tuple(dict.fromkeys([part_of(layout, name).id for name in body.components])),
        scheduled_for=first.starts_at.astimezone(UTC),
        scheduled_until=first.ends_at,
        created_at=now,
        created_by=actor,
        updated_at=now,
        rrule=body.rrule,
        time_zone=here.key,
        starts=when.starts.isoformat(),
        verify=body.verify,
    )


async def move(call: Call) -> web.Response:
    """Take a maintenance on, or end it."""
    context, body, code = call.desk.context, call.body, call.request.match_info["id"]
    layout, now = context.rules.layout, context.clock.now()
    inside = await context.store.read(lambda tx: inside_of(tx, layout))
    forced = checked([body.body], inside, force=body.force)
    word = Word(call.identity.actor, body.body, forced, body.series and body.status is Stage.COMPLETED)
    made = await context.store.write(
        lambda tx: public_maintenance.move(
            tx, layout, public_maintenance.find(tx, code), body.status, now, word, public_code
        )
    )
    context.noted.ring()
    return call.answer(s.plan_json(made))


async def overrides(call: Call) -> web.Response:
    """Statuses that people gave components."""
    context = call.desk.context
    now = context.clock.now()
    found = await context.store.read(lambda tx: public_state.overrides(tx, now, _LISTED))
    items = [s.override_json(each, now) for each in found]
    return call.answer({"items": items, "next_cursor": None})


async def set_override(call: Call) -> web.Response:
    """Give a component a status."""
    context, body = call.desk.context, call.body
    layout, now = context.rules.layout, context.clock.now()
    wanted = Override(
        id=0,
        component=part_of(layout, body.component).id,
        status=body.status,
        reason=body.reason,
        author=call.identity.actor,
        created_at=now,
        until=None if body.for_ is None else now + body.for_,
    )
    made = await context.store.write(lambda tx: override(tx, layout, wanted))
    context.noted.ring()
    return call.answer(s.override_json(made, now), 201, location=f"{_OVERRIDES}/{made.id}")


async def clear_override(call: Call) -> web.Response:
    """Let the status follow from incidents and maintenance again."""
    context, actor, text = call.desk.context, call.identity.actor, call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such override")
    now = context.clock.now()
    cleared = await context.store.write(lambda tx: clear(tx, int(text), actor, now))
    context.noted.ring()
    return call.answer(s.override_json(cleared, now))


_PLANS: Final = "/api/v1/status/maintenances"
_OVERRIDES: Final = "/api/v1/status/overrides"
_WRITE: Final = (404, 409, 413, 415, 422)
OPS: Final = (
    Op(
        ("GET",), _PLANS, plans, Scope.READ, "Scheduled maintenances, those to come first",
        query=m.NoQuery, returns=s.PlanList,
    ),
    Op(
        ("POST",), _PLANS, schedule, Scope.RESPOND, "Schedule a maintenance: told to the public, pages withheld",
        query=m.NoQuery, body=s.PlanBody, returns=s.PlanAnswer, status=201, refusals=_WRITE,
    ),
    Op(
        ("POST",), f"{_PLANS}/{{id}}/update", move, Scope.RESPOND, "Start, verify, complete or cancel a maintenance",
        query=m.NoQuery, body=s.MoveBody, returns=s.PlanAnswer, refusals=_WRITE,
    ),
    Op(
        ("GET",), _OVERRIDES, overrides, Scope.READ, "Statuses that people gave components",
        query=m.NoQuery, returns=s.OverrideList,
    ),
    Op(
        ("POST",), _OVERRIDES, set_override, Scope.RESPOND, "Give a component a status",
        query=m.NoQuery, body=s.OverrideBody, returns=s.OverrideAnswer, status=201, refusals=_WRITE,
    ),
    Op(
        ("DELETE",), f"{_OVERRIDES}/{{id}}", clear_override, Scope.RESPOND, "Let it follow from incidents again",
        query=m.NoQuery, returns=s.OverrideAnswer, refusals=(404,),
    ),
)  # fmt: skip
