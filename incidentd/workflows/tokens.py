"""Making API tokens: the secret is shown once, only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from incidentd.store.tokens import StoredToken


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


def token_hash(text: str) -> str:
    """What is stored and looked up instead of a token: its SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
