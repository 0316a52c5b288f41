"""The tables of the audit log: the chain, its head, its signatures, and what can be erased beside it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

audit_events = Table(
    "audit_events",
    metadata,
    # Numbered by the head, not by the database: there is never a gap.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", MICROS, nullable=False),
    Column("entry", Text, nullable=False, comment="RFC 8785; what is hashed"),
    Column("hash", Text, nullable=False),
    comment="appended to, never changed",
)
Index("ix_audit_events_at", audit_events.c.at, audit_events.c.seq)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    comment="one row: who appends locks it",
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("seq", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("ts", Text, nullable=False),
    Column("signature", Text, nullable=False),
    PrimaryKeyConstraint("seq", "key"),
)

audit_keys = Table(
    "audit_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("public", Text, nullable=False, comment="DER, hexadecimal"),
    Column("seq", BigInteger, nullable=False, comment="the entry that introduced it"),
)

audit_private = Table(
    "audit_private",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("field", Text, nullable=False),
    Column("salt", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("seq", BigInteger, nullable=False, comment="the entry that needed it first"),
    comment="what references of the chain mean: may be erased at any time",
)
_actors = text("field = 'actor'")
Index("ix_audit_private_actor", audit_private.c.value, sqlite_where=_actors, postgresql_where=_actors)
Index("ix_audit_private_seq", audit_private.c.seq)

audit_exports = Table(
    "audit_exports",
    metadata,
    Column("id", ID, primary_key=True),
    Column("format", Text, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("since", MICROS, comment="as asked for; null: from the first entry"),
    Column("until", MICROS, comment="as asked for; null: to the end"),
    Column("created_at", MICROS, nullable=False),
    sqlite_autoincrement=True,
)
