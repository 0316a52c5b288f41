"""Runbooks: the texts that incidents were given, and how far their steps are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runbook_texts",
        sa.Column("hash", sa.Text(), nullable=False, comment="SHA-256 of the file, hexadecimal"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="the whole file"),
        sa.Column("steps", sa.Text(), nullable=False, comment="as they were understood, JSON"),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "name", name="pk_runbook_texts"),
        comment="every version of a runbook that an incident has had",
    )
    op.create_table(
        "incident_runbooks",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="why this one"),
        sa.Column("attached_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident_runbooks"),
        comment="the runbook that an incident got when it opened",
    )
    op.create_index("ix_incident_runbooks_hash", "incident_runbooks", ["hash"])
    op.create_table(
        "runbook_steps",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="who moved it last"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "number", name="pk_runbook_steps"),
        comment="steps that somebody has touched; the others are pending",
    )


def downgrade() -> None:
    op.drop_table("runbook_steps")
    op.drop_index("ix_incident_runbooks_hash", "incident_runbooks")
    op.drop_table("incident_runbooks")
    op.drop_table("runbook_texts")
