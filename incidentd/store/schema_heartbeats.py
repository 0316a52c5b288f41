"""The table of heartbeats; `store.schema` puts it with the others."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from incidentd.store.schema_base import MICROS, metadata

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("source", Text, nullable=False, comment="empty: it is pinged"),
    Column("state", Text, nullable=False, comment="waiting, beating, missing, back"),
    Column(
        "since", MICROS, nullable=False, comment="of the state; of one that beats, when it last came back"
    ),
    Column("last_beat_at", MICROS),
    Column("ended_at", MICROS, comment="the source said that the alert it beats with is over"),
    comment="signs of life that are expected: one row each, and few",
)
