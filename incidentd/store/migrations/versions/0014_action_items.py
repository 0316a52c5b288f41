"""Action items of incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action_items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="a person or a team; empty: nobody yet"),
        sa.Column("due", sa.Text(), comment="the last day on which it is in time, as YYYY-MM-DD"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, done, dropped"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.Text()),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("comment", sa.Text(), nullable=False, comment="what was said with the last move"),
        sqlite_autoincrement=True,
        comment="what has to be done after incidents; open ones outlive theirs",
    )
    still_open = sa.text("state = 'open'")
    op.create_index(
        "ix_action_items_open", "action_items", ["id"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_index("ix_action_items_incident_id", "action_items", ["incident_id"])
    op.create_index("ix_action_items_closed_at", "action_items", ["closed_at"])


def downgrade() -> None:
    op.drop_table("action_items")
