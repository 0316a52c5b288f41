"""The table of silences that were asked for from incidents, once for each Alertmanager."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

silences = Table(
    "silences",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("alertmanager", Text, nullable=False, comment="its address"),
    Column("state", Text, nullable=False, comment="wanted, active, expiring, expired, failed"),
    Column("mark", Text, nullable=False, comment="in its comment there: by this it is known to be ours"),
    Column("matchers", Text, nullable=False, comment="JSON list"),
    Column("starts_at", MICROS, nullable=False),
    Column("ends_at", MICROS, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("warn_at", MICROS, nullable=False, comment="when to tell that it ends"),
    Column("comment", Text, nullable=False),
    Column("silence_id", Text, comment="by which its Alertmanager knows it"),
    Column("revision", Integer, nullable=False, comment="grows with everything that people ask of it"),
    Column("attempts", Integer, nullable=False, comment="in vain, in a row"),
    Column("next_attempt_at", MICROS, comment="null: nothing is to be done"),
    Column("leased_until", MICROS, comment="somebody talks to its Alertmanager about it"),
    Column("last_error", Text),
    Column("warned_at", MICROS),
    Column("ended_at", MICROS),
    Column("ended_by", Text),
    Column("found", Boolean, nullable=False, comment="found there, unknown here"),
    sqlite_autoincrement=True,
    comment="silences asked for from incidents: one row for each Alertmanager",
)
_live = text("ended_at IS NULL")
Index(
    "ix_silences_live",
    silences.c.incident_id,
    sqlite_where=_live,
    postgresql_where=_live,
)
Index("ix_silences_incident_id", silences.c.incident_id)
