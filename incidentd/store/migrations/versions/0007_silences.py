"""Silences that were asked for from incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        *_what(),
        *_how(),
        sqlite_autoincrement=True,
        comment="silences asked for from incidents: one row for each Alertmanager",
    )
    live = sa.text("ended_at IS NULL")
    op.create_index("ix_silences_live", "silences", ["incident_id"], sqlite_where=live, postgresql_where=live)
    op.create_index("ix_silences_incident_id", "silences", ["incident_id"])


def downgrade() -> None:
    op.drop_table("silences")


def _what() -> list[sa.Column[object]]:
    return [
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("alertmanager", sa.Text(), nullable=False, comment="its address"),
        sa.Column("state", sa.Text(), nullable=False, comment="wanted, active, expiring, expired, failed"),
        sa.Column(
            "mark", sa.Text(), nullable=False, comment="in its comment there: by this it is known to be ours"
        ),
        sa.Column("matchers", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("warn_at", sa.BigInteger(), nullable=False, comment="when to tell that it ends"),
        sa.Column("comment", sa.Text(), nullable=False),
    ]


def _how() -> list[sa.Column[object]]:
    return [
        sa.Column("silence_id", sa.Text(), comment="by which its Alertmanager knows it"),
        sa.Column(
            "revision", sa.Integer(), nullable=False, comment="grows with everything that people ask of it"
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="in vain, in a row"),
        sa.Column("next_attempt_at", sa.BigInteger(), comment="null: nothing is to be done"),
        sa.Column("leased_until", sa.BigInteger(), comment="somebody talks to its Alertmanager about it"),
        sa.Column("last_error", sa.Text()),
        sa.Column("warned_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("ended_by", sa.Text()),
        sa.Column("found", sa.Boolean(), nullable=False, comment="found there, unknown here"),
    ]
