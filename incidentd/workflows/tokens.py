"""Making API tokens: the secret is shown once, only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.store import tokens
from incidentd.store.engine import Tx
from incidentd.store.tokens import StoredToken
from incidentd.workflows import audit


def new_token(
    name: str,
    scopes: Iterable[str],
    source: str | None,
    expires_at: datetime | None,
    now: datetime,
    teams: tuple[str, ...] | None = None,
) -> tuple[str, StoredToken]:
    """A new token as text, to be shown once, and what is stored of it."""
    text = new_secret()
    stored = StoredToken(
        name=name,
        hash=token_hash(text),
        scopes=tuple(sorted(set(scopes))),
        source=source,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
        teams=teams,
    )
    return text, stored


def new_secret() -> str:
    """``inc_<8 characters>_<43 characters>``: a prefix that secret scanners find, and 256 random bits."""
    return f"inc_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def create(tx: Tx, token: StoredToken, actor: str) -> bool:
    """Store a new token; False if its name is taken. `actor`: who made it."""
    made = tokens.add(tx, token)
    if made:
        data: dict[str, Value] = {
            "scopes": list(token.scopes),
            "source": token.source,
            "expires": token.expires_at is not None,
        }
        if token.teams is not None:
            data["teams"] = list(token.teams)
        audit.note(
            tx,
            token.created_at,
            actor,
            "token.created",
            f"token:{token.hash[:16]}",
            data,
            {"name": token.name},
        )
    return made


def rotate(tx: Tx, name: str, text: str, until: datetime, actor: str, now: datetime) -> StoredToken | None:
    """Replace a token by `text`; the one before works `until` then. None: there is none of that name in force."""
    before = tokens.rotate(tx, name, token_hash(text), until, now)
    if before is not None:
        data: dict[str, Value] = {
            "before": f"token:{before.hash[:16]}",
            "overlap_seconds": int((until - now).total_seconds()),
        }
        what = f"token:{token_hash(text)[:16]}"
        audit.note(tx, now, actor, "token.rotated", what, data, {"name": name})
    return before


def revoke(tx: Tx, name: str, actor: str, now: datetime) -> bool:
    """Make a token worthless at once; False if there is none of that name in force."""
    digest = next((one.hash for one in tokens.all_tokens(tx) if one.name == name), "")
    revoked = tokens.revoke(tx, name, now)
    if revoked:
        audit.note(tx, now, actor, "token.revoked", f"token:{digest[:16]}", {}, {"name": name})
    return revoked


def token_hash(text: str) -> str:
    """What is stored and looked up instead of a token: its SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
