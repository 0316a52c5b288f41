"""Who is asking, and what they may do: tokens of the configuration and of the database.

Credentials are checked before a body is read. With no token anywhere the daemon is in token-free mode, which
`web.local` guards.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import Counter

from incidentd.config import Config, Scope
from incidentd.security_events import SecurityEvent
from incidentd.store import tokens as token_store
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.store.tokens import StoredToken
from incidentd.web import local
from incidentd.web.context import Context
from incidentd.web.problems import Problem, unavailable
from incidentd.workflows.tokens import token_hash

log = structlog.get_logger()

FRESH_SECONDS: Final = 5.0
"""How long a revoked token may still work on other replicas."""
_REFRESH_WAIT_SECONDS: Final = 1.0
_NOTE_USE_EVERY: Final = timedelta(minutes=1)
_ALL: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking."""

    actor: str
    """Name of the token, or of the person in token-free mode: what timeline and audit say."""
    scopes: frozenset[Scope]
    source: str | None = None
    """The source this token posts for, if it names one."""

    def may(self, scope: Scope) -> bool:
        """True if `scope` is granted; `admin` includes all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYBODY: Final = Identity("anonymous", frozenset())
"""Who asks for a public page."""


@dataclass(frozen=True, slots=True)
class _Entry:
    hash: str
    identity: Identity
    expires: datetime | None
    stored: bool


class Authenticator:
    """Knows every valid token by its hash."""

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        """`changed` is called when other tokens are in force than before."""
        self._context = context
        self._changed = changed
        self._config: Config | None = None
        self._configured: dict[str, _Entry] = {}
        self._stored: dict[str, _Entry] = {}
        self._any_stored = False
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._used: dict[str, datetime] = {}
        self._used_written: datetime | None = None
        self._attempts: dict[tuple[str, str], Counter] = {}

    @property
    def token_free(self) -> bool:
        """True if there is no token at all. A revoked one counts: revoking the last must not open the door."""
        return not self._configured and not self._any_stored

    async def admit(self, request: web.Request, scope: Scope) -> Identity:
        """The caller, who has `scope`. Raises `Problem` 401 or 403, or 503 while no token can be looked up."""
        await self._up_to_date()
        kind, secret = _credentials(request.headers.get("Authorization"))
        if not self._configured and not self._any_stored:
            return self._admit_local(request, kind)
        entry = self._entry_of(secret)
        if entry is None:
            self._count(kind, "failed")
            self._context.metrics.security_event(SecurityEvent.AUTH_FAIL)
            challenge = {"WWW-Authenticate": 'Bearer realm="incidentd"'}
            raise Problem(401, "valid credentials are needed", headers=challenge)
        if not entry.identity.may(scope):
            self._count(kind, "forbidden")
            self._context.metrics.security_event(SecurityEvent.FORBIDDEN)
            raise Problem(403, f"this needs a token with the scope {scope.value}")
        self._count(kind, "ok")
        if entry.stored:
            self._used[entry.identity.actor] = self._context.clock.now()
        return entry.identity

    async def still_admits(self, request: web.Request, scope: Scope) -> bool:
        """True unless the caller of an answer that goes on has lost `scope` meanwhile. Counts nothing."""
        try:
            await self._up_to_date()
        except Problem:
            # That tokens cannot be looked up now is no refusal.
            return True
        if self.token_free:
            return True
        entry = self._entry_of(_credentials(request.headers.get("Authorization"))[1])
        if entry is None or not entry.identity.may(scope):
            return False
        if entry.stored:
            self._used[entry.identity.actor] = self._context.clock.now()
        return True

    def _entry_of(self, secret: bytes) -> _Entry | None:
        """The token that is in force and is `secret`."""
        digest = hashlib.sha256(secret).hexdigest()
        entry = self._configured.get(digest) or self._stored.get(digest)
        known = hmac.compare_digest(digest, entry.hash if entry else "")
        return entry if entry is not None and known and not self._expired(entry) else None

    def _admit_local(self, request: web.Request, kind: str) -> Identity:
        refusal = local.refusal(request)
        if refusal:
            self._count(kind, "forbidden")
            self._context.metrics.suspicious(refusal.activity)
            raise Problem(403, refusal.why)
        self._count(kind, "ok")
        return Identity(local.user(request), _ALL)

    def _expired(self, entry: _Entry) -> bool:
        return entry.expires is not None and entry.expires <= self._context.clock.now()

    def _count(self, kind: str, status: str) -> None:
        child = self._attempts.get((kind, status))
        if child is None:
            child = self._context.metrics.auth_attempts.labels(kind, status)
            self._attempts[kind, status] = child
        child.inc()

    # -- keeping up with the configuration and the database ---------------------------------------------------
    async def _up_to_date(self) -> None:
        if self._config is not self._context.config:
            self._configure(self._context.config)
        now = self._context.clock.monotonic()
        if self._loaded_at is not None and now - self._loaded_at < FRESH_SECONDS:
            return
        # A database that hangs must not stop intake: what is known stays in force, and is asked again later.
        if self._loaded_at is None or self._tried_at is None or now - self._tried_at >= FRESH_SECONDS:
            await self.refresh()
        if self._loaded_at is None and not self._configured:
            raise unavailable("tokens cannot be looked up now")

    def _configure(self, config: Config) -> None:
        self._config = config
        self._loaded_at = None
        self._configured = {}
        for token in config.auth.tokens:
            digest = token_hash(token.token.get_secret_value())
            identity = Identity(token.name, token.scopes, token.source)
            self._configured[digest] = _Entry(digest, identity, token.expires, stored=False)
        self._changed()

    async def refresh(self) -> None:
        """Read the tokens of the database, once for all who wait, and not for long."""
        if self._refresh is None or self._refresh.done():
            self._tried_at = self._context.clock.monotonic()
            self._refresh = asyncio.create_task(self._load(), name="tokens")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REFRESH_WAIT_SECONDS):
                await asyncio.shield(self._refresh)

    async def _load(self) -> None:
        try:
            rows = await self._context.store.read_now(token_store.all_tokens)
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("tokens_not_read", error=str(error))
            return
        self._any_stored = bool(rows)
        valid = [row for row in rows if row.revoked_at is None]
        before, self._stored = self._stored, {row.hash: _entry(row) for row in valid}
        self._loaded_at = self._context.clock.monotonic()
        if self._stored != before:
            self._changed()
        await self._note_use()

    async def _note_use(self) -> None:
        now = self._context.clock.now()
        if self._used_written is None or now - self._used_written >= _NOTE_USE_EVERY:
            self._used_written = now
            await self.flush()

    async def flush(self) -> None:
        """Write when tokens were last used."""
        uses, self._used = list(self._used.items()), {}
        if not uses:
            return
        try:
            await self._context.store.write(lambda tx: token_store.used(tx, uses))
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("token_use_not_noted", error=str(error))

    async def close(self) -> None:
        """Finish what is under way and write the last uses."""
        if self._refresh is not None:
            await self._refresh
        await self.flush()


def _entry(row: StoredToken) -> _Entry:
    known = {scope.value for scope in Scope}
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in known)
    return _Entry(row.hash, Identity(row.name, scopes, row.source), row.expires_at, stored=True)


def secret_of(request: web.Request) -> bytes:
    """The token that a request carries, as Bearer or as a Basic password; empty if none."""
    return _credentials(request.headers.get("Authorization"))[1]


def _credentials(header: str | None) -> tuple[str, bytes]:
    """(``bearer``, ``basic`` or ``none``, the token): Basic carries it as password, whatever the user name."""
    if not header:
        return "none", b""
    scheme, _, value = header.partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        return "bearer", value.strip().encode("utf-8", "surrogateescape")
    if scheme != "basic":
        return "none", b""
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return "basic", b""
    return "basic", decoded.partition(b":")[2]
