"""Who is asking, and what they may do: tokens, certificates that a proxy has checked, and people who are signed in.

Credentials are checked before a body is read. With nobody who could have any the daemon is in token-free mode, which
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

from incidentd.config import Auth, Config, Scope
from incidentd.security_events import Activity, SecurityEvent
from incidentd.store import accounts
from incidentd.store import tokens as token_store
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.tokens import StoredToken
from incidentd.web import clients, local
from incidentd.web.context import Context
from incidentd.web.identity import ANYBODY, Identity, teams_of
from incidentd.web.problems import Problem, unavailable
from incidentd.web.sessions import FORM_HEADER, Sessions, identity_of, proves
from incidentd.workflows.tokens import token_hash

log = structlog.get_logger()

FRESH_SECONDS: Final = 5.0
"""How long a revoked token may still work on other replicas."""
_REFRESH_WAIT_SECONDS: Final = 1.0
_NOTE_USE_EVERY: Final = timedelta(minutes=1)
_ALL: Final = frozenset(Scope)
_SAFE: Final = frozenset({"GET", "HEAD"})
__all__ = ["ANYBODY", "Authenticator", "Identity"]


@dataclass(frozen=True, slots=True)
class _Entry:
    hash: str
    identity: Identity
    expires: datetime | None
    stored: bool


class Authenticator:
    """Knows every valid token by its hash, every client's certificate, and who is signed in."""

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        """`changed` is called when other tokens are in force than before."""
        self._context = context
        self._changed = changed
        self.sessions = Sessions(context)
        self._config: Config | None = None
        self._configured: dict[str, _Entry] = {}
        self._stored: dict[str, _Entry] = {}
        self.accounts = False
        """True if there is an account, or ever was."""
        self._guarded = False
        self._any_stored = False
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._used: dict[str, datetime] = {}
        self._used_written: datetime | None = None
        self._attempts: dict[tuple[str, str], Counter] = {}

    @property
    def token_free(self) -> bool:
        """True if nobody could have credentials. A revoked token counts: revoking the last must not open the door."""
        return not self._guarded and not self._any_stored

    async def admit(self, request: web.Request, scope: Scope) -> Identity:
        """The caller, who has `scope`. Raises `Problem` 401 or 403, or 503 while no token can be looked up."""
        await self._up_to_date()
        header = request.headers.get("Authorization")
        if self.token_free:
            return self._admit_local(request, _credentials(header)[0])
        kind, identity = await self._who(request, header)
        if identity is None:
            self.count(kind, "failed")
            self._context.metrics.security_event(SecurityEvent.AUTH_FAIL)
            challenge = {"WWW-Authenticate": 'Bearer realm="incidentd"'}
            raise Problem(401, "valid credentials are needed", headers=challenge)
        if not identity.may(scope):
            self.count(kind, "forbidden")
            self._context.metrics.security_event(SecurityEvent.FORBIDDEN)
            raise Problem(403, f"this needs the scope {scope.value}")
        self.count(kind, "ok")
        return identity

    async def still_admits(self, request: web.Request, before: Identity) -> bool:
        """True while the caller of an answer that goes on is who they were, with the same rights. Counts nothing."""
        try:
            await self._up_to_date()
            if self.token_free:
                return True
            _, identity = await self._who(request, request.headers.get("Authorization"))
        except Problem:
            # That credentials cannot be looked up now is no refusal.
            return True
        return identity == before

    async def _who(self, request: web.Request, header: str | None) -> tuple[str, Identity | None]:
        """By what the caller is known, and who it is. A token counts before what browsers and proxies add."""
        if header is not None:
            kind, secret = _credentials(header)
            entry = self._entry_of(secret)
            if entry is None:
                return kind, None
            if entry.stored:
                self._used[entry.identity.actor] = self._context.clock.now()
            return kind, entry.identity
        config = self._context.config
        client = clients.certificate_of(request, config)
        if client is not None:
            self._no_forgery(request, None)
            return "certificate", Identity(client.name, client.scopes, client.source)
        secret_of = self.sessions.secret_of(request)
        if secret_of is None:
            return "none", None
        if not clients.known_host(request, config):
            self._context.metrics.suspicious(Activity.FOREIGN_HOST)
            raise Problem(421, "nobody signs in under this name here; see server.public_url and server.hosts")
        session = await self.sessions.find(secret_of, request)
        if session is None:
            return "session", None
        self._no_forgery(request, secret_of)
        return "session", identity_of(session, config)

    def _no_forgery(self, request: web.Request, secret: str | None) -> None:
        """Refuse what the page of another site made a browser send. Raises 403."""
        if request.method in _SAFE:
            return
        if clients.from_elsewhere(request, self._context.config) or (
            secret is not None and not proves(request.headers.get(FORM_HEADER), secret)
        ):
            self._context.metrics.suspicious(Activity.CROSS_SITE)
            raise Problem(
                403, f"whoever is signed in has to send the header {FORM_HEADER}: GET /api/v1/session"
            )

    def _entry_of(self, secret: bytes) -> _Entry | None:
        """The token that is in force and is `secret`."""
        digest = hashlib.sha256(secret).hexdigest()
        entry = self._configured.get(digest) or self._stored.get(digest)
        known = hmac.compare_digest(digest, entry.hash if entry else "")
        return entry if entry is not None and known and not self._expired(entry) else None

    def _admit_local(self, request: web.Request, kind: str) -> Identity:
        refusal = local.refusal(request)
        if refusal:
            self.count(kind, "forbidden")
            self._context.metrics.suspicious(refusal.activity)
            raise Problem(403, refusal.why)
        self.count(kind, "ok")
        return Identity(local.user(request), _ALL)

    def _expired(self, entry: _Entry) -> bool:
        return entry.expires is not None and entry.expires <= self._context.clock.now()

    def count(self, kind: str, status: str) -> None:
        """Count credentials that were presented."""
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
        self._guarded = config.auth.guarded
        self._configured = {}
        for token in config.auth.tokens:
            teams = teams_of(config.auth, token.teams or None)
            identity = Identity(token.name, token.scopes, token.source, teams)
            for secret in (token.token, token.previous):
                if secret is not None:
                    digest = token_hash(secret.get_secret_value())
                    self._configured[digest] = _Entry(digest, identity, token.expires, stored=False)
        self._changed()

    async def refreshed(self) -> None:
        """Return when it is known what is stored, however old. Raises 503 if nothing is."""
        await self._up_to_date()

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
            rows, self.accounts = await self._context.store.read_now(_kept)
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("tokens_not_read", error=str(error))
            return
        self._any_stored = bool(rows) or self.accounts
        auth = self._context.config.auth
        valid = [_entries(row, auth) for row in rows if row.revoked_at is None]
        before, self._stored = self._stored, {entry.hash: entry for entries in valid for entry in entries}
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
        await self.sessions.close()


def _kept(tx: Tx) -> tuple[list[StoredToken], bool]:
    return token_store.all_tokens(tx), accounts.any_account(tx)


def _entries(row: StoredToken, auth: Auth) -> list[_Entry]:
    """The token, and the one before it while clients change over."""
    known = {scope.value for scope in Scope}
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in known)
    identity = Identity(row.name, scopes, row.source, teams_of(auth, row.teams))
    found = [_Entry(row.hash, identity, row.expires_at, stored=True)]
    if row.previous_hash is not None and row.previous_until is not None:
        until = row.previous_until if row.expires_at is None else min(row.previous_until, row.expires_at)
        found.append(_Entry(row.previous_hash, identity, until, stored=True))
    return found


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
