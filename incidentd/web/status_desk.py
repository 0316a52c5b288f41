"""Publications: what waits to become public, and what people say to the public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web

from incidentd.clock import random_id
from incidentd.config import Scope
from incidentd.domain.status_page.by_hand import Words
from incidentd.domain.status_page.facts import Publication
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.words import Phase, State, Status
from incidentd.public.statuspage import preview
from incidentd.store import publications
from incidentd.store.engine import Tx
from incidentd.web import models as m
from incidentd.web import status_models as s
from incidentd.web.op import Call, Op
from incidentd.workflows import public_page
from incidentd.workflows import publish_by_hand as workflow
from incidentd.workflows.publish_by_hand import Done


def public_code() -> str:
    """A fresh one, that nobody can guess."""
    return random_id()[:12]


async def listed(call: Call) -> web.Response:
    """Publications, newest first."""
    query: s.PublicationQuery = call.query
    states = tuple(State) if query.state is None else (query.state,)
    found = await call.desk.context.store.read(
        lambda tx: publications.search(tx, states, query.cursor, query.limit + 1)
    )
    more = m.cursor_of(found[query.limit - 1].id) if len(found) > query.limit else None
    items = [s.publication_json(Done(each, ())) for each in found[: query.limit]]
    return call.answer({"items": items, "next_cursor": more})


async def detail(call: Call) -> web.Response:
    """One publication with every revision of its texts."""

    def read(tx: Tx) -> Done:
        return workflow.shown(tx, _found(tx, call))

    # Over the writer: what is found is locked, as for those who act on it.
    return call.answer(s.publication_json(await call.desk.context.store.write(read)))


def _found(tx: Tx, call: Call) -> Publication:
    text = call.request.match_info["id"]
    return workflow.find(tx, text, m.incident_number(text))


def _words(call: Call, layout: Layout, now: datetime, body: s.SayBody) -> Words:
    return Words(
        author=call.identity.actor,
        code=public_code(),
        body=body.body,
        title=body.title,
        phase=body.status,
        effects=_effects(layout, body.components),
        impact=body.impact,
        next_update_at=None if body.next_update is None else now + body.next_update,
        started_at=body.started_at,
        forced=_forced(body),
    )


def _effects(layout: Layout, given: dict[str, Status]) -> dict[str, Status]:
    return {workflow.part_of(layout, name).id: status for name, status in given.items()}


def _forced(body: s.SpokenBody) -> tuple[str, ...]:
    return ("asked for",) if body.force else ()


async def publish(call: Call) -> web.Response:
    """A draft becomes public, or is shown as it would be."""
    context, body = call.desk.context, call.body
    rules, now = context.rules, context.clock.now()
    words = _words(call, rules.layout, now, body)
    if not body.preview:
        return await _act(call, lambda tx, known: workflow.publish(tx, rules, known, words, now))

    def look(tx: Tx) -> dict[str, object]:
        known = _found(tx, call)
        step = workflow.publishing(tx, rules, known, words, now)
        before, after = public_page.after(tx, rules.layout, step, now)
        shown = s.publication_json(workflow.shown(tx, known))
        return {**shown, "before": preview(before, known.code), "after": preview(after, known.code)}

    return call.answer(await context.store.write(look))


async def opened(call: Call) -> web.Response:
    """A public incident that no alert told of."""
    context = call.desk.context
    rules, now, code = context.rules, context.clock.now(), public_code()
    words = _words(call, rules.layout, now, call.body)
    done = await context.store.write(lambda tx: workflow.opened(tx, rules, words, code, now))
    _tell(call, done)
    return call.answer(s.publication_json(done), 201, location=f"{_PATH}/{code}")


async def update(call: Call) -> web.Response:
    """Say more."""
    context = call.desk.context
    rules, now = context.rules, context.clock.now()
    words = _words(call, rules.layout, now, call.body)
    return await _act(call, lambda tx, known: workflow.update(tx, rules, known, words, now))


async def resolve(call: Call) -> web.Response:
    """It is over."""
    context = call.desk.context
    rules, now, body = context.rules, context.clock.now(), call.body
    words = Words(call.identity.actor, public_code(), body.body, phase=Phase.RESOLVED, forced=_forced(body))
    return await _act(call, lambda tx, known: workflow.update(tx, rules, known, words, now))


async def postmortem(call: Call) -> web.Response:
    """Tell what it was."""
    context = call.desk.context
    rules, now, body = context.rules, context.clock.now(), call.body
    words = Words(call.identity.actor, public_code(), body.body, forced=_forced(body))
    return await _act(call, lambda tx, known: workflow.postmortem(tx, rules, known, words, now))


async def correct(call: Call) -> web.Response:
    """Another revision of a public text."""
    context = call.desk.context
    rules, now, body = context.rules, context.clock.now(), call.body
    words = Words(call.identity.actor, body.update, body.body, forced=_forced(body))
    return await _act(call, lambda tx, known: workflow.correct(tx, rules, known, words, now))


async def discard(call: Call) -> web.Response:
    """A draft does not become public."""
    context = call.desk.context
    rules, now, actor = context.rules, context.clock.now(), call.identity.actor
    return await _act(call, lambda tx, known: workflow.discard(tx, rules, known, actor, now))


async def _act(call: Call, act: Callable[[Tx, Publication], Done]) -> web.Response:
    done = await call.desk.context.store.write(lambda tx: act(tx, _found(tx, call)))
    _tell(call, done)
    return call.answer(s.publication_json(replace(done, changes=())))


def _tell(call: Call, done: Done) -> None:
    call.desk.context.changed(done.changes)
    call.desk.context.noted.ring()


_PATH: Final = "/api/v1/status/publications"
_REFUSALS: Final = (404, 409, 413, 415, 422)
_post = partial(
    Op, ("POST",), access=Scope.RESPOND, query=m.NoQuery, returns=s.PublicationAnswer, refusals=_REFUSALS
)
_read = partial(Op, ("GET",), access=Scope.READ)
OPS: Final = (
    _read(
        path=_PATH,
        handler=listed,
        summary="Publications and drafts, newest first",
        query=s.PublicationQuery,
        returns=s.PublicationPage,
    ),
    _post(path=_PATH, handler=opened, summary="Open a public incident by hand", body=s.OpenBody, status=201),
    _read(
        path=f"{_PATH}/{{id}}",
        handler=detail,
        summary="One publication with every revision of its texts",
        query=m.NoQuery,
        returns=s.PublicationAnswer,
        refusals=(404,),
    ),
    *(
        _post(path=f"{_PATH}/{{id}}/{verb}", handler=handler, summary=summary, body=body)
        for verb, handler, summary, body in (
            ("publish", publish, "Make a draft public, or preview that", s.PublishBody),
            ("update", update, "Say more about a public incident", s.SayBody),
            ("resolve", resolve, "End a public incident", s.SpokenBody),
            ("postmortem", postmortem, "Tell what it was", s.PostmortemBody),
            ("correct", correct, "Write another revision of a public text", s.CorrectBody),
            ("discard", discard, "A draft does not become public", m.NoBody),
        )
    ),
)
