"""What operators see of subscribers, and do for them. Addresses are personal data: this needs the scope admin."""

from __future__ import annotations

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AwareDatetime, Field

from incidentd.clock import random_id
from incidentd.config import Scope
from incidentd.domain.status_page.subscriber import Kind, Links, Standing, Subscriber, SubscribeRefusedError
from incidentd.store import subscribers as store
from incidentd.store.engine import Tx
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.forms import rules_of
from incidentd.web.op import Call, Op
from incidentd.web.problems import Problem
from incidentd.web.subscribe import web_address
from incidentd.workflows import subscribers as workflow
from incidentd.workflows.publish_by_hand import part_of
from incidentd.workflows.secrets import subscriber_secret


class AddBody(m.Body):
    """A webhook that an operator has told."""

    endpoint: Annotated[str, Field(max_length=2000)]
    """Where to post."""
    components: Annotated[list[m.Word], Field(max_length=1000)] = Field(default_factory=list)
    """Ids or names; none: everything."""


class SubscriberAnswer(Answer):
    """One subscriber."""

    id: str
    kind: Kind
    address: str
    standing: Standing
    components: list[str] | None
    """Ids; null: everything."""
    created_at: AwareDatetime
    confirmed_at: AwareDatetime | None
    failures: int
    """Notices in a row that could not be delivered."""
    secret: str | None = None
    """What signs its posts; only in the answer to who adds it."""


class SubscriberPage(Answer):
    """A page of subscribers."""

    items: list[SubscriberAnswer]
    next_cursor: str | None


async def listed(call: Call) -> web.Response:
    """Subscribers, newest first."""
    query: m.PageQuery = call.query
    found = await call.desk.context.store.read(lambda tx: store.listed(tx, query.cursor, query.limit + 1))
    more = m.cursor_of(found[query.limit - 1].id) if len(found) > query.limit else None
    return call.answer({"items": [_json(each) for each in found[: query.limit]], "next_cursor": more})


async def add(call: Call) -> web.Response:
    """Have a webhook told, without a question."""
    context, body, rules = call.desk.context, call.body, rules_of(call)
    layout, now, actor, code = (
        context.rules.layout,
        context.clock.now(),
        call.identity.actor,
        random_id()[:12],
    )

    def work(tx: Tx) -> tuple[Subscriber, str]:
        made = workflow.add(tx, layout, wish, code, actor, now)
        return made, Links(subscriber_secret(tx, now), rules.url).signing(code)

    try:
        components = tuple(part_of(layout, name).id for name in body.components)
        wish = workflow.Wish(Kind.WEBHOOK, web_address(body.endpoint, rules), "", components)
        made, secret = await context.store.write(work)
    except SubscribeRefusedError as refused:
        raise Problem(422, refused.detail) from None
    return call.answer({**_json(made), "secret": secret}, 201)


async def remove(call: Call) -> web.Response:
    """End a subscription."""
    context, code, actor = call.desk.context, call.request.match_info["id"], call.identity.actor
    now = context.clock.now()

    def work(tx: Tx) -> Subscriber:
        known = workflow.find(tx, code)
        workflow.remove(tx, code, actor, now)
        return known

    return call.answer(_json(await context.store.write(work)))


def _json(known: Subscriber) -> dict[str, Any]:
    names = ("kind", "address", "standing", "created_at", "confirmed_at", "failures")
    components = None if known.components is None else list(known.components)
    return {"id": known.code, **{name: getattr(known, name) for name in names}, "components": components}


_PATH: Final = "/api/v1/status/subscribers"
OPS: Final = (
    Op(
        ("GET",), _PATH, listed, Scope.ADMIN, "Subscribers of the status page, newest first",
        query=m.PageQuery, returns=SubscriberPage,
    ),
    Op(
        ("POST",), _PATH, add, Scope.ADMIN, "Have a webhook told of what becomes public",
        query=m.NoQuery, body=AddBody, returns=SubscriberAnswer, status=201, refusals=(404, 413, 415, 422),
    ),
    Op(
        ("DELETE",), f"{_PATH}/{{id}}", remove, Scope.ADMIN, "End a subscription",
        query=m.NoQuery, returns=SubscriberAnswer, refusals=(404,),
    ),
)  # fmt: skip
