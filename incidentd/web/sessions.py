"""Who is signed in: the cookie, looked up as a row that anybody with the right to can revoke, and its proof of origin.

A row is read again after five seconds at most, so that a revoked session ends at once here and soon on other replicas.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiohttp import web
from multidict import CIMultiDict

from incidentd.config import Config, Role
from incidentd.config.access import SCOPES_OF
from incidentd.store import sessions as store
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.store.sessions import LOCAL, Session
from incidentd.web.clients import client_of, network_of
from incidentd.web.context import Context
from incidentd.web.identity import Identity, teams_of
from incidentd.web.problems import unavailable
from incidentd.web.throttle import Rates
from incidentd.workflows.accounts import form_token, session_hash

log = structlog.get_logger()

FRESH_SECONDS: Final = 5.0
FORM_HEADER: Final = "X-CSRF-Token"
_NOTE_USE_EVERY: Final = timedelta(minutes=1)
_MOST_KNOWN: Final = 2000
_LOOK_UPS: Final = 20
"""A second and network, of cookies that are not known here: made-up ones must not keep the database busy."""
_LONGEST_SECRET: Final = 64


class Sessions:
    """The sessions that were used lately."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._met: set[str] = set()
        """Hashes of sessions that were known before some were revoked: to look them up again is not guessing."""
        self._strangers = Rates(context.clock, lambda: _LOOK_UPS)
        self._used: dict[str, datetime] = {}
        self._used_written: datetime | None = None
        self._writing: asyncio.Task[None] | None = None

    def secret_of(self, request: web.Request) -> str | None:
        """What the cookie holds; None if there is none."""
        secret = request.cookies.get(cookie_name(self._context.config))
        return secret if secret and len(secret) <= _LONGEST_SECRET else None

    async def find(self, secret: str, request: web.Request) -> Session | None:
        """The session in force. `request` tells which network asks. Raises 503 if it cannot be looked up now."""
        digest, now = session_hash(secret), self._context.clock.now()
        known = self._known.get(digest)
        if known is None or self._context.clock.monotonic() - known[1] >= FRESH_SECONDS:
            if known is None and digest not in self._met:
                self._not_too_often(request)
            known = await self._look_up(digest, known)
        if known is None or not self._in_force(known[0], now):
            return None
        self._use(digest, known, now)
        return known[0]

    def _not_too_often(self, request: web.Request) -> None:
        # By network: who makes up cookies keeps nobody out but those next to them.
        if self._strangers.wait(network_of(client_of(request, self._context.config.server))):
            raise unavailable("too many sessions are being looked up")

    async def _look_up(
        self, digest: str, stale: tuple[Session, float] | None
    ) -> tuple[Session, float] | None:
        try:
            found = await self._context.store.read_now(lambda tx: store.get(tx, digest))
        except StoreUnavailableError:
            if stale is not None:
                return stale  # a database that is away signs nobody out
            raise unavailable("sessions cannot be looked up now") from None
        self._known.pop(digest, None)
        self._met.discard(digest)
        if found is None:
            return None
        if stale is not None:
            found = replace(found, seen_at=max(found.seen_at, stale[0].seen_at))
        return self.know(found)

    def know(self, session: Session) -> tuple[Session, float]:
        """Remember one that was just read or made."""
        known = self._known[session.hash] = (session, self._context.clock.monotonic())
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    def forget(self) -> None:
        """Look all of them up again: some were revoked."""
        self._met = {*self._known, *(self._met if len(self._met) < _MOST_KNOWN else ())}
        self._known.clear()

    def _in_force(self, session: Session, now: datetime) -> bool:
        auth = self._context.config.auth
        issuer = auth.oidc.issuer if auth.oidc is not None else None
        if session.provider not in {LOCAL, issuer} or session.role not in set(Role):
            return False
        idle = session.seen_at + auth.sessions.idle
        return now < min(idle, session.created_at + auth.sessions.longest)

    def _use(self, digest: str, known: tuple[Session, float], now: datetime) -> None:
        if now - known[0].seen_at < _NOTE_USE_EVERY:
            return
        self._known[digest] = (replace(known[0], seen_at=now), known[1])
        self._used[digest] = now
        if self._used_written is None or now - self._used_written >= _NOTE_USE_EVERY:
            self._used_written = now
            self._writing = asyncio.create_task(self.flush(), name="sessions used")

    async def flush(self) -> None:
        """Write when sessions were last used."""
        uses, self._used = list(self._used.items()), {}
        if not uses:
            return
        try:
            await self._context.store.write(lambda tx: store.seen(tx, uses))
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("session_use_not_noted", error=str(error))

    async def close(self) -> None:
        """Write the last uses."""
        if self._writing is not None:
            await self._writing
        await self.flush()


def identity_of(session: Session, config: Config) -> Identity:
    """Who has signed in, and what they may do by the configuration in force."""
    teams = teams_of(config.auth, session.teams)
    return Identity(session.actor, SCOPES_OF[Role(session.role)], teams=teams)


def proves(given: str | None, secret: str) -> bool:
    """True if what a form or a script sends comes from a page that we gave to the holder of the cookie."""
    return given is not None and hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), form_token(secret).encode()
    )


def cookie_name(config: Config, what: str = "") -> str:
    """The name of a cookie of ours. ``__Host-``: browsers take it over TLS and from this very host only."""
    return f"__Host-incidentd{what}" if _secure(config) else f"incidentd{what}"


def set_cookie(headers: CIMultiDict[str], config: Config, value: str, seconds: int, what: str = "") -> None:
    """Add a cookie that scripts cannot read, and that comes along from other sites only when people follow a link."""
    secure = "; Secure" if _secure(config) else ""
    headers.add(
        "Set-Cookie",
        f"{cookie_name(config, what)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
    )


def _secure(config: Config) -> bool:
    return config.server.public_url.startswith("https://")
