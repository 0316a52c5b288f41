"""Forms of people without an account: what they send, and the pages that answer them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web
from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup, escape

from incidentd.domain.status_page.layout import MAIN, Layout
from incidentd.domain.status_page.subscriber import Rules
from incidentd.public import html
from incidentd.public.speech import Speech, speech_in
from incidentd.web.body import ByteBudget, read_body
from incidentd.web.op import Call
from incidentd.web.problems import Problem

MAX_FORM: Final = 16 * 1024
"""Bytes; a page has some hundred components at most."""
_FIELDS: Final = 1000
_HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Choice:
    """A component to choose."""

    id: str
    name: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says, and which forms it has."""

    heading: str
    texts: tuple[str, ...] = ()
    status: int = 200
    problem: bool = False
    form: str = ""
    """What the button says; without it there is no form."""
    action: str = ""
    """Where the form goes; empty: to the page's own address."""
    fields: bool = False
    """It asks for an address."""
    webhooks: bool = False
    components: tuple[Choice, ...] = ()
    hidden: tuple[tuple[str, str], ...] = ()
    secret: str = ""
    leave: str = ""
    """Where the button that ends it goes."""


async def read_form(call: Call) -> dict[str, list[str]]:
    """The fields of a form, each with its values. Raises `Problem` 413, 415."""
    with ByteBudget().hold(2 * MAX_FORM) as held:
        data = await read_body(call.request, MAX_FORM, held)
    kind = call.request.content_type
    if kind == "multipart/form-data":
        # RFC 8058 allows it for the one thing that it posts, and nothing else of ours is sent so.
        one_click = b"List-Unsubscribe" in data and b"One-Click" in data
        return {"List-Unsubscribe": ["One-Click"]} if one_click else {}
    if data and kind != "application/x-www-form-urlencoded":
        raise Problem(415, "send the form as application/x-www-form-urlencoded")
    try:
        return parse_qs(data.decode("utf-8", "replace"), max_num_fields=_FIELDS)
    except ValueError:
        raise Problem(400, "the form has too many fields") from None


def choices(layout: Layout, chosen: Sequence[str] | None = None) -> tuple[Choice, ...]:
    """The page's components to choose from."""
    return tuple(Choice(p.id, p.full_name, p.id in (chosen or ())) for p in layout.parts if p.on(MAIN))


def rules_of(call: Call) -> Rules:
    """What the configuration allows."""
    context = call.desk.context
    return context.config.status_page.subscribers.rules(context.rules.layout.url)


def speech(call: Call) -> Speech:
    """How the page speaks."""
    layout = call.desk.context.rules.layout
    return speech_in(layout.look, layout.time_zone)


async def answer(call: Call, page: Page) -> web.Response:
    """The page, in the look and the language of the status page. Raises 503 if that was never made."""
    shown = await call.desk.status.page()
    home, said = f"{shown.url}/", speech(call)
    # Forms may stand on another host than the page itself, which may be a copy: their links lead to this daemon.
    here = replace(shown, url=rules_of(call).url)
    headers: Any = call.desk.headers(call.request_id, _HTML)
    headers["Content-Security-Policy"] = html.policy(shown.look)
    headers["X-Robots-Tag"] = "noindex, nofollow"
    body = _template().render(page=page, say=said.say, signed=_signed(said))
    # Rendered and escaped above.
    framed = html.frame(here, page.heading, Markup(body), home)  # noqa: S704
    return web.Response(body=framed, status=page.status, headers=headers)


def _signed(said: Speech) -> Markup:
    link = Markup('<a href="https://www.standardwebhooks.com/">Standard Webhooks</a>')
    return escape(said.say("own_signed")).format(standard=link)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("incidentd.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("subscription.html")
