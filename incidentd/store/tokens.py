"""API tokens made by `incidentd token create`: only their hash is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx

_t = schema.tokens.c


@dataclass(frozen=True, slots=True)
class StoredToken:
    """One token, without the token itself."""

    name: str
    hash: str
    """SHA-256 of the token in hexadecimal; 256 random bits need no slow hash."""
    scopes: tuple[str, ...]
    source: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    teams: tuple[str, ...] | None = None
    """The teams it is restricted to; None: it is not."""
    previous_hash: str | None = None
    """Of the token before the last rotation."""
    previous_until: datetime | None = None
    """When that stops working."""


def add(tx: Tx, token: StoredToken) -> bool:
    """Store a new token; False if the name is taken by one that is not revoked."""
    existing = tx.conn.execute(sa.select(_t.revoked_at).where(_t.name == token.name)).first()
    if existing is not None and existing.revoked_at is None:
        return False
    tx.conn.execute(sa.delete(schema.tokens).where(_t.name == token.name))
    tx.conn.execute(
        sa.insert(schema.tokens).values(
            name=token.name,
            hash=token.hash,
            scopes=dumps(token.scopes),
            source=token.source,
            created_at=micros(token.created_at),
            expires_at=micros_or_none(token.expires_at),
            teams=None if token.teams is None else dumps(token.teams),
        )
    )
    return True


def rotate(tx: Tx, name: str, digest: str, until: datetime, now: datetime) -> StoredToken | None:
    """Give a token in force another secret; the one before works `until` then. None: there is none of that name."""
    row = tx.conn.execute(sa.select(schema.tokens).where(_t.name == name)).first()
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= micros(now):
        return None
    values = {"hash": digest, "previous_hash": row.hash, "previous_until": micros(until)}
    tx.conn.execute(sa.update(schema.tokens).where(_t.name == name).values(**values))
    return _token(row)


def revoke(tx: Tx, name: str, now: datetime) -> bool:
    """Make a token worthless at once; False if there is none of that name in force."""
    statement = (
        sa.update(schema.tokens)
        .where(_t.name == name, _t.revoked_at.is_(None))
        .values(revoked_at=micros(now))
    )
    return tx.conn.execute(statement).rowcount == 1


def all_tokens(tx: Tx) -> list[StoredToken]:
    """Every token, by name."""
    return [_token(row) for row in tx.conn.execute(sa.select(schema.tokens).order_by(_t.name))]


def used(tx: Tx, uses: Sequence[tuple[str, datetime]]) -> None:
    """Remember when tokens were last used; called in batches."""
    for name, at in uses:
        tx.conn.execute(sa.update(schema.tokens).where(_t.name == name).values(last_used_at=micros(at)))


def _token(row: Any) -> StoredToken:
    return StoredToken(
        row.name,
        row.hash,
        tuple(loads(row.scopes)),
        row.source,
        instant(row.created_at),
        instant_or_none(row.expires_at),
        instant_or_none(row.last_used_at),
        instant_or_none(row.revoked_at),
        None if row.teams is None else tuple(loads(row.teams)),
        row.previous_hash,
        instant_or_none(row.previous_until),
    )
