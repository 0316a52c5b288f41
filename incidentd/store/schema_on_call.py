"""The tables of on-call: what people changed about who is on duty, and what calendars say of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from incidentd.store.schema_base import ID, MICROS, metadata

overrides = Table(
    "overrides",
    metadata,
    Column("id", ID, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("starts_at", MICROS, nullable=False),
    Column("ends_at", MICROS, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("note", Text, nullable=False),
    Column("cancelled_at", MICROS, comment="it holds no longer than that, or never did"),
    Column("cancelled_by", Text),
    # Those in force at an instant are the few that have not ended by then.
    Index(None, "schedule", "ends_at"),
    Index(None, "ends_at"),
    sqlite_autoincrement=True,
    comment="somebody is on duty in a schedule for a while, whatever its layers say",
)

calendars = Table(
    "calendars",
    metadata,
    Column("key", Text, primary_key=True, comment="digest of the address"),
    Column("next_at", MICROS, nullable=False, comment="when it is asked again"),
    Column("read_at", MICROS, comment="when it was last known what it says"),
    Column("version", BigInteger, nullable=False, comment="counts changes; 0: never read"),
    Column("events", Text, nullable=False, comment="JSON list of begin and end, as last read"),
    Column("etag", Text, nullable=False),
    Column("modified", Text, nullable=False, comment="Last-Modified"),
    Column("failing_since", MICROS),
    Column("error", Text, nullable=False, comment="of the last attempt; empty if it was good"),
    comment="what calendars said that are fetched from an address",
)
