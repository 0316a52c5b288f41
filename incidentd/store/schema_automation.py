"""The table of what machines do in the steps of runbooks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

step_runs = Table(
    "step_runs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False, comment="of the step, from 1"),
    Column("book", Text, nullable=False, comment="SHA-256 of the runbook"),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False, comment="the command's name, the host, the source"),
    Column("changes", Boolean, nullable=False, comment="it may change something: never taken up again"),
    Column("state", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("asked_by", Text, nullable=False, comment="empty: the incident's opening"),
    Column("approved_by", Text, nullable=False, comment="the second person, where two are needed"),
    Column("comment", Text, nullable=False),
    Column("turn_at", MICROS, comment="since when the machine has it; null: nothing is to be done"),
    Column("started_at", MICROS),
    Column("ended_at", MICROS),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", MICROS, comment="until then it is believed to be under way"),
    Column("generation", Integer, nullable=False, comment="grows with every beginning"),
    Column("stop", Text, comment="why it is to end now"),
    Column("summary", Text, nullable=False),
    Column("output", Text, nullable=False, comment="the end of what it said"),
    Column("data", Text, nullable=False, comment="JSON"),
    sqlite_autoincrement=True,
    comment="steps that a machine takes, or is to take",
)
_live = text("ended_at IS NULL")
_busy = text("turn_at IS NOT NULL")
# A step has at most one run that is not over, whoever asks for how many at once.
Index(
    "uq_step_runs_live",
    step_runs.c.incident_id,
    step_runs.c.number,
    unique=True,
    sqlite_where=_live,
    postgresql_where=_live,
)
Index("ix_step_runs_busy", step_runs.c.id, sqlite_where=_busy, postgresql_where=_busy)
Index("ix_step_runs_incident_id", step_runs.c.incident_id)
Index("ix_step_runs_subject", step_runs.c.subject, step_runs.c.started_at)
