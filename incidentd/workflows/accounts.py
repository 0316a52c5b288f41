"""People who sign in: their accounts and their sessions. Every change is in the audit log, in the same transaction."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.store import accounts, sessions
from incidentd.store.accounts import Account
from incidentd.store.engine import Tx
from incidentd.store.sessions import LOCAL, Session
from incidentd.workflows import audit


@dataclass(frozen=True, slots=True)
class Person:
    """Who has shown who they are."""

    actor: str
    provider: str
    """`local`, or the issuer that knows them."""
    role: str
    teams: tuple[str, ...] | None
    """The teams they are restricted to; None: they are not."""


def create(tx: Tx, account: Account, actor: str) -> bool:
    """Store a new account; False if its name is taken. `actor`: who made it."""
    made = accounts.add(tx, account)
    if made:
        _note(
            tx,
            account.created_at,
            actor,
            "account.created",
            account.name,
            _stands(account.role, account.teams),
        )
    return made


def change_password(tx: Tx, name: str, password_hash: str, actor: str, now: datetime) -> bool:
    """Replace a password and end all sessions of its owner; False if there is no such account."""
    if not accounts.set_password(tx, name, password_hash, now):
        return False
    ended = sessions.revoke_all(tx, name, now, LOCAL)
    _note(tx, now, actor, "account.password_changed", name, {"sessions_ended": ended})
    return True


def change_role(
    tx: Tx, name: str, role: str, teams: tuple[str, ...] | None, actor: str, now: datetime
) -> bool:
    """Make somebody something else and end all their sessions; False if there is no such account."""
    if not accounts.set_role(tx, name, role, teams):
        return False
    ended = sessions.revoke_all(tx, name, now, LOCAL)
    _note(tx, now, actor, "account.role_changed", name, {**_stands(role, teams), "sessions_ended": ended})
    return True


def disable(tx: Tx, name: str, actor: str, now: datetime) -> bool:
    """Let somebody in no more, and end all their sessions; False if there is no such account."""
    if not accounts.set_disabled(tx, name, now):
        return False
    ended = sessions.revoke_all(tx, name, now, LOCAL)
    _note(tx, now, actor, "account.disabled", name, {"sessions_ended": ended})
    return True


def enable(tx: Tx, name: str, actor: str, now: datetime) -> bool:
    """Let somebody in again; False if there is no such account."""
    if not accounts.set_disabled(tx, name, None):
        return False
    _note(tx, now, actor, "account.enabled", name, {})
    return True


def new_session(person: Person, now: datetime) -> tuple[str, Session]:
    """The secret for the cookie, and what is stored of it."""
    secret = secrets.token_urlsafe(32)
    row = Session(session_hash(secret), person.actor, person.provider, person.role, person.teams, now, now)
    return secret, row


def session_hash(secret: str) -> str:
    """What is stored and looked up instead of a cookie's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def form_token(secret: str) -> str:
    """What proves that a form or script came from a page that we gave to the holder of this cookie.

    Made of the cookie, so nothing has to be kept, and by a one-way function, so that showing it shows nothing.
    """
    return hashlib.sha256(b"incidentd form\0" + secret.encode("utf-8", "surrogateescape")).hexdigest()


def sign_in(tx: Tx, session: Session, before: str | None, rehashed: tuple[str, str] | None = None) -> bool:
    """Somebody has signed in; a session that the browser had `before` ends. False: their account is disabled by now.

    `rehashed`: the stored hash of their password, and the better one that takes its place.
    """
    now = session.created_at
    if session.provider == LOCAL:
        account = accounts.get(tx, session.actor)
        if account is None or account.disabled_at is not None:
            return False
        accounts.signed_in(tx, session.actor, now)
        if rehashed is not None:
            accounts.set_hash(tx, session.actor, *rehashed)
    if before is not None:
        sessions.revoke(tx, before, now)
    sessions.add(tx, session)
    data: dict[str, Value] = {"provider": session.provider, **_stands(session.role, session.teams)}
    audit.note(tx, now, session.actor, "session.opened", f"session:{session.number}", data)
    return True


def sign_out(tx: Tx, session: Session, now: datetime) -> None:
    """Somebody ends their session."""
    if sessions.revoke(tx, session.hash, now):
        audit.note(tx, now, session.actor, "session.closed", f"session:{session.number}", {})


def sign_out_all(tx: Tx, name: str, actor: str, now: datetime) -> int:
    """End all sessions of a person; how many there were."""
    ended = sessions.revoke_all(tx, name, now)
    if ended:
        _note(tx, now, actor, "session.revoked", name, {"count": ended})
    return ended


def revoke(tx: Tx, number: str, actor: str, now: datetime) -> bool:
    """End the session called `number`; False if there is none in force."""
    whose = sessions.revoke_numbered(tx, number, now)
    for name in whose:
        _note(tx, now, actor, "session.revoked", name, {"session": number})
    return bool(whose)


def _note(tx: Tx, now: datetime, actor: str, action: str, name: str, data: dict[str, Value]) -> None:
    audit.note(tx, now, actor, action, "", data, {"name": name})


def _stands(role: str, teams: tuple[str, ...] | None) -> dict[str, Value]:
    return {"role": role} if teams is None else {"role": role, "teams": list(teams)}
