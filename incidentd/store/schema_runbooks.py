"""The tables of runbooks: each text once, which incident has which, and how far its steps are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from incidentd.store.schema_base import MICROS, metadata

runbook_texts = Table(
    "runbook_texts",
    metadata,
    Column("hash", Text, nullable=False, comment="SHA-256 of the file, hexadecimal"),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False, comment="the whole file"),
    Column("steps", Text, nullable=False, comment="as they were understood, JSON"),
    Column("stored_at", MICROS, nullable=False),
    # The same text may be filed under two names.
    PrimaryKeyConstraint("hash", "name"),
    comment="every version of a runbook that an incident has had",
)

incident_runbooks = Table(
    "incident_runbooks",
    metadata,
    Column("incident_id", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="why this one"),
    Column("attached_at", MICROS, nullable=False),
    PrimaryKeyConstraint("incident_id"),
    comment="the runbook that an incident got when it opened",
)
Index("ix_incident_runbooks_hash", incident_runbooks.c.hash)

runbook_steps = Table(
    "runbook_steps",
    metadata,
    Column("incident_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False, comment="from 1"),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="who moved it last"),
    Column("at", MICROS, nullable=False),
    Column("comment", Text, nullable=False),
    PrimaryKeyConstraint("incident_id", "number"),
    comment="steps that somebody has touched; the others are pending",
)
