"""The table of action items."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

action_items = Table(
    "action_items",
    metadata,
    Column("id", ID, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("owner", Text, nullable=False, comment="a person or a team; empty: nobody yet"),
    Column("due", Text, comment="the last day on which it is in time, as YYYY-MM-DD"),
    Column("state", Text, nullable=False, comment="open, done, dropped"),
    Column("created_by", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("closed_by", Text),
    Column("closed_at", MICROS),
    Column("comment", Text, nullable=False, comment="what was said with the last move"),
    sqlite_autoincrement=True,
    comment="what has to be done after incidents; open ones outlive theirs",
)
_open = text("state = 'open'")
Index("ix_action_items_open", action_items.c.id, sqlite_where=_open, postgresql_where=_open)
Index("ix_action_items_incident_id", action_items.c.incident_id)
Index("ix_action_items_closed_at", action_items.c.closed_at)
