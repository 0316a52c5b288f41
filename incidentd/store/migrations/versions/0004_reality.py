"""Reconciling: the rounds of each source, alerts as they found them, incidents as they are at their source."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconcile_sources",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "generation",
            sa.Integer(),
            nullable=False,
            comment="of the latest round: what an older one says is void",
        ),
        sa.Column(
            "due_at", sa.BigInteger(), nullable=False, comment="of the next round; whoever moves it on asks"
        ),
        sa.Column("good_at", sa.BigInteger(), comment="of the last round that every Alertmanager answered"),
        sa.Column("failed", sa.Text(), comment="why the latest round was not good; null: it was"),
        sa.Column("detail", sa.Text(), nullable=False, comment="the same in words"),
        sa.Column("beat_at", sa.BigInteger(), comment="when a heartbeat alert was last there"),
        sa.Column(
            "receivers",
            sa.Text(),
            nullable=False,
            comment="JSON list: Alertmanager's names of what posts here",
        ),
        sa.PrimaryKeyConstraint("source", name="pk_reconcile_sources"),
        comment="the rounds of each source that is reconciled: one row each",
    )
    _alerts()
    _incidents()


def downgrade() -> None:
    for name in ("incidents_at_source", "source_alerts", "reconcile_sources"):
        op.drop_table(name)


def _alerts() -> None:
    op.create_table(
        "source_alerts",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False, comment="present, missing, unknown"),
        sa.Column("rounds", sa.Integer(), nullable=False, comment="good rounds in a row that found it so"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="the first of them"),
        sa.Column("seen_at", sa.BigInteger(), comment="when it was last known to fire; of a missing one"),
        sa.Column("met", sa.Boolean(), nullable=False, comment="it was there once"),
        sa.PrimaryKeyConstraint("source", "fingerprint", name="pk_source_alerts"),
        comment="alerts that fire here or at their source, as the last rounds found them",
    )


def _incidents() -> None:
    op.create_table(
        "incidents_at_source",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("silenced_by", sa.Text(), nullable=False, comment="JSON list of silences"),
        sa.Column("inhibited", sa.Boolean(), nullable=False),
        sa.Column(
            "still_firing", sa.Boolean(), nullable=False, comment="closed here while its alerts fire there"
        ),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incidents_at_source"),
        comment="what is special about incidents at their source: few rows, replaced by each round",
    )
