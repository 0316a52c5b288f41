"""The tables of the public status page; `store.schema` puts them with the others."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from incidentd.store.schema_base import ID, MICROS, metadata

publications = Table(
    "publications",
    metadata,
    Column("id", ID, primary_key=True),
    Column("code", Text, nullable=False, unique=True, comment="how the public knows it"),
    Column("incident_id", BigInteger, comment="null: opened by hand"),
    Column("state", Text, nullable=False, comment="draft, published, discarded"),
    Column("title", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("effects", Text, nullable=False, comment="JSON: component -> status, now"),
    Column(
        "baseline", Text, nullable=False, comment="JSON: the same as the incident had it when last looked at"
    ),
    Column("impact", Text, nullable=False, comment="the worst so far"),
    Column("impact_override", Text),
    Column("created_at", MICROS, nullable=False),
    Column("started_at", MICROS, nullable=False),
    Column("updated_at", MICROS, nullable=False),
    Column("published_at", MICROS),
    Column("monitoring_at", MICROS),
    Column("resolved_at", MICROS),
    Column("next_update_at", MICROS),
    Column("publish_at", MICROS, comment="when a delayed draft becomes public"),
    Column("remind_at", MICROS),
    Column("settle_at", MICROS, comment="when it is resolved unless something fires again"),
    Column("stale", Boolean, nullable=False, comment="it says that our own monitoring is away"),
    Column("by_hand", Boolean, nullable=False),
    Column("draft_text", Text, comment="what a step of a runbook proposes to say"),
    sqlite_autoincrement=True,
    comment="incidents as the public sees them, and drafts of such",
)
_due = text("publish_at IS NOT NULL OR remind_at IS NOT NULL OR settle_at IS NOT NULL")
Index("ix_publications_due", publications.c.id, sqlite_where=_due, postgresql_where=_due)
Index(None, publications.c.incident_id)
Index(None, publications.c.published_at)

publication_updates = Table(
    "publication_updates",
    metadata,
    Column("id", ID, primary_key=True),
    Column("code", Text, nullable=False),
    Column("owner", Text, nullable=False, comment="code of the publication or maintenance"),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", MICROS, nullable=False),
    Column("author", Text, nullable=False),
    Column("origin", Text, nullable=False, comment="template; empty: a person's own words"),
    Column("affected", Text, nullable=False, comment="JSON list of [component, old, new]"),
    Column(
        "forced", Text, nullable=False, comment="JSON list: what looked internal, and its author insisted"
    ),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    sqlite_autoincrement=True,
    comment="public texts, every revision of each; never altered",
)
Index(
    "uq_publication_updates_revision", publication_updates.c.code, publication_updates.c.revision, unique=True
)
Index(None, publication_updates.c.owner)

public_maintenances = Table(
    "public_maintenances",
    metadata,
    Column("id", ID, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("components", Text, nullable=False, comment="JSON list"),
    Column("scheduled_for", MICROS, nullable=False),
    Column("scheduled_until", MICROS, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", MICROS, nullable=False),
    Column("started_at", MICROS),
    Column("completed_at", MICROS),
    Column("windows", Text, nullable=False, comment="JSON list of numbers in maintenance"),
    Column("rrule", Text),
    Column("time_zone", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("verify", Boolean, nullable=False),
    sqlite_autoincrement=True,
    comment="scheduled maintenance as the public sees it",
)
_open = text("stage <> 'completed'")
Index("ix_public_maintenances_open", public_maintenances.c.id, sqlite_where=_open, postgresql_where=_open)
Index(None, public_maintenances.c.created_at)

component_overrides = Table(
    "component_overrides",
    metadata,
    Column("id", ID, primary_key=True),
    Column("component", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", MICROS, nullable=False),
    Column("until", MICROS, comment="null: until it is cleared"),
    Column("cleared_at", MICROS),
    Column("cleared_by", Text),
    sqlite_autoincrement=True,
    comment="statuses that people gave components",
)

component_watches = Table(
    "component_watches",
    metadata,
    Column("component", Text, primary_key=True),
    Column("known_since", MICROS, nullable=False),
    Column("status", Text, nullable=False, comment="at the last look"),
    Column("watched_until", MICROS, nullable=False, comment="until then its days are counted"),
    comment="components of the status page, as last looked at",
)

component_days = Table(
    "component_days",
    metadata,
    Column("component", Text, nullable=False),
    Column("day", Text, nullable=False, comment="in the page's zone"),
    Column("operational", Float, nullable=False, comment="seconds"),
    Column("degraded", Float, nullable=False),
    Column("partial", Float, nullable=False),
    Column("major", Float, nullable=False),
    Column("maintenance", Float, nullable=False),
    PrimaryKeyConstraint("component", "day"),
    comment="how long each component was in each state, while somebody watched",
)
