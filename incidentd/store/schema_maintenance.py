"""The table of maintenance windows that people made; `store.schema` puts it with the others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("matchers", Text, nullable=False, comment="JSON list"),
    Column("starts", Text, nullable=False, comment="of the first occurrence, on the clock of time_zone"),
    Column("duration", BigInteger, nullable=False, comment="microseconds"),
    Column("time_zone", Text, nullable=False),
    Column("rrule", Text, comment="RFC 5545; null: once"),
    Column("comment", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("over_at", MICROS, comment="end of one that is once; null: it comes again"),
    Column("cancelled_at", MICROS),
    Column("cancelled_by", Text),
    sqlite_autoincrement=True,
    comment="planned times in which matching alerts tell nobody; those of the configuration are not here",
)
_standing = text("cancelled_at IS NULL")
Index(
    "ix_maintenance_standing",
    maintenance.c.over_at,
    sqlite_where=_standing,
    postgresql_where=_standing,
)
