"""Steps that machines take: their runs, their drawings, and the switch that ends all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from incidentd.automation.command import why_none
from incidentd.config import Scope
from incidentd.domain.automation import StepRun
from incidentd.store import automation as store
from incidentd.store.engine import Tx
from incidentd.web import models as m
from incidentd.web.automation_answers import RunDetail, RunList, SwitchAnswer, drawing, run_json
from incidentd.web.incidents import incident_id
from incidentd.web.op import Call, Op
from incidentd.web.present import page_json
from incidentd.web.problems import Problem, not_found
from incidentd.workflows import automation_switch
from incidentd.workflows.automation_switch import Switch

_SVG: Final = "image/svg+xml"
_CSP: Final = "default-src 'none'; style-src 'none'; frame-ancestors 'none'"


class SwitchBody(m.Body):
    """Stop everything, or let it go on."""

    stopped: bool
    comment: m.Comment = ""


class RunQuery(m.PageQuery):
    """Which runs."""

    number: Annotated[int, Field(ge=1, le=9999)] | None = None
    """Of this step only."""


async def listed(call: Call) -> web.Response:
    """Runs of an incident, newest first."""
    number, query = incident_id(call), call.query

    def read(tx: Tx) -> list[StepRun]:
        return store.page_of(tx, number, query.number, query.cursor, query.limit + 1)

    found = await call.desk.context.store.read(read)
    return call.answer(page_json(found, query.limit, lambda run: run.id, run_json))


async def one(call: Call) -> web.Response:
    """One with what it said."""
    run = await _run(call)
    return call.answer({**run_json(run), "output": run.output})


async def chart(call: Call) -> web.Response:
    """The course of its first series as a small drawing."""
    run = await _run(call)
    drawn = drawing(run)
    if drawn is None:
        raise not_found("there is nothing to draw: it has no course of values")
    headers = call.desk.headers(call.request_id, _SVG)
    headers["Content-Security-Policy"] = _CSP
    return web.Response(text=drawn, headers=headers)


async def _run(call: Call) -> StepRun:
    number, given = incident_id(call), call.request.match_info["run"]
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise not_found("there is no such run")
    run = await call.desk.context.store.read(lambda tx: store.read_one(tx, number, int(given)))
    if run is None:
        raise not_found(f"INC-{number} has no run {given}")
    return run


async def standing(call: Call) -> web.Response:
    """How the switch stands."""
    found = await call.desk.context.store.read(automation_switch.switch)
    return call.answer(_switch_json(call, found))


async def throw(call: Call) -> web.Response:
    """Stop everything at once, or let it go on, which takes `admin`: whoever stopped it had a reason."""
    body: SwitchBody = call.body
    if not body.stopped and not call.identity.may(Scope.ADMIN):
        raise Problem(403, f"to let automation go on needs a token with the scope {Scope.ADMIN.value}")
    actor, now, comment = call.identity.actor, call.desk.context.clock.now(), body.comment or ""

    def write(tx: Tx) -> Switch:
        return automation_switch.throw(tx, actor, comment, now, stop=body.stopped)

    return call.answer(_switch_json(call, await call.desk.context.store.write(write)))


def _switch_json(call: Call, switch: Switch) -> dict[str, Any]:
    section = call.desk.context.config.automation
    return {
        "enabled": section.enabled,
        "dry_run": section.dry_run,
        "stopped": bool(switch.by),
        "stopped_by": switch.by or None,
        "stopped_at": switch.at or None,
        "comment": switch.comment,
        "commands": list(section.commands),
        "unfit": list(_unfit(call)) if section.enabled else [],
    }


def _unfit(call: Call) -> Iterator[str]:
    context = call.desk.context
    if why := why_none(context.config.automation):
        yield f"all commands: {why}"
    for book in context.rules.runbooks.runbooks:
        for step in book.steps:
            why = context.rules.automation.refusal(step.action) if step.action is not None else ""
            if why:
                yield f"{book.name}, step {step.number}: {why}"


_RUNS: Final = "/api/v1/incidents/{id}/runbook/runs"
_SWITCH: Final = "/api/v1/automation"
OPS: Final = (
    Op(
        ("GET",),
        _RUNS,
        listed,
        Scope.READ,
        "What machines did in the steps of an incident, newest first",
        query=RunQuery,
        returns=RunList,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        f"{_RUNS}/{{run}}",
        one,
        Scope.READ,
        "One of them with its output",
        query=m.NoQuery,
        returns=RunDetail,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        f"{_RUNS}/{{run}}/chart.svg",
        chart,
        Scope.READ,
        "The course of its values as a small drawing",
        media=_SVG,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        _SWITCH,
        standing,
        Scope.READ,
        "Whether machines take steps",
        query=m.NoQuery,
        returns=SwitchAnswer,
    ),
    Op(
        ("POST",),
        _SWITCH,
        throw,
        Scope.RESPOND,
        "Stop all of it at once; to let it go on takes `admin`",
        query=m.NoQuery,
        body=SwitchBody,
        returns=SwitchAnswer,
        refusals=(413, 415, 422),
    ),
)
