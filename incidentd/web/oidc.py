"""Signing in at an identity provider: the two requests that a browser makes to us for it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from incidentd.config import Config, Role
from incidentd.config.access import Oidc
from incidentd.fields import is_machine
from incidentd.security_events import SecurityEvent
from incidentd.web import clients
from incidentd.web.oidc_door import Departure, OidcError
from incidentd.web.op import Call
from incidentd.web.places import ours
from incidentd.web.problems import Problem, not_found
from incidentd.web.sessions import cookie_name, set_cookie
from incidentd.web.sign_in import let_in
from incidentd.web.sign_in_page import Page, answer
from incidentd.workflows.accounts import Person

_COOKIE: Final = "-oidc"
_SECONDS: Final = 600
"""How long signing in over there may take."""
_LONGEST_NAME: Final = 64
_FAILED: Final = "Signing in there did not work. Try again; the log says more under this page's request id."
_NOBODY: Final = "You are known there, but have no role here. Ask whoever runs incidentd."


async def begin(call: Call) -> web.Response:
    """Send the browser to the provider."""
    config = call.desk.context.config
    oidc = _configured(config)
    if not clients.known_host(call.request, config):
        raise Problem(421, "nobody signs in under this name here; see server.public_url and server.hosts")
    try:
        there, left = await call.desk.oidc.depart(oidc, ours(call.request.query.get("next")))
    except OidcError as error:
        return _failed(call, error)
    headers = call.desk.headers(call.request_id, "text/plain; charset=utf-8")
    headers["Location"] = there
    set_cookie(headers, config, left.cookie(), _SECONDS, _COOKIE)
    return web.Response(status=303, headers=headers)


async def finish(call: Call) -> web.Response:
    """Take back who has signed in there."""
    config = call.desk.context.config
    oidc = _configured(config)
    left = Departure.of(call.request.cookies.get(cookie_name(config, _COOKIE)))
    state = call.request.query.get("state", "")
    if left is None or not hmac.compare_digest(state.encode("utf-8", "replace"), left.state.encode()):
        call.desk.context.metrics.security_event(SecurityEvent.CSRF)
        return _without_cookie(call, _failed(call, OidcError("another browser left than comes back")))
    try:
        claims = await call.desk.oidc.arrive(oidc, _code(call, oidc), left)
        person = person_of(config, oidc, claims)
    except OidcError as error:
        return _without_cookie(call, _failed(call, error))
    if person is None:
        return _without_cookie(call, _refused(call, Page(error=_NOBODY, status=403), "no role"))
    response = await let_in(call, person, left.next)
    assert response is not None  # noqa: S101 - for the type checker: there is no account that could be disabled
    return _without_cookie(call, response)


def _code(call: Call, oidc: Oidc) -> str:
    query = call.request.query
    if query.get("iss", oidc.issuer).rstrip("/") != oidc.issuer:
        raise OidcError("another provider answers than was asked")  # RFC 9207
    if not query.get("code"):
        raise OidcError(f"the provider refused: {query.get('error', 'no reason')[:40]!r}")
    return query["code"]


def person_of(config: Config, oidc: Oidc, claims: Mapping[str, Any]) -> Person | None:
    """Who that is here; None if they have no role. Raises `OidcError` if they have no name that can be shown."""
    listed = claims.get(oidc.groups_claim, ())
    several = listed if isinstance(listed, list) else [listed]
    groups = {each for each in several if isinstance(each, str)}
    held = [Role(name) for name, wanted in oidc.roles if groups & set(wanted)]
    role = held[-1] if held else oidc.default_role  # the fields stand from the lowest to the highest
    if role is None:
        return None
    teams = None
    if oidc.teams_only and role in {Role.VIEWER, Role.RESPONDER}:
        teams = tuple([name for name, team in config.auth.teams.items() if groups & set(team.groups)])
    return Person(_name(config, oidc, claims), oidc.issuer, role.value, teams)


def _name(config: Config, oidc: Oidc, claims: Mapping[str, Any]) -> str:
    email = claims.get("email") if claims.get("email_verified") is True else None
    if oidc.name_claim is not None:
        name = claims.get(oidc.name_claim)
    elif isinstance(email, str):
        known = [name for name, user in config.users.items() if (user.email or "").lower() == email.lower()]
        name = known[0] if known else email
    else:
        name = claims.get("sub")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise OidcError("the ID token has no name that can be shown")
    if is_machine(name):
        raise OidcError("the name is reserved for the daemon itself")
    return name.strip()


def _configured(config: Config) -> Oidc:
    if config.auth.oidc is None:
        raise not_found("nobody signs in this way here")
    return config.auth.oidc


def _failed(call: Call, error: OidcError) -> web.Response:
    return _refused(call, Page(error=_FAILED, status=401), str(error))


def _refused(call: Call, page: Page, why: str) -> web.Response:
    desk = call.desk
    desk.auth.count("oidc", "failed")
    desk.context.metrics.security_event(SecurityEvent.AUTH_FAIL)
    client = clients.client_of(call.request, desk.context.config.server)
    desk.seldom.warn("sign_in_refused", why=why, client=client, request_id=call.request_id)
    return answer(call, page, None)


def _without_cookie(call: Call, response: web.Response) -> web.Response:
    set_cookie(response.headers, call.desk.context.config, "", 0, _COOKIE)
    return response
