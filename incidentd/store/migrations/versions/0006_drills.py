"""Drills: their records and their mark on incidents, first attempts of deliveries, and what was last proven."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both may be null: the version before this one goes on writing rows without them while replicas are replaced.
    comment = "the drill it belongs to; null: it is real"
    op.add_column("incidents", sa.Column("drill", sa.Text(), comment=comment))
    comment = "when the first attempt at it began"
    op.add_column("deliveries", sa.Column("first_attempt_at", sa.BigInteger(), comment=comment))
    _drills()
    _proofs()


def downgrade() -> None:
    op.drop_table("proofs")
    op.drop_table("drills")
    op.drop_column("deliveries", "first_attempt_at")
    op.drop_column("incidents", "drill")


def _drills() -> None:
    op.create_table(
        "drills",
        sa.Column("id", sa.Text(), nullable=False, comment="the value of the label that marks its alert"),
        sa.Column("name", sa.Text(), comment="of a planned one: its key in the configuration"),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("targets", sa.Text(), comment="JSON list; null: whom the route says"),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), comment="of a planned one: its time by the plan"),
        sa.Column("received_at", sa.BigInteger()),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, passed, failed"),
        sa.Column("reasons", sa.Text(), nullable=False, comment="JSON list: why it failed"),
        sa.PrimaryKeyConstraint("id", name="pk_drills"),
        comment="drills that were asked for or planned, and what they showed",
    )
    op.create_index("ix_drills_registered_at", "drills", ["registered_at"])
    where = sa.text("finished_at IS NULL")
    op.create_index(
        "ix_drills_unfinished", "drills", ["deadline_at"], sqlite_where=where, postgresql_where=where
    )
    op.create_index("uq_drills_due", "drills", ["name", "due_at"], unique=True)


def _proofs() -> None:
    op.create_table(
        "proofs",
        sa.Column("kind", sa.Text(), nullable=False, comment="channel, person"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "delivered_at", sa.BigInteger(), comment="when a vendor last accepted a page over or for it"
        ),
        sa.Column("incident_id", sa.BigInteger(), comment="what that page was about"),
        sa.Column("drill", sa.Boolean(), comment="that was a drill"),
        sa.Column("acknowledged_at", sa.BigInteger(), comment="when the person last acknowledged something"),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_proofs"),
        comment="when each channel and each person was last proven to be reachable",
    )
