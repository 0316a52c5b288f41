"""The journal of webhook bodies, which replays read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True
        ),
        sa.Column(
            "first_at", sa.BigInteger(), nullable=False, comment="when the first body of the frame came"
        ),
        sa.Column("last_at", sa.BigInteger(), nullable=False, comment="when the last one came"),
        sa.Column("bodies", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of the frame"),
        sa.Column(
            "frame", sa.LargeBinary(), nullable=False, comment="zlib: a line of JSON and the body, for each"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        comment="webhook bodies, without any header",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_last_at_size", "journal", ["last_at", "size"])


def downgrade() -> None:
    op.drop_table("journal")
