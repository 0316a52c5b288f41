"""Who may come in: tokens."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

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
)
