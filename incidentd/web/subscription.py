"""The page behind the link in a subscriber's mails: confirm, choose, leave. Looking at it changes nothing.

The link is the credential, and nothing a browser adds by itself counts. Mail scanners open links, so only a press on a
button acts, or the one post of RFC 8058 that mail programs send when their own button is pressed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import web

from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.subscriber import Kind, Links, Standing, Subscriber, SubscribeRefusedError
from incidentd.security_events import SecurityEvent
from incidentd.store import subscribers as store
from incidentd.store.engine import Tx
from incidentd.web.forms import Page, answer, choices, read_form
from incidentd.web.op import LINK, Call, Op
from incidentd.web.subscribe import rules_of
from incidentd.workflows import subscribers as workflow
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.secrets import known_subscriber_secret

_MAX_TOKEN: Final = 100
_GONE: Final = Page(
    "This subscription has ended",
    ("Or it was not confirmed in time. Nothing is sent. You can subscribe anew at any time.",),
    status=404,
    up="../",
)
_LEFT: Final = Page(
    "You are unsubscribed", ("Nothing more is sent, and your address is forgotten.",), up="../"
)


async def show(call: Call) -> web.Response:
    """The page, for GET and HEAD."""
    links, code = await _links(call)
    found = await call.desk.context.store.read(lambda tx: store.seen(tx, code)) if code else None
    if links is None or found is None:
        return answer(call, _GONE)
    return answer(call, _page(call, links, found))


async def act(call: Call) -> web.Response:
    """Confirm, or choose components."""
    fields = await read_form(call)
    links, code = await _links(call)
    if links is None or code is None:
        return answer(call, _GONE)
    context = call.desk.context
    layout, now, chosen = context.rules.layout, context.clock.now(), fields.get("component", [])

    def work(tx: Tx) -> Subscriber:
        if "confirm" in fields:
            return workflow.confirm(tx, code, now)
        return workflow.choose(tx, layout, code, chosen)

    try:
        found = await context.store.write(work)
    except NotFoundError:
        return answer(call, _GONE)
    except SubscribeRefusedError as refused:
        page = Page("Not possible", (refused.detail,), status=422, up="../", problem=True)
        return answer(call, page)
    said = "You are subscribed." if "confirm" in fields else "Your choice is kept."
    return answer(call, _page(call, links, found, said))


async def ask(call: Call) -> web.Response:
    """The page that asks whether it shall end, for GET and HEAD."""
    links, code = await _links(call)
    found = await call.desk.context.store.read(lambda tx: store.seen(tx, code)) if code else None
    if links is None or found is None:
        return answer(call, _up(_GONE))
    part = call.desk.context.rules.layout.part(call.request.query.get("component", ""))
    hidden = (("leave", "yes"), *((("component", part.id),) if part else ()))
    what = f"No more about {part.full_name}?" if part else "No more of everything on this page?"
    return answer(call, Page("Unsubscribe", (what,), up="../../", form="Unsubscribe", hidden=hidden))


async def leave(call: Call) -> web.Response:
    """It ends, or what it tells of one component: by the button, or by the one click of a mail program."""
    fields = await read_form(call)
    links, code = await _links(call)
    if links is None or code is None:
        return answer(call, _up(_GONE))
    if "leave" not in fields and fields.get("List-Unsubscribe") != ["One-Click"]:
        return await ask(call)  # some program that posts whatever it finds
    context, given = call.desk.context, fields.get("component", [None])[0]
    layout = context.rules.layout
    left = await context.store.write(lambda tx: workflow.leave(tx, layout, code, given))
    if left is None:
        return answer(call, _up(_LEFT))
    part = layout.part(given or "")
    said = f"You hear no more about {part.full_name}." if part else ""
    return answer(call, _up(_page(call, links, left, said)))


async def _links(call: Call) -> tuple[Links | None, str | None]:
    """The links, and the code in the request's; None for one that is not ours."""
    token = call.request.match_info["token"]
    secret = await call.desk.context.store.read(known_subscriber_secret)
    links = Links(secret, rules_of(call).url) if secret is not None and len(token) <= _MAX_TOKEN else None
    code = links.read(token) if links is not None else None
    if code is None:
        call.desk.context.metrics.security_event(SecurityEvent.SIG_FAIL)
    return links, code


def _page(call: Call, links: Links, known: Subscriber, said: str = "") -> Page:
    layout, way = call.desk.context.rules.layout, "Mails to" if known.kind is Kind.EMAIL else "Posts to"
    what = f"{way} {known.address}, about {_wanted(layout, known)}."
    leave_at, told = links.unsubscribe(known.code), tuple(text for text in (said, what) if text)
    if known.standing is not Standing.ACTIVE:
        why = "What we sent came back, so nothing more is sent until you confirm it again."
        texts = (what,) if known.standing is Standing.PENDING else (what, why)
        return Page(
            "Confirm your subscription",
            texts,
            up="../",
            form="Confirm",
            hidden=(("confirm", "yes"),),
            leave=leave_at,
        )
    return Page(
        heading="Your subscription",
        texts=told,
        up="../",
        form="Keep this choice",
        action=links.manage(known.code),
        components=choices(layout, known.components),
        secret=links.signing(known.code) if known.kind is Kind.WEBHOOK else "",
        leave=leave_at,
    )


def _wanted(layout: Layout, known: Subscriber) -> str:
    if known.components is None:
        return "everything"
    return (
        ", ".join([p.full_name for p in layout.parts if p.id in known.components]) or "nothing that is left"
    )


def _up(page: Page) -> Page:
    """The same, one folder further down."""
    return replace(page, up="../../")


_PATH: Final = "/subscriptions/{token}"
OPS: Final = (
    Op(("GET", "HEAD"), _PATH, show, LINK, "A subscription, for its holder", media="text/html"),
    Op(("POST",), _PATH, act, LINK, "Confirm it, or choose components", media="text/html", refusals=(413, 415, 422)),
    Op(("GET", "HEAD"), f"{_PATH}/unsubscribe", ask, LINK, "Whether it shall end", media="text/html"),
    Op(
        ("POST",), f"{_PATH}/unsubscribe", leave, LINK, "It ends: RFC 8058's one click, or a button",
        media="text/html", refusals=(413, 415),
    ),
)  # fmt: skip
