"""The page behind an acknowledge link: looking at it changes nothing, its button acknowledges.

Mail scanners open links, some in a browser that runs scripts, so only a person's press on a real button acts. No
credential but the token is asked for, and nothing a browser adds by itself (a cookie, an address) counts: a form on
another site can post here only if its author has the token already.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, Template

from incidentd.channels.words import tidy, when
from incidentd.domain.ack_link import AckLink, Standing
from incidentd.domain.incident import MACHINES, Incident
from incidentd.security_events import SecurityEvent
from incidentd.store.engine import StoreUnavailableError
from incidentd.web.body import ByteBudget, read_body
from incidentd.web.desk import ACTOR
from incidentd.web.op import Call
from incidentd.web.problems import RETRY_AFTER
from incidentd.workflows import ack_link
from incidentd.workflows.ack_link import Seen

_HTML: Final = "text/html; charset=utf-8"
_CSS: Final = "text/css; charset=utf-8"
_CSP: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_MAX_BODY: Final = 1024
"""Bytes. The form has no field."""
_STYLE: Final = files("incidentd.web").joinpath("templates/ack.css").read_bytes()


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says."""

    heading: str
    text: str
    status: int = 200
    incident: Incident | None = None
    """Shown with its title; only to the holder of a link that is still good."""
    button: str = ""
    """What the button says; without it there is none."""
    recorded: str = ""
    """Who the timeline will name."""
    command: str = ""
    """What does the same without a link."""


async def style(call: Call) -> web.Response:
    """The page's style sheet."""
    return web.Response(body=_STYLE, headers=call.desk.headers(call.request_id, _CSS))


async def show(call: Call) -> web.Response:
    """The page, for GET and HEAD. It only reads."""
    link = _link(call)
    if link is None:
        return _answer(call, _UNKNOWN)
    context = call.desk.context
    now = context.clock.now()
    try:
        seen = await context.store.read(lambda tx: ack_link.look(tx, link, now))
    except StoreUnavailableError:
        return _answer(call, _unavailable(link))
    return _answer(call, _page(seen, link, _actor(call, link)))


async def act(call: Call) -> web.Response:
    """Acknowledge, once; pressing again changes nothing."""
    with ByteBudget().hold(2 * _MAX_BODY) as held:
        await read_body(call.request, _MAX_BODY, held)
    link = _link(call)
    if link is None:
        return _answer(call, _UNKNOWN)
    context, actor = call.desk.context, _actor(call, link)
    # Not the address: the log is read by others than the timeline.
    call.request[ACTOR] = "e-mail link"
    rules, now = context.rules, context.clock.now()
    try:
        seen = await context.store.write(lambda tx: ack_link.use(tx, link, actor, rules, now))
    except StoreUnavailableError:
        return _answer(call, _unavailable(link))
    if seen.changes:
        context.changed(seen.changes)
        return _answer(call, _done(seen, link, actor))
    return _answer(call, _page(seen, link, actor))


def _link(call: Call) -> AckLink | None:
    context = call.desk.context
    link = context.ack_links.read(call.request.match_info["token"]) if context.ack_links else None
    if link is None:
        context.metrics.security_event(SecurityEvent.SIG_FAIL)
    return link


def _actor(call: Call, link: AckLink) -> str:
    users = call.desk.context.config.users
    return ack_link.actor_of(link.recipient, [(name, user.email) for name, user in users.items()])


def _answer(call: Call, page: Page) -> web.Response:
    headers = call.desk.headers(call.request_id, _HTML)
    headers["Content-Security-Policy"] = _CSP
    headers["X-Robots-Tag"] = "noindex, nofollow"
    if page.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER
    incident = page.incident
    body = _template().render(
        page=page,
        incident=incident,
        title=(tidy(incident.title) or "(no title)") if incident else "",
        since=when(incident.started_at) if incident else "",
    )
    return web.Response(text=body, status=page.status, headers=headers)


_UNKNOWN: Final = Page(
    "This link is not valid",
    "It may have been cut in two by a mail program. Copy the whole of it, or acknowledge from a terminal:",
    status=404,
    command="incidentctl list --state triggered\nincidentctl ack ID",
)


def _unavailable(link: AckLink) -> Page:
    text = f"{link.ref} was not changed. Press the button in the mail again in a moment, or use a terminal:"
    return Page("Not possible right now", text, status=503, command=f"incidentctl ack {link.ref}")


def _page(seen: Seen, link: AckLink, actor: str) -> Page:
    if seen.standing is Standing.OPEN:
        return Page(
            "Acknowledge this incident?",
            "Paging stops, and everybody is told that you are on it.",
            incident=seen.incident,
            recorded=actor,
            button=f"Acknowledge {link.ref}",
        )
    if seen.incident is None or seen.standing in _DEAD:
        heading, text = _DEAD.get(seen.standing, _DEAD[Standing.GONE])
        gone = seen.standing is Standing.GONE
        command = "incidentctl list" if gone else f"incidentctl ack {link.ref}"
        return Page(heading, text.format(ref=link.ref), status=404 if gone else 410, command=command)
    return _over(seen.standing, seen.incident)


_DEAD: Final = {
    Standing.EXPIRED: ("This link has expired", "Links in mails work for a day. From a terminal:"),
    Standing.REOPENED: (
        "This link is out of date",
        "{ref} was resolved and has been reopened since this mail. Use the newest mail about it, or a terminal:",
    ),
    Standing.USED: (
        "This link has been used",
        "The acknowledgement of {ref} was taken back since. Use the newest mail about it, or a terminal:",
    ),
    Standing.GONE: ("Nothing is kept of this incident", "{ref} is not known here any more."),
}


def _over(standing: Standing, incident: Incident) -> Page:
    """Nothing is left to do: somebody has done it, or it is over."""
    if standing is Standing.ACKNOWLEDGED:
        by, at = incident.acknowledged_by, incident.acknowledged_at
        heading, done = "Already acknowledged", "Acknowledged"
    else:
        # The alerts themselves are recorded as `source`.
        by = None if incident.resolved_by in MACHINES else incident.resolved_by
        at = incident.resolved_at
        heading, done = "Already resolved", "Resolved"
    text = done + (f" by {tidy(by)}" if by else "") + (f" at {when(at)}" if at else "")
    return Page(heading, f"{text}. There is nothing left to do here.", incident=incident)


def _done(seen: Seen, link: AckLink, actor: str) -> Page:
    command = f"incidentctl resolve {link.ref}"
    text = f"{link.ref} is yours, recorded as {actor}. You can close this page. When it is over:"
    return Page("Acknowledged", text, incident=seen.incident, command=command)


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("incidentd.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("ack.html")
