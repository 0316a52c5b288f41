"""Who may come in: tokens, accounts of people, and who is signed in."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from incidentd.store.schema_base import MICROS as _MICROS
from incidentd.store.schema_base import metadata

tokens = Table(
    "tokens",
    metadata,
    Column("name", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("source", Text),
    Column("created_at", _MICROS, nullable=False),
    Column("expires_at", _MICROS),
    Column("last_used_at", _MICROS),
    Column("revoked_at", _MICROS),
    Column("teams", Text, comment="JSON; null: not restricted"),
    Column("previous_hash", Text, comment="of the token before the rotation"),
    Column("previous_until", _MICROS, comment="when that stops working"),
)
accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its parameters"),
    Column("role", Text, nullable=False),
    Column("teams", Text, comment="JSON; null: not restricted"),
    Column("created_at", _MICROS, nullable=False),
    Column("password_at", _MICROS, nullable=False, comment="when the password was set"),
    Column("signed_in_at", _MICROS),
    Column("disabled_at", _MICROS),
)
sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True, comment="of the secret in the cookie"),
    Column("actor", Text, nullable=False),
    Column("provider", Text, nullable=False, comment="local, or the issuer"),
    Column("role", Text, nullable=False),
    Column("teams", Text, comment="JSON; null: not restricted"),
    Column("created_at", _MICROS, nullable=False),
    Column("seen_at", _MICROS, nullable=False),
    Column("revoked_at", _MICROS),
    Index("ix_sessions_actor", "actor"),
    Index("ix_sessions_seen", "seen_at"),
)
