"""The tables of drills and of what was proven to work; `store.schema` puts them with the others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text, text

from incidentd.store.schema_base import MICROS, metadata

drills = Table(
    "drills",
    metadata,
    Column("id", Text, primary_key=True, comment="the value of the label that marks its alert"),
    Column("name", Text, comment="of a planned one: its key in the configuration"),
    Column("requested_by", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("targets", Text, comment="JSON list; null: whom the route says"),
    Column("registered_at", MICROS, nullable=False),
    Column("deadline_at", MICROS, nullable=False),
    Column("due_at", MICROS, comment="of a planned one: its time by the plan"),
    Column("received_at", MICROS),
    Column("incident_id", BigInteger),
    Column("resolved_at", MICROS),
    Column("finished_at", MICROS),
    Column("state", Text, nullable=False, comment="waiting, passed, failed"),
    Column("reasons", Text, nullable=False, comment="JSON list: why it failed"),
    Index(None, "registered_at"),
    comment="drills that were asked for or planned, and what they showed",
)
_unfinished = text("finished_at IS NULL")
Index("ix_drills_unfinished", drills.c.deadline_at, sqlite_where=_unfinished, postgresql_where=_unfinished)
# Whatever the replicas do: a planned drill takes place once.
Index("uq_drills_due", drills.c.name, drills.c.due_at, unique=True)

proofs = Table(
    "proofs",
    metadata,
    Column("kind", Text, nullable=False, comment="channel, person"),
    Column("name", Text, nullable=False),
    Column("delivered_at", MICROS, comment="when a vendor last accepted a page over or for it"),
    Column("incident_id", BigInteger, comment="what that page was about"),
    Column("drill", Boolean, comment="that was a drill"),
    Column("acknowledged_at", MICROS, comment="when the person last acknowledged something"),
    PrimaryKeyConstraint("kind", "name"),
    comment="when each channel and each person was last proven to be reachable",
)
