"""The table of escalations: how far the policy of each incident has gone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from incidentd.store.schema_base import MICROS, metadata

escalations = Table(
    "escalations",
    metadata,
    Column("incident_id", BigInteger, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("policy", Text, nullable=False, comment="its name"),
    Column("frozen", Text, nullable=False, comment="the policy as it was at the start, as JSON"),
    Column("step", Integer, nullable=False, comment="which comes next, from 0"),
    Column("round", Integer, nullable=False, comment="from 0"),
    Column("due_at", MICROS, nullable=False),
    Column("ended_at", MICROS),
    Column("ended_reason", Text),
    Column("stuck", Boolean, nullable=False, comment="the self-audit has told of it once"),
    PrimaryKeyConstraint("incident_id"),
    comment="the latest escalation of each incident",
)
_running = text("ended_at IS NULL")
Index("ix_escalations_due", escalations.c.due_at, sqlite_where=_running, postgresql_where=_running)
