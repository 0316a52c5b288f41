"""Making API tokens: the secret is shown once, only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from incidentd.store import tokens
from incidentd.store.engine import Tx
from incidentd.store.tokens import StoredToken
from incidentd.workflows import audit


def new_token(
    name: str, scopes: Iterable[str], source: str | None, expires_at: datetime | None, now: datetime
) -> tuple[str, StoredToken]:
    """A new token as text, to be shown once, and what is stored of it.

    It reads ``inc_<8 characters>_<43 characters>``: a prefix that secret scanners find, and 256 random bits.
    """
    text = f"inc_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    stored = StoredToken(
        name=name,
        hash=token_hash(text),
        scopes=tuple(sorted(set(scopes))),
        source=source,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    return text, stored


def create(tx: Tx, token: StoredToken, actor: str) -> bool:
    """Store a new token; False if its name is taken. `actor`: who made it."""
    made = tokens.add(tx, token)
    if made:
        data = {"scopes": list(token.scopes), "source": token.source, "expires": token.expires_at is not None}
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
