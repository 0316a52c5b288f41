"""Signing in, and who is signed in: the rows of the table of operations."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import AwareDatetime, Field

from incidentd.config import Role, Scope
from incidentd.store import sessions as store
from incidentd.web import models as m
from incidentd.web import oidc, sign_in
from incidentd.web.answers import Answer
from incidentd.web.op import PUBLIC, SIGN_IN, Call, Op
from incidentd.web.problems import not_found
from incidentd.workflows import accounts as workflow

_HTML: Final = "text/html"
_MOST: Final = 500


class Myself(Answer):
    """Who asks."""

    actor: str
    scopes: list[Scope]
    """What they may do; `admin` includes all."""
    restricted: bool
    """True if they see the incidents of their teams only."""
    csrf_token: str | None
    """Who is signed in has to send it in the header `X-CSRF-Token` with whatever changes something; null for tokens."""


class SessionAnswer(Answer):
    """A browser in which somebody is signed in."""

    id: str
    actor: str
    provider: str
    """`local`, or the issuer that knows them."""
    role: Role
    teams: list[str] | None
    created_at: AwareDatetime
    seen_at: AwareDatetime


class SessionList(Answer):
    """All of them, the newest first."""

    items: list[SessionAnswer]
    next_cursor: None


class Ended(Answer):
    """What has ended."""

    id: Annotated[str, Field(min_length=16)]


async def myself(call: Call) -> web.Response:
    """Who asks, and what browsers need to act."""
    who = call.identity
    header = call.request.headers.get("Authorization")
    secret = None if header is not None else call.desk.auth.sessions.secret_of(call.request)
    return call.answer(
        {
            "actor": who.actor,
            "scopes": sorted(who.scopes),
            "restricted": who.teams is not None,
            "csrf_token": workflow.form_token(secret) if secret else None,
        }
    )


async def listed(call: Call) -> web.Response:
    """Everybody who is signed in."""
    found = await call.desk.context.store.read(lambda tx: store.every(tx, _MOST))
    items = [
        {
            "id": each.number,
            "actor": each.actor,
            "provider": each.provider,
            "role": each.role,
            "teams": None if each.teams is None else list(each.teams),
            "created_at": each.created_at,
            "seen_at": each.seen_at,
        }
        for each in found
    ]
    return call.answer({"items": items, "next_cursor": None})


async def end(call: Call) -> web.Response:
    """Sign somebody out."""
    number, actor = call.request.match_info["id"], call.identity.actor
    now = call.desk.context.clock.now()
    if len(number) != 16 or not await call.desk.context.store.write(
        lambda tx: workflow.revoke(tx, number, actor, now)
    ):
        raise not_found("there is no such session")
    call.desk.auth.sessions.forget()
    return call.answer({"id": number})


OPS: Final = (
    Op(("GET", "HEAD"), "/login", sign_in.show, PUBLIC, "The page to sign in", media=_HTML, limited=True),
    Op(
        ("POST",),
        "/login",
        sign_in.sign_in,
        SIGN_IN,
        "A name and a password, from the form",
        status=303,
        media=_HTML,
        limited=True,
        refusals=(400, 401, 403, 413, 415),
    ),
    Op(
        ("GET",),
        "/login/oidc",
        oidc.begin,
        SIGN_IN,
        "To the identity provider",
        status=303,
        media=_HTML,
        limited=True,
        refusals=(404,),
    ),
    Op(
        ("GET",),
        "/login/callback",
        oidc.finish,
        SIGN_IN,
        "Back from the identity provider",
        status=303,
        media=_HTML,
        limited=True,
        refusals=(401, 403, 404),
    ),
    Op(
        ("POST",),
        "/login/password",
        sign_in.change_password,
        SIGN_IN,
        "Another password, for who is signed in and knows the present one",
        media=_HTML,
        limited=True,
        refusals=(400, 401, 403, 413, 415, 422),
    ),
    Op(
        ("POST",),
        "/logout",
        sign_in.sign_out,
        SIGN_IN,
        "End this session, or all of this person",
        status=303,
        media=_HTML,
        limited=True,
        refusals=(400, 403, 413, 415),
    ),
    Op(("GET",), "/api/v1/session", myself, Scope.READ, "Who asks", query=m.NoQuery, returns=Myself),
    Op(
        ("GET",),
        "/api/v1/sessions",
        listed,
        Scope.ADMIN,
        "Everybody who is signed in",
        query=m.NoQuery,
        returns=SessionList,
    ),
    Op(
        ("DELETE",),
        "/api/v1/sessions/{id}",
        end,
        Scope.ADMIN,
        "Sign somebody out",
        query=m.NoQuery,
        returns=Ended,
        refusals=(404,),
    ),
)
