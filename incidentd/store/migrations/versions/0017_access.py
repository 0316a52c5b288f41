"""People who sign in: accounts and sessions; tokens that are rotated and restricted to teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tokens()
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id, with its parameters"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("teams", sa.Text(), comment="JSON; null: not restricted"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_at", sa.BigInteger(), nullable=False, comment="when the password was set"),
        sa.Column("signed_in_at", sa.BigInteger()),
        sa.Column("disabled_at", sa.BigInteger()),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.Text(), primary_key=True, comment="of the secret in the cookie"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False, comment="local, or the issuer"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("teams", sa.Text(), comment="JSON; null: not restricted"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_index("ix_sessions_actor", "sessions", ["actor"])
    op.create_index("ix_sessions_seen", "sessions", ["seen_at"])


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_table("accounts")
    for name in ("teams", "previous_hash", "previous_until"):
        op.drop_column("tokens", name)


def _tokens() -> None:
    op.add_column("tokens", sa.Column("teams", sa.Text(), comment="JSON; null: not restricted"))
    op.add_column("tokens", sa.Column("previous_hash", sa.Text(), comment="of the token before the rotation"))
    op.add_column("tokens", sa.Column("previous_until", sa.BigInteger(), comment="when that stops working"))
