"""The page behind the link in a subscriber's mails: confirm, choose, leave. Looking at it changes nothing.

The link is the credential, and nothing a browser adds by itself counts. Mail scanners open links, so only a press on a
button acts, or the one post of RFC 8058 that mail programs send when their own button is pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.subscriber import Kind, Links, Standing, Subscriber, SubscribeRefusedError
from incidentd.security_events import SecurityEvent
from incidentd.store import subscribers as store
from incidentd.store.engine import Tx
from incidentd.web.forms import Page, answer, choices, read_form, rules_of, speech
from incidentd.web.op import LINK, Call, Op
from incidentd.workflows import subscribers as workflow
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.secrets import known_subscriber_secret

_MAX_TOKEN: Final = 100


async def show(call: Call) -> web.Response:
    """The page, for GET and HEAD."""
    links, code = await _links(call)
    found = await call.desk.context.store.read(lambda tx: store.seen(tx, code)) if code else None
    if links is None or found is None:
        return await answer(call, _gone(call))
    return await answer(call, _page(call, links, found))


async def act(call: Call) -> web.Response:
    """Confirm, or choose components."""
    fields = await read_form(call)
    links, code = await _links(call)
    if links is None or code is None:
        return await answer(call, _gone(call))
    context = call.desk.context
    layout, now, chosen = context.rules.layout, context.clock.now(), fields.get("component", [])

    def work(tx: Tx) -> Subscriber:
        if "confirm" in fields:
            return workflow.confirm(tx, code, now)
        return workflow.choose(tx, layout, code, chosen)

    try:
        found = await context.store.write(work)
    except NotFoundError:
        return await answer(call, _gone(call))
    except SubscribeRefusedError as refused:
        say = speech(call).say
        return await answer(call, Page(say("refused"), (say(refused.word),), status=422, problem=True))
    said = speech(call).say("own_begun" if "confirm" in fields else "own_kept")
    return await answer(call, _page(call, links, found, said))


async def ask(call: Call) -> web.Response:
    """The page that asks whether it shall end, for GET and HEAD."""
    links, code = await _links(call)
    found = await call.desk.context.store.read(lambda tx: store.seen(tx, code)) if code else None
    if links is None or found is None:
        return await answer(call, _gone(call))
    part = call.desk.context.rules.layout.part(call.request.query.get("component", ""))
    hidden = (("leave", "yes"), *((("component", part.id),) if part else ()))
    say = speech(call).say
    what = say("own_end_one", name=part.full_name) if part else say("own_end_all")
    end = say("mail_unsubscribe")
    return await answer(call, Page(end, (what,), form=end, hidden=hidden))


async def leave(call: Call) -> web.Response:
    """It ends, or what it tells of one component: by the button, or by the one click of a mail program."""
    fields = await read_form(call)
    links, code = await _links(call)
    if links is None or code is None:
        return await answer(call, _gone(call))
    if "leave" not in fields and fields.get("List-Unsubscribe") != ["One-Click"]:
        return await ask(call)  # some program that posts whatever it finds
    context, given = call.desk.context, fields.get("component", [None])[0]
    layout = context.rules.layout
    left = await context.store.write(lambda tx: workflow.leave(tx, layout, code, given))
    say = speech(call).say
    if left is None:
        return await answer(call, Page(say("own_ended"), (say("own_ended_what"),)))
    part = layout.part(given or "")
    said = say("own_ended_one", name=part.full_name) if part else ""
    return await answer(call, _page(call, links, left, said))


def _gone(call: Call) -> Page:
    say = speech(call).say
    return Page(say("own_gone"), (say("own_gone_what"),), status=404)


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
    layout, say = call.desk.context.rules.layout, speech(call).say
    way = "own_mails" if known.kind is Kind.EMAIL else "own_posts"
    what = say(way, address=known.address, what=_wanted(layout, known, say))
    leave_at, told = links.unsubscribe(known.code), tuple(text for text in (said, what) if text)
    if known.standing is not Standing.ACTIVE:
        came_back = () if known.standing is Standing.PENDING else (say("own_came_back"),)
        return Page(
            say("own_confirm"),
            (what, *came_back),
            form=say("own_confirm_do"),
            hidden=(("confirm", "yes"),),
            leave=leave_at,
        )
    return Page(
        heading=say("own_title"),
        texts=told,
        form=say("own_keep"),
        action=links.manage(known.code),
        components=choices(layout, known.components),
        secret=links.signing(known.code) if known.kind is Kind.WEBHOOK else "",
        leave=leave_at,
    )


def _wanted(layout: Layout, known: Subscriber, say: Callable[[str], str]) -> str:
    if known.components is None:
        return say("mail_everything")
    return ", ".join([p.full_name for p in layout.parts if p.id in known.components]) or say("own_nothing")


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
