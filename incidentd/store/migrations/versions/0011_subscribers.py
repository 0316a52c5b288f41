"""Subscribers of the status page, what they are to be told, and its outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


_ABOUT = "code of the publication or maintenance, or the component"


def upgrade() -> None:
    _subscribers()
    _announcements()
    _deliveries()


def downgrade() -> None:
    for table in ("deliveries", "announcements", "subscribers"):
        op.drop_table(f"status_{table}")


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _subscribers() -> None:
    op.create_table(
        "status_subscribers",
        sa.Column("id", _number(), primary_key=True),
        sa.Column("code", sa.Text(), nullable=False, comment="names it in links"),
        sa.Column("kind", sa.Text(), nullable=False, comment="email, webhook"),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "contact",
            sa.Text(),
            nullable=False,
            comment="mail address that confirms; empty: an operator made it",
        ),
        sa.Column("standing", sa.Text(), nullable=False, comment="pending, active, quarantined"),
        sa.Column("components", sa.Text(), comment="JSON list; null: all"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="notices in a row that could not be delivered"
        ),
        sa.UniqueConstraint("code"),
        sqlite_autoincrement=True,
        comment="who asked to be told of what becomes public; gone when they unsubscribe",
    )
    op.create_index("uq_status_subscribers_address", "status_subscribers", ["kind", "address"], unique=True)
    pending = sa.text("standing = 'pending'")
    op.create_index(
        "ix_status_subscribers_pending",
        "status_subscribers",
        ["created_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def _announcements() -> None:
    op.create_table(
        "status_announcements",
        sa.Column("id", _number(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="event, component"),
        sa.Column("about", sa.Text(), nullable=False, comment=_ABOUT),
        sa.Column(
            "said",
            sa.Text(),
            nullable=False,
            comment="code of the update; of a component: old and new status",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), comment="JSON: what subscribers are told; null until it is made"),
        sa.Column(
            "reached",
            sa.BigInteger(),
            nullable=False,
            comment="number of the last subscriber it was written for",
        ),
        sa.Column(
            "spread_at",
            sa.BigInteger(),
            comment="null while there are subscribers it was not written for",
        ),
        sqlite_autoincrement=True,
        comment="what became public, to be told to subscribers: written with it",
    )
    still = sa.text("spread_at IS NULL")
    op.create_index(
        "ix_status_announcements_open",
        "status_announcements",
        ["id"],
        sqlite_where=still,
        postgresql_where=still,
    )


def _deliveries() -> None:
    op.create_table(
        "status_deliveries",
        sa.Column("id", _number(), primary_key=True),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("announcement_id", sa.BigInteger(), comment="null: the question to confirm"),
        sa.Column("kind", sa.Text(), nullable=False, comment="of the subscriber: email, webhook"),
        sa.Column("state", sa.Text(), nullable=False, comment="pending, leased, sent, dead"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "not_before",
            sa.BigInteger(),
            nullable=False,
            comment="when it may be taken; of a leased row its end",
        ),
        sa.Column("lease_generation", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sqlite_autoincrement=True,
        comment="outbox of what subscribers are told",
    )
    still = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_status_deliveries_open",
        "status_deliveries",
        ["kind", "not_before"],
        sqlite_where=still,
        postgresql_where=still,
    )
    op.create_index("ix_status_deliveries_created", "status_deliveries", ["created_at"])
    op.create_index(
        "uq_status_deliveries_once", "status_deliveries", ["subscriber_id", "announcement_id"], unique=True
    )
