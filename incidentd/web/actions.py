"""Action items: what has to be done after an incident, by whom and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any, Final, Self

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from incidentd.config import Scope
from incidentd.domain.action_item import ActionItem, Edit, ItemMove, ItemState
from incidentd.store import action_items as store
from incidentd.store.engine import Tx
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.incidents import incident_id
from incidentd.web.op import Call, Op
from incidentd.web.present import page_json
from incidentd.web.problems import not_found
from incidentd.workflows import action_items as workflow
from incidentd.workflows.action_items import Acted

Json = dict[str, Any]
_EARLIEST: Final = date(2000, 1, 1)


def _day(value: date) -> date:
    if value < _EARLIEST:
        raise ValueError("is before the year 2000")
    return value


Owner = Annotated[m.Word, Field(max_length=100)]
Day = Annotated[date, AfterValidator(_day)]


class ActionBody(m.Body):
    """A new action item."""

    title: m.Title
    """What is to be done."""
    owner: Owner = ""
    """Who sees to it: a person or a team."""
    due: Day | None = None
    """The last day, in UTC, on which it is in time, such as `2026-12-24`."""


class EditBody(m.Body):
    """What to change of one; what is left out stays."""

    title: m.Title | None = None
    owner: Owner | None = None
    """Null, or empty: nobody."""
    due: Day | None = None
    """Null: it has no day any more."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change; accepted: title, owner, due")
        if "title" in self.model_fields_set and self.title is None:
            raise ValueError("title is null; an action item has one")
        return self


class ActionQuery(m.PageQuery):
    """Which action items. Every given parameter must match."""

    state: ItemState | None = None
    """`open`, `done` or `dropped`."""
    owner: m.Word | None = None
    """Exactly this owner."""
    incident: m.IncidentRef | None = None
    """Of this incident."""
    overdue: bool = False
    """Only open ones whose day is over."""


class Action(Answer):
    """One action item."""

    id: int
    incident_id: int
    ref: str
    title: str
    owner: str | None
    due: date | None
    state: ItemState
    overdue: bool
    """It is open, and its day is over."""
    created_by: str
    created_at: AwareDatetime
    closed_by: str | None
    closed_at: AwareDatetime | None
    comment: str
    """What was said with the last move."""


class ActionPage(Answer):
    """A page of action items."""

    items: list[Action]
    next_cursor: str | None


async def search(call: Call) -> web.Response:
    """Action items of all incidents, newest first."""
    query: ActionQuery = call.query
    context = call.desk.context
    now = context.clock.now()
    wanted = store.Search(
        incident_id=query.incident,
        state=query.state,
        owner=query.owner,
        due_before=now.astimezone(UTC).date() if query.overdue else None,
        before=query.cursor,
        limit=query.limit + 1,
    )
    found = await context.store.read(lambda tx: store.search(tx, wanted))
    return call.answer(page_json(found, query.limit, lambda item: item.id, lambda i: item_json(i, now)))


async def detail(call: Call) -> web.Response:
    """One action item."""
    number, context = _number(call), call.desk.context
    found = await context.store.read(lambda tx: store.by_id(tx, number))
    if found is None:
        raise not_found(f"there is no action item {number}")
    return call.answer(item_json(found, context.clock.now()))


async def add(call: Call) -> web.Response:
    """Add one to an incident."""
    body: ActionBody = call.body
    number, context = incident_id(call), call.desk.context
    rules, now, actor = context.rules, context.clock.now(), call.identity.actor
    item = ActionItem(0, number, body.title, body.owner, body.due, ItemState.OPEN, actor, now)
    return await _done(call, lambda tx: workflow.add(tx, item, rules, now), 201)


async def edit(call: Call) -> web.Response:
    """Give one another title, owner or day."""
    body: EditBody = call.body
    number, context = _number(call), call.desk.context
    rules, now, actor = context.rules, context.clock.now(), call.identity.actor
    owner = (body.owner or "") if "owner" in body.model_fields_set else None
    asked = Edit(body.title, owner, body.due, "due" in body.model_fields_set and body.due is None)
    return await _done(call, lambda tx: workflow.edit(tx, number, asked, actor, rules, now))


async def _move(call: Call, how: ItemMove) -> web.Response:
    body: m.CommentBody = call.body
    number, context = _number(call), call.desk.context
    rules, now, actor = context.rules, context.clock.now(), call.identity.actor
    said = body.comment or ""
    return await _done(call, lambda tx: workflow.move(tx, number, how, said, actor, rules, now))


async def _done(call: Call, work: Callable[[Tx], Acted], status: int = 200) -> web.Response:
    context = call.desk.context
    acted = await context.store.write(work)
    if acted.changes:
        context.changed(acted.changes)
    shown = item_json(acted.item, context.clock.now())
    return call.answer(shown, status, location=f"{_PATH}/{acted.item.id}" if status == 201 else None)


def _number(call: Call) -> int:
    text = call.request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found("there is no such action item")
    return int(text)


def item_json(item: ActionItem, now: datetime) -> Json:
    """An action item as everybody is shown it."""
    return {
        "id": item.id,
        "incident_id": item.incident_id,
        "ref": f"INC-{item.incident_id}",
        "title": item.title,
        "owner": item.owner or None,
        "due": item.due,
        "state": item.state.value,
        "overdue": item.overdue(now),
        "created_by": item.created_by,
        "created_at": item.created_at,
        "closed_by": item.closed_by,
        "closed_at": item.closed_at,
        "comment": item.comment,
    }


_PATH: Final = "/api/v1/actions"
_read = partial(Op, ("GET",), access=Scope.READ)
_respond = partial(Op, ("POST",), access=Scope.RESPOND, query=m.NoQuery, returns=Action)
OPS: Final = (
    _read(
        path=_PATH,
        handler=search,
        query=ActionQuery,
        returns=ActionPage,
        summary="Action items of all incidents, newest first",
    ),
    _read(
        path=f"{_PATH}/{{id}}",
        handler=detail,
        query=m.NoQuery,
        returns=Action,
        refusals=(404,),
        summary="One action item",
    ),
    _respond(
        path="/api/v1/incidents/{id}/actions",
        handler=add,
        body=ActionBody,
        status=201,
        refusals=(404, 413, 415, 422),
        summary="Add an action item to an incident, open or resolved",
    ),
    _respond(
        path=f"{_PATH}/{{id}}/edit",
        handler=edit,
        body=EditBody,
        refusals=(404, 413, 415, 422),
        summary="Give an action item another title, owner or day",
    ),
    *(
        _respond(
            path=f"{_PATH}/{{id}}/{verb}",
            handler=partial(_move, how=how),
            body=m.CommentBody,
            refusals=(404, 413, 415, 422),
            summary=summary,
        )
        for verb, how, summary in (
            ("done", ItemMove.DO, "It is done"),
            ("drop", ItemMove.DROP, "It is not going to be done"),
            ("reopen", ItemMove.REOPEN, "It is to be done after all"),
        )
    ),
)
"""How action items are read and changed."""
