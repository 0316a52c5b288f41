"""Runbooks: those in force, the one of an incident, and its steps as people go through them."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from incidentd.config import Scope
from incidentd.domain.incident import Incident
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.runbook_steps import Progress, StepState
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
from incidentd.workflows.runbooks import Marked, StepAsk, mark_step


class StepBody(m.Body):
    """What to do with a step."""

    state: Literal["done", "skipped", "pending"]
    """`pending` puts it back."""
    comment: m.Comment = ""
    """Why, or what came of it."""


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
    return named_page(call, runbook)


async def of_incident(call: Call) -> web.Response:
    """The runbook of an incident with its steps; a page if the client prefers HTML."""
    number = incident_id(call)

    def read(tx: Tx) -> tuple[Incident, Progress | None, str | None]:
        found = incident_store.search(tx, Search(before=number + 1, limit=1))
        if not found or found[0].id != number:
            raise not_found(f"there is no incident INC-{number}")
        progress = store.of(tx, [number]).get(number)
        return found[0], progress, store.text_of(tx, progress) if progress else None

    incident, progress, text = await call.desk.context.store.read(read)
    if progress is None and not incident.runbook_url:
        raise not_found(f"INC-{number} has no runbook: none matched as it opened, and its alert names none")
    if progress is not None and text is not None and _wants_html(call):
        return incident_page(call, incident, progress, text)
    return call.answer(attached_json(incident, progress, text))


def _wants_html(call: Call) -> bool:
    accept = call.request.headers.get("Accept", "")
    return "text/html" in accept and "application/json" not in accept


async def mark(call: Call) -> web.Response:
    """Move a step; answers the runbook of the incident as it is now."""
    body: StepBody = call.body
    number, given = incident_id(call), call.request.match_info["n"]
    if not (given.isascii() and given.isdigit() and len(given) <= 4):
        raise not_found("there is no such step; accepted: its number, from 1")
    context = call.desk.context
    ask = StepAsk(number, int(given), StepState(body.state), call.identity.actor, body.comment or "")
    rules, now = context.rules, context.clock.now()

    def write(tx: Tx) -> tuple[Marked, Incident, str]:
        marked = mark_step(tx, ask, rules, now)
        return marked, incident_store.by_ids(tx, [number])[0], store.text_of(tx, marked.progress)

    marked, incident, text = await context.store.write(write)
    if marked.changes:
        context.changed(marked.changes)
    return call.answer(attached_json(incident, marked.progress, text))


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
        "A step is done, skipped, or to be done after all",
        query=m.NoQuery,
        body=StepBody,
        returns=IncidentRunbook,
        refusals=(404, 409, 413, 415, 422),
    ),
)
