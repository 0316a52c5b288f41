"""Signing in with a password, signing out, and changing the password: forms that work without any script.

What a password is worth is decided by who may try how many: an account is never locked, but who guesses waits.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from aiohttp import web

from incidentd.config import Config
from incidentd.domain import password as rules
from incidentd.security_events import Activity, SecurityEvent
from incidentd.store import accounts
from incidentd.store.accounts import Account
from incidentd.store.engine import Tx
from incidentd.store.sessions import LOCAL, Session
from incidentd.web import clients
from incidentd.web.desk import ACTOR
from incidentd.web.op import Call
from incidentd.web.places import ours, seen_from
from incidentd.web.problems import LimitReached, Problem
from incidentd.web.sessions import identity_of, proves, set_cookie
from incidentd.web.sign_in_forms import read_form
from incidentd.web.sign_in_page import Page, SignedIn, answer
from incidentd.workflows import accounts as workflow
from incidentd.workflows.accounts import Person

MOST_WAITING: Final = 16
"""Passwords that wait to be checked; each takes a tenth of a second and 64 MiB."""
_WRONG: Final = "The name or the password is wrong."
_FORGED: Final = "This form was not sent from its own page. Reload the page and try again."


async def show(call: Call) -> web.Response:
    """The page; it only reads."""
    found = await signed_in(call)
    heading = "Signed in" if found else "Sign in"
    return answer(call, Page(heading), call.request.query.get("next"), found)


async def sign_in(call: Call) -> web.Response:
    """A name and a password."""
    form = await read_form(call.request)
    if from_elsewhere(call):
        return answer(call, Page(error=_FORGED, status=403), None)
    name, next_ = form.get("name", "").strip(), form.get("next")
    account = await checked(call, name, form.get("password", ""))
    if isinstance(account, Page):
        return answer(call, account, next_)
    person = Person(account.name, LOCAL, account.role, account.teams)
    again = call.desk.passwords.outdated(account.password_hash)
    better = await hashed(call, form["password"]) if again else None
    response = await let_in(call, person, next_, (account.password_hash, better) if better else None)
    return response or answer(call, Page(error=_WRONG, status=401), next_)


async def checked(call: Call, name: str, password: str) -> Account | Page:
    """The account, if this is its password; else what to say, which is the same whatever was wrong."""
    desk, context = call.desk, call.desk.context
    client = clients.client_of(call.request, context.config.server)
    network = clients.network_of(client)
    wait = desk.guesses.wait(name, network, shared=clients.local(client))
    if wait:
        context.metrics.rate_limit_hits.labels("/login").inc()
        context.metrics.security_event(SecurityEvent.RATE_LIMITED)
        minutes = max(1, math.ceil(wait / 60))
        text = f"Too many wrong passwords. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
        return Page(error=text, status=429)
    desk.guesses.tried(name, network)
    found = await context.store.read_now(lambda tx: accounts.get(tx, name)) if len(name) <= 63 else None
    right = await _matches(call, found.password_hash if found else None, password)
    if found is not None and right and found.disabled_at is None:
        desk.guesses.right(name, network)
        return found
    desk.auth.count("password", "failed")
    # Written later, by a job: a transaction for names that there are would tell which they are. Other names may be
    # passwords, and are not kept.
    context.metrics.security_event(SecurityEvent.AUTH_FAIL, found.name if found else "")
    desk.seldom.warn("sign_in_refused", client=client, request_id=call.request_id, known=found is not None)
    return Page(error=_WRONG, status=401)


async def _matches(call: Call, stored: str | None, password: str) -> bool:
    if len(password) > rules.LONGEST:
        return False
    _not_too_many(call)
    async with call.desk.hashing:
        return await asyncio.to_thread(call.desk.passwords.matches, stored, password)


async def hashed(call: Call, password: str) -> str:
    """What is stored of a password. Raises 503 if too many wait for theirs."""
    _not_too_many(call)
    async with call.desk.hashing:
        return await asyncio.to_thread(call.desk.passwords.hashed, password)


def _not_too_many(call: Call) -> None:
    if call.desk.hashing.waiting >= MOST_WAITING:
        raise LimitReached("too many people are signing in; try again in a moment")


async def let_in(
    call: Call, person: Person, next_: str | None, rehashed: tuple[str, str] | None = None
) -> web.Response | None:
    """Begin a session under a new secret and send the browser on; None if the account was disabled meanwhile."""
    context, sessions = call.desk.context, call.desk.auth.sessions
    secret, session = workflow.new_session(person, context.clock.now())
    before = sessions.secret_of(call.request)
    old = None if before is None else workflow.session_hash(before)
    if not await context.store.write(lambda tx: workflow.sign_in(tx, session, old, rehashed)):
        return None
    sessions.forget()
    sessions.know(session)
    call.request[ACTOR] = session.actor
    call.desk.auth.count("password" if person.provider == LOCAL else "oidc", "ok")
    return _sent_to(call, seen_from(call.request, ours(next_)), secret)


def _sent_to(call: Call, place: str, secret: str) -> web.Response:
    config = call.desk.context.config
    headers = call.desk.headers(call.request_id, "text/plain; charset=utf-8")
    headers["Location"] = place
    seconds = int(config.auth.sessions.longest.total_seconds()) if secret else 0
    set_cookie(headers, config, secret, seconds)
    return web.Response(status=303, headers=headers)


async def sign_out(call: Call) -> web.Response:
    """End this session, or all of this person."""
    form = await read_form(call.request)
    found = await _owner(call, form)
    if found is not None:
        session, now = found.session, call.desk.context.clock.now()

        def end(tx: Tx) -> None:
            workflow.sign_out(tx, session, now)
            if form.get("everywhere"):
                workflow.sign_out_all(tx, session.actor, session.actor, now)

        await call.desk.context.store.write(end)
        call.desk.auth.sessions.forget()
    response = _sent_to(call, seen_from(call.request, "/login"), "")
    # What a page of ours has shown must not come back with the button for it.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def change_password(call: Call) -> web.Response:
    """Another password, for who knows the present one. All other sessions end."""
    form = await read_form(call.request)
    found = await _owner(call, form)
    if found is None or found.session.provider != LOCAL:
        return answer(call, Page(error="Sign in first.", status=401), None)
    name, new = found.session.actor, form.get("new", "")
    wrong = rules.fault(new, name)
    if wrong is not None:
        return answer(call, Page("Signed in", error=f"The new password {wrong}.", status=422), None, found)
    account = await checked(call, name, form.get("old", ""))
    if isinstance(account, Page):
        error = account.error if account.status == 429 else "The present password is wrong."
        return answer(call, Page("Signed in", error=error, status=account.status), None, found)
    digest, now = await hashed(call, new), call.desk.context.clock.now()
    person = Person(name, LOCAL, account.role, account.teams)
    secret, session = workflow.new_session(person, now)

    def change(tx: Tx) -> bool:
        return workflow.change_password(tx, name, digest, name, now) and workflow.sign_in(tx, session, None)

    if not await call.desk.context.store.write(change):
        return answer(call, Page(error=_WRONG, status=401), None)
    return _fresh(call, secret, session)


def _fresh(call: Call, secret: str, session: Session) -> web.Response:
    call.desk.auth.sessions.forget()
    call.desk.auth.sessions.know(session)
    page = Page("Signed in", done="The password is changed. You are signed out everywhere else.")
    response = answer(call, page, None, SignedIn(session, secret))
    config: Config = call.desk.context.config
    set_cookie(response.headers, config, secret, int(config.auth.sessions.longest.total_seconds()))
    return response


async def _owner(call: Call, form: dict[str, str]) -> SignedIn | None:
    """Who is signed in; None if nobody is. Raises 403 if another site's page has sent the form."""
    found = await signed_in(call)
    if found is not None and (from_elsewhere(call) or not proves(form.get("csrf"), found.secret)):
        call.desk.context.metrics.suspicious(Activity.CROSS_SITE)
        raise Problem(403, _FORGED)
    return found


def from_elsewhere(call: Call) -> bool:
    """True, and counted, if another site's page caused this request."""
    config, metrics = call.desk.context.config, call.desk.context.metrics
    if not clients.known_host(call.request, config):
        metrics.suspicious(Activity.FOREIGN_HOST)
        return True
    if clients.from_elsewhere(call.request, config):
        metrics.suspicious(Activity.CROSS_SITE)
        return True
    return False


async def signed_in(call: Call) -> SignedIn | None:
    """Who is signed in in this browser."""
    await call.desk.auth.refreshed()
    sessions, config = call.desk.auth.sessions, call.desk.context.config
    secret = sessions.secret_of(call.request)
    if secret is None or not clients.known_host(call.request, config):
        return None
    session = await sessions.find(secret, call.request)
    if session is None:
        return None
    call.request[ACTOR] = identity_of(session, config).actor
    return SignedIn(session, secret)
