"""Steps of runbooks that a machine takes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "step_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        *_what(),
        *_course(),
        sqlite_autoincrement=True,
        comment="steps that a machine takes, or is to take",
    )
    live = sa.text("ended_at IS NULL")
    busy = sa.text("turn_at IS NOT NULL")
    op.create_index(
        "uq_step_runs_live",
        "step_runs",
        ["incident_id", "number"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("ix_step_runs_busy", "step_runs", ["id"], sqlite_where=busy, postgresql_where=busy)
    op.create_index("ix_step_runs_incident_id", "step_runs", ["incident_id"])
    op.create_index("ix_step_runs_subject", "step_runs", ["subject", "started_at"])
    op.add_column(
        "publications", sa.Column("draft_text", sa.Text(), comment="what a step of a runbook proposes to say")
    )


def downgrade() -> None:
    op.drop_column("publications", "draft_text")
    op.drop_table("step_runs")


def _what() -> list[sa.Column[object]]:
    return [
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="of the step, from 1"),
        sa.Column("book", sa.Text(), nullable=False, comment="SHA-256 of the runbook"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="the command's name, the host, the source"),
        sa.Column(
            "changes", sa.Boolean(), nullable=False, comment="it may change something: never taken up again"
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="empty: the incident's opening"),
        sa.Column(
            "approved_by", sa.Text(), nullable=False, comment="the second person, where two are needed"
        ),
        sa.Column("comment", sa.Text(), nullable=False),
    ]


def _course() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "turn_at", sa.BigInteger(), comment="since when the machine has it; null: nothing is to be done"
        ),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), comment="until then it is believed to be under way"),
        sa.Column("generation", sa.Integer(), nullable=False, comment="grows with every beginning"),
        sa.Column("stop", sa.Text(), comment="why it is to end now"),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False, comment="the end of what it said"),
        sa.Column("data", sa.Text(), nullable=False, comment="JSON"),
    ]
