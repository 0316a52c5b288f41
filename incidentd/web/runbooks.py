"""Runbooks: those in force, the one of an incident, and its steps as people go through them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final, Literal

from aiohttp import web

from incidentd.config import Scope
from incidentd.domain.automation import StepRun
from incidentd.domain.incident import Change, Incident
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.runbook_steps import Progress, StepState
from incidentd.store import automation as automation_store
from incidentd.store import incidents as incident_store
from incidentd.store import runbooks as store
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.web import models as m
from incidentd.web.incidents import incident_id
from incidentd.web.op import Call, Op
from incidentd.web.problems import not_found
from incidentd.web.runbook_answers import (
    IncidentRunbook,
    RunbookList,
    attached_json,
    fault_json,
    runbook_json,
)
from incidentd.web.runbook_page import incident_page, named_page
from incidentd.workflows.automation import RunAsk, ask, end
from incidentd.workflows.rules import Rules
from incidentd.workflows.runbooks import StepAsk, mark_step


class StepBody(m.Body):
    """What to do with a step. What a machine runs stands in the configuration: nothing of it can be sent."""

    state: Literal["done", "skipped", "pending", "running", "stopped"]
    """`pending` puts it back; `running` has a machine take it, or agrees to that; `stopped` ends that."""
    comment: m.Comment = ""
    """Why, or what came of it."""
    dry_run: bool = False
    """With `running`: say what would be done, and do nothing."""


async def listed(call: Call) -> web.Response:
    """The runbooks in force, by name, and what is wrong with the others."""
    library = call.desk.context.library
    books, problems = (library.shelf.runbooks, library.folder.problems) if library else ((), ())
    items = [runbook_json(book) for book in books]
    return call.answer(
        {"items": items, "next_cursor": None, "problems": [fault_json(each) for each in problems]}
    )


async def page(call: Call) -> web.Response:
    """One of them, for people."""
    library = call.desk.context.library
    name = call.request.match_info["name"]
    runbook = (library.shelf if library else Shelf()).named(name)
    if runbook is None:
        raise not_found("there is no such runbook; GET /api/v1/runbooks lists them")
    return await asyncio.to_thread(named_page, call, runbook)


async def of_incident(call: Call) -> web.Response:
    """The runbook of an incident with its steps; a page if the client prefers HTML."""
    number = incident_id(call)

    def read(tx: Tx) -> tuple[Incident, Progress | None, str | None, list[StepRun]]:
        found = incident_store.search(tx, Search(before=number + 1, limit=1))
        if not found or found[0].id != number:
            raise not_found(f"there is no incident INC-{number}")
        progress = store.of(tx, [number]).get(number)
        text = store.text_of(tx, progress) if progress else None
        return found[0], progress, text, automation_store.latest_of(tx, number)

    incident, progress, text, runs = await call.desk.context.store.read(read)
    if progress is None and not incident.runbook_url:
        raise not_found(f"INC-{number} has no runbook: none matched as it opened, and its alert names none")
    if progress is not None and text is not None and _wants_html(call):
        # A long runbook takes a while to render: nobody else waits for it.
        return await asyncio.to_thread(incident_page, call, incident, progress, text, runs)
    return call.answer(attached_json(incident, progress, text, runs))


def _wants_html(call: Call) -> bool:
    accept = call.request.headers.get("Accept", "")
    return "text/html" in accept and "application/json" not in accept


async def mark(call: Call) -> web.Response:
    """Move a step, or have a machine take it; answers the runbook of the incident as it is now."""
    number, given = incident_id(call), call.request.match_info["n"]
    if not (given.isascii() and given.isdigit() and len(given) <= 4):
        raise not_found("there is no such step; accepted: its number, from 1")
    context = call.desk.context
    rules, now = context.rules, context.clock.now()

    def write(tx: Tx) -> tuple[tuple[Change, ...], dict[str, Any]]:
        progress, changes = _moved(tx, call, number, int(given), rules, now)
        incident, runs = incident_store.by_ids(tx, [number])[0], automation_store.latest_of(tx, number)
        return changes, attached_json(incident, progress, store.text_of(tx, progress), runs)

    changes, answer = await context.store.write(write)
    if changes:
        context.changed(changes)
    return call.answer(answer)


def _moved(
    tx: Tx, call: Call, number: int, step: int, rules: Rules, now: datetime
) -> tuple[Progress, tuple[Change, ...]]:
    body, actor = call.body, call.identity.actor
    comment = body.comment or ""
    if body.state in {"running", "stopped"}:
        wanted = RunAsk(number, step, actor, comment, body.dry_run)
        asked = (ask if body.state == "running" else end)(tx, wanted, rules, now)
        return asked.progress, asked.changes
    marked = mark_step(tx, StepAsk(number, step, StepState(body.state), actor, comment), rules, now)
    return marked.progress, marked.changes


_INCIDENT: Final = "/api/v1/incidents/{id}/runbook"
OPS: Final = (
    Op(
        ("GET",),
        "/api/v1/runbooks",
        listed,
        Scope.READ,
        "The runbooks in force, and what is wrong with others",
        query=m.NoQuery,
        returns=RunbookList,
    ),
    Op(
        ("GET",),
        "/runbooks/{name}",
        page,
        Scope.READ,
        "One of them, as a page for people",
        media="text/html",
        refusals=(404,),
    ),
    Op(
        ("GET",),
        _INCIDENT,
        of_incident,
        Scope.READ,
        "The runbook of an incident with its steps; a page for who accepts text/html",
        query=m.NoQuery,
        returns=IncidentRunbook,
        or_media=("text/html",),
        refusals=(404,),
    ),
    Op(
        ("POST",),
        f"{_INCIDENT}/steps/{{n}}",
        mark,
        Scope.RESPOND,
        "A step is done, skipped, to be done after all, or to be run by a machine",
        query=m.NoQuery,
        body=StepBody,
        returns=IncidentRunbook,
        refusals=(404, 409, 413, 415, 422),
    ),
)
