"""The tables of reconciling: what Alertmanagers said of themselves; `store.schema` puts them with the others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, Table, Text

from incidentd.store.schema_base import MICROS, metadata

reconcile_sources = Table(
    "reconcile_sources",
    metadata,
    Column("source", Text, primary_key=True),
    Column(
        "generation", Integer, nullable=False, comment="of the latest round: what an older one says is void"
    ),
    Column("due_at", MICROS, nullable=False, comment="of the next round; whoever moves it on asks"),
    Column("good_at", MICROS, comment="of the last round that every Alertmanager answered"),
    Column("failed", Text, comment="why the latest round was not good; null: it was"),
    Column("detail", Text, nullable=False, comment="the same in words"),
    Column("beat_at", MICROS, comment="when a heartbeat alert was last there"),
    Column("receivers", Text, nullable=False, comment="JSON list: Alertmanager's names of what posts here"),
    comment="the rounds of each source that is reconciled: one row each",
)

source_alerts = Table(
    "source_alerts",
    metadata,
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("standing", Text, nullable=False, comment="present, missing, unknown"),
    Column("rounds", Integer, nullable=False, comment="good rounds in a row that found it so"),
    Column("since", MICROS, nullable=False, comment="the first of them"),
    Column("seen_at", MICROS, comment="when it was last known to fire; of a missing one"),
    Column("met", Boolean, nullable=False, comment="it was there once"),
    PrimaryKeyConstraint("source", "fingerprint"),
    comment="alerts that fire here or at their source, as the last rounds found them",
)

incidents_at_source = Table(
    "incidents_at_source",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("silenced_by", Text, nullable=False, comment="JSON list of silences"),
    Column("inhibited", Boolean, nullable=False),
    Column("still_firing", Boolean, nullable=False, comment="closed here while its alerts fire there"),
    comment="what is special about incidents at their source: few rows, replaced by each round",
)
