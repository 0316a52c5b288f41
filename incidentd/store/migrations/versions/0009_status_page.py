"""The public status page: publications and their texts, maintenance, overrides, uptime."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_Columns = list[sa.Column[object]]


def upgrade() -> None:
    _publications()
    _updates()
    _maintenances()
    _components()


def downgrade() -> None:
    for name in (
        "component_days",
        "component_watches",
        "component_overrides",
        "public_maintenances",
        "publication_updates",
        "publications",
    ):
        op.drop_table(name)


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


def _texts(*names: str) -> _Columns:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str, nullable: bool = False) -> _Columns:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _publications() -> None:
    op.create_table(
        "publications",
        _id(),
        sa.Column("code", sa.Text(), nullable=False, comment="how the public knows it"),
        sa.Column("incident_id", sa.BigInteger(), comment="null: opened by hand"),
        sa.Column("state", sa.Text(), nullable=False, comment="draft, published, discarded"),
        *_texts("title", "phase", "policy"),
        sa.Column("effects", sa.Text(), nullable=False, comment="JSON: component -> status, now"),
        sa.Column(
            "baseline",
            sa.Text(),
            nullable=False,
            comment="JSON: the same as the incident had it when last looked at",
        ),
        sa.Column("impact", sa.Text(), nullable=False, comment="the worst so far"),
        sa.Column("impact_override", sa.Text()),
        *_times("created_at", "started_at", "updated_at"),
        *_times("published_at", "monitoring_at", "resolved_at", "next_update_at", nullable=True),
        sa.Column("publish_at", sa.BigInteger(), comment="when a delayed draft becomes public"),
        sa.Column("remind_at", sa.BigInteger()),
        sa.Column("settle_at", sa.BigInteger(), comment="when it is resolved unless something fires again"),
        sa.Column("stale", sa.Boolean(), nullable=False, comment="it says that our own monitoring is away"),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("code", name="uq_publications_code"),
        sqlite_autoincrement=True,
        comment="incidents as the public sees them, and drafts of such",
    )
    due = sa.text("publish_at IS NOT NULL OR remind_at IS NOT NULL OR settle_at IS NOT NULL")
    op.create_index("ix_publications_due", "publications", ["id"], sqlite_where=due, postgresql_where=due)
    op.create_index("ix_publications_incident_id", "publications", ["incident_id"])
    op.create_index("ix_publications_published_at", "publications", ["published_at"])


def _updates() -> None:
    op.create_table(
        "publication_updates",
        _id(),
        *_texts("code"),
        sa.Column("owner", sa.Text(), nullable=False, comment="code of the publication or maintenance"),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_texts("status", "body"),
        *_times("at"),
        *_texts("author"),
        sa.Column("origin", sa.Text(), nullable=False, comment="template; empty: a person's own words"),
        sa.Column("affected", sa.Text(), nullable=False, comment="JSON list of [component, old, new]"),
        sa.Column(
            "forced",
            sa.Text(),
            nullable=False,
            comment="JSON list: what looked internal, and its author insisted",
        ),
        *_texts("previous_hash", "hash"),
        sqlite_autoincrement=True,
        comment="public texts, every revision of each; never altered",
    )
    op.create_index(
        "uq_publication_updates_revision", "publication_updates", ["code", "revision"], unique=True
    )
    op.create_index("ix_publication_updates_owner", "publication_updates", ["owner"])


def _maintenances() -> None:
    op.create_table(
        "public_maintenances",
        _id(),
        *_texts("code", "title", "stage"),
        sa.Column("components", sa.Text(), nullable=False, comment="JSON list"),
        *_times("scheduled_for", "scheduled_until", "created_at"),
        *_texts("created_by"),
        *_times("updated_at"),
        *_times("started_at", "completed_at", nullable=True),
        sa.Column("windows", sa.Text(), nullable=False, comment="JSON list of numbers in maintenance"),
        sa.Column("rrule", sa.Text()),
        *_texts("time_zone", "starts"),
        sa.Column("verify", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("code", name="uq_public_maintenances_code"),
        sqlite_autoincrement=True,
        comment="scheduled maintenance as the public sees it",
    )
    open_ = sa.text("stage <> 'completed'")
    op.create_index(
        "ix_public_maintenances_open",
        "public_maintenances",
        ["id"],
        sqlite_where=open_,
        postgresql_where=open_,
    )
    op.create_index("ix_public_maintenances_created_at", "public_maintenances", ["created_at"])


def _components() -> None:
    op.create_table(
        "component_overrides",
        _id(),
        *_texts("component", "status", "reason", "author"),
        *_times("created_at"),
        sa.Column("until", sa.BigInteger(), comment="null: until it is cleared"),
        *_times("cleared_at", nullable=True),
        sa.Column("cleared_by", sa.Text()),
        sqlite_autoincrement=True,
        comment="statuses that people gave components",
    )
    op.create_table(
        "component_watches",
        sa.Column("component", sa.Text(), primary_key=True),
        *_times("known_since"),
        sa.Column("status", sa.Text(), nullable=False, comment="at the last look"),
        sa.Column(
            "watched_until", sa.BigInteger(), nullable=False, comment="until then its days are counted"
        ),
        comment="components of the status page, as last looked at",
    )
    op.create_table(
        "component_days",
        *_texts("component"),
        sa.Column("day", sa.Text(), nullable=False, comment="in the page's zone"),
        sa.Column("operational", sa.Float(), nullable=False, comment="seconds"),
        *[sa.Column(n, sa.Float(), nullable=False) for n in ("degraded", "partial", "major", "maintenance")],
        sa.PrimaryKeyConstraint("component", "day"),
        comment="how long each component was in each state, while somebody watched",
    )
