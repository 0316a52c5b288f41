"""The page on which people sign in and out: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, Template
from multidict import CIMultiDict

from incidentd.domain.password import SHORTEST
from incidentd.store.sessions import LOCAL, Session
from incidentd.web.desk import Desk
from incidentd.web.op import Call
from incidentd.web.places import ours, seen_from
from incidentd.web.sessions import identity_of
from incidentd.workflows.accounts import form_token

HTML: Final = "text/html; charset=utf-8"
_CSP: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says above its form."""

    heading: str = "Sign in"
    error: str = ""
    done: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose page it is."""

    session: Session
    secret: str


def answer(call: Call, page: Page, next_: str | None, signed_in: SignedIn | None = None) -> web.Response:
    """The page; for somebody who is signed in with what they can do about it."""
    desk, config = call.desk, call.desk.context.config
    next_path, oidc = ours(next_), config.auth.oidc
    identity = identity_of(signed_in.session, config) if signed_in else None
    body = _template().render(
        page=page,
        next=next_path,
        next_href=seen_from(call.request, next_path),
        up=seen_from(call.request, "/").removesuffix("./"),
        identity=identity,
        role=signed_in.session.role if signed_in else "",
        teams=", ".join(signed_in.session.teams or ()) if signed_in else "",
        local=signed_in is not None and signed_in.session.provider == LOCAL,
        csrf=form_token(signed_in.secret) if signed_in else "",
        passwords=desk.auth.accounts,
        oidc=oidc.label if oidc else "",
        shortest=SHORTEST,
    )
    return web.Response(text=body, status=page.status, headers=_headers(desk, call.request_id))


def _headers(desk: Desk, request_id: str) -> CIMultiDict[str]:
    headers = desk.headers(request_id, HTML)
    headers["Content-Security-Policy"] = _CSP
    headers["X-Robots-Tag"] = "noindex, nofollow"
    # With no-referrer, browsers would send `Origin: null` with the form, and we could not tell whose page it was on.
    headers["Referrer-Policy"] = "same-origin"
    return headers


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("incidentd.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("login.html")
