"""Asking to be told of what becomes public: a form without script or captcha, and the same as JSON.

The answer is the same for every address: it would otherwise tell anybody who reads here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field, TypeAdapter, ValidationError

from incidentd.channels.email_parts import address
from incidentd.channels.guard import forbidden
from incidentd.clock import random_id
from incidentd.domain.status_page.subscriber import Kind, Rules, SubscribeRefusedError
from incidentd.fields import HttpUrl
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.web.forms import Page, answer, choices, read_form, rules_of, speech
from incidentd.web.op import PUBLIC, Call, Op
from incidentd.web.problems import LimitReached, Problem, not_found
from incidentd.workflows import subscribers
from incidentd.workflows.subscribers import Wish

_URL: Final[TypeAdapter[str]] = TypeAdapter(HttpUrl)
_MAX_ADDRESS: Final = 254
_MAX_URL: Final = 2000
_NOT_AN_ADDRESS: Final = frozenset({"not an IP address"})
_LOCAL: Final = ("localhost", ".localhost", ".local", ".internal")


class Asked(m.Body):
    """Who asks, and for what."""

    email: Annotated[str, Field(max_length=_MAX_ADDRESS)]
    """Where the question to confirm goes, and later what becomes public."""
    endpoint: Annotated[str, Field(max_length=_MAX_URL)] | None = None
    """Posts go there instead of mails."""
    component_ids: Annotated[list[m.Word], Field(max_length=1000)] = Field(default_factory=list)
    """What about; none: everything."""


class AskBody(m.Body):
    """As Statuspage has it."""

    subscriber: Asked
    """Who asks."""


class AskedAnswer(Answer):
    """What was asked for. It is not confirmed yet."""

    email: str
    endpoint: str | None
    mode: Kind
    components: list[str]
    confirmed: bool


class AskAnswer(Answer):
    """As Statuspage has it, without what would tell whether the address is known."""

    subscriber: AskedAnswer


async def form(call: Call) -> web.Response:
    """The form."""
    return await answer(call, _form(call, "form_intro"))


def _form(call: Call, text: str, *, problem: bool = False, status: int = 200) -> Page:
    rules, layout, say = rules_of(call), call.desk.context.rules.layout, speech(call).say
    if rules.channel is None:
        raise not_found()
    return Page(
        heading=say("subscribe"),
        texts=(say(text),),
        status=status,
        problem=problem,
        form=say("form_send"),
        fields=True,
        webhooks=rules.webhooks,
        components=choices(layout),
    )


async def asked(call: Call) -> web.Response:
    """The form was sent."""
    fields = await read_form(call)
    if fields.get("website"):  # no person sees that field
        return await answer(call, _done(call))
    given = {name: fields[name][0] for name in ("email", "endpoint") if name in fields}
    try:
        await _ask(call, given.get("email", ""), given.get("endpoint"), fields.get("component", []))
    except SubscribeRefusedError as refused:
        if refused.later is not None:
            raise _later(call, refused) from None
        return await answer(call, _form(call, refused.word, problem=True, status=422))
    return await answer(call, _done(call))


def _done(call: Call) -> Page:
    say = speech(call).say
    return Page(say("form_sent"), (say("form_sent_what"), say("form_sent_good")))


async def post(call: Call) -> web.Response:
    """The same as JSON."""
    given: Asked = call.body.subscriber
    try:
        wish = await _ask(call, given.email, given.endpoint, given.component_ids)
    except SubscribeRefusedError as refused:
        if refused.later is not None:
            raise _later(call, refused) from None
        raise Problem(422, refused.detail) from None
    told: dict[str, Any] = {"email": wish.contact, "endpoint": given.endpoint, "mode": wish.kind}
    return call.answer({"subscriber": {**told, "components": list(wish.components), "confirmed": False}}, 201)


async def _ask(call: Call, email: str, endpoint: str | None, components: list[str]) -> Wish:
    context, rules, code = call.desk.context, rules_of(call), random_id()[:12]
    if rules.channel is None:
        raise not_found()
    contact = mail_address(email)
    wish = Wish(Kind.EMAIL, contact, contact, tuple(components))
    if endpoint:
        wish = Wish(Kind.WEBHOOK, web_address(endpoint, rules), contact, tuple(components))
    layout, now = context.rules.layout, context.clock.now()
    await context.store.write(lambda tx: subscribers.ask(tx, rules, layout, wish, code, now))
    return wish


def mail_address(text: str) -> str:
    """The bare address, in small letters. Raises `SubscribeRefusedError`."""
    try:
        found = address(text).addr_spec
    except ValueError:
        found = ""
    if not found or len(found) > _MAX_ADDRESS:
        raise SubscribeRefusedError("that is no mail address; accepted: you@example.com", word="refused_mail")
    return found.lower()


def web_address(text: str, rules: Rules) -> str:
    """Where to post. Raises `SubscribeRefusedError`; what its name leads to is looked at when something is sent."""
    if not rules.webhooks:
        raise SubscribeRefusedError("this page posts to no addresses; ask for mails", word="refused_posts")
    try:
        url = _URL.validate_python(text.strip())
    except ValidationError:
        raise SubscribeRefusedError(
            "that is no web address; accepted: https://host.example/path", word="refused_web"
        ) from None
    host = (urlsplit(url).hostname or "").lower()
    reason = forbidden(host)
    inside = host.endswith(_LOCAL) or (reason is not None and reason not in _NOT_AN_ADDRESS)
    if inside and not rules.private:
        raise SubscribeRefusedError("that address is not on the public internet", word="refused_inside")
    if len(url) > _MAX_URL:
        raise SubscribeRefusedError("that web address is too long", word="refused_long")
    return url


def _later(call: Call, refused: SubscribeRefusedError) -> Problem:
    call.desk.context.metrics.rate_limit_hits.labels("/subscribe").inc()
    return LimitReached(refused.detail, {"Retry-After": str(refused.later)})


OPS: Final = (
    Op(("GET", "HEAD"), "/subscribe", form, PUBLIC, "The form to be told by mail", media="text/html", refusals=(404,)),
    Op(
        ("POST",), "/subscribe", asked, PUBLIC, "Ask to be told: a mail with a link to confirm is sent",
        media="text/html", refusals=(404, 413, 415, 422),
    ),
    Op(
        ("POST",), "/api/v2/subscribers.json", post, PUBLIC, "The same as JSON, in Statuspage's shape",
        query=m.NoQuery, body=AskBody, returns=AskAnswer, status=201, refusals=(404, 413, 415, 422),
    ),
)  # fmt: skip
