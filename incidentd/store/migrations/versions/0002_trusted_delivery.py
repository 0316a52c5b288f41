"""What makes delivery trusted: fall-backs and bundles in the outbox, the health of destinations, vendors' events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


_ADDED = {
    "fallback_of": "the page that this one stands in for",
    "fell_back_at": "when somebody else was told in its place",
    "bundled_in": "the message that told of it together with others",
    "retried_at": "when a person put it back",
    "leased_at": "of the last attempt: its message says how things stood then",
}


def upgrade() -> None:
    # All may be null: the version before this one goes on writing rows without them while replicas are replaced.
    for name, comment in _ADDED.items():
        op.add_column("deliveries", sa.Column(name, sa.BigInteger(), comment=comment))
    op.create_index(
        "ix_deliveries_unanswered",
        "deliveries",
        ["class", "fell_back_at", "created_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    bundled = sa.text("bundled_in IS NOT NULL")
    op.create_index(
        "ix_deliveries_bundled",
        "deliveries",
        ["bundled_in"],
        sqlite_where=bundled,
        postgresql_where=bundled,
    )
    _destinations()
    _inbound_events()
    _alerts()


def downgrade() -> None:
    op.drop_column("alerts", "newest_starts_at")
    op.drop_table("inbound_events")
    op.drop_table("destinations")
    op.drop_index("ix_deliveries_bundled", "deliveries")
    op.drop_index("ix_deliveries_unanswered", "deliveries")
    for name in _ADDED:
        op.drop_column("deliveries", name)


def _destinations() -> None:
    op.create_table(
        "destinations",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="ok, throttled, degraded, broken"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), comment="nothing is taken for it before"),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="attempts in a row that were not accepted"
        ),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("channel", name="pk_destinations"),
        comment="how each channel is doing, for all replicas alike",
    )


def _inbound_events() -> None:
    op.create_table(
        "inbound_events",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column(
            "occurred_at",
            sa.BigInteger(),
            comment="by the vendor's clock: an older event never moves a state back",
        ),
        sa.PrimaryKeyConstraint("channel", "event_id", name="pk_inbound_events"),
        comment="what vendors sent us and was acted upon: a redelivery is recognised",
    )
    op.create_index("ix_inbound_events_incident_id", "inbound_events", ["incident_id"])
    op.create_index("ix_inbound_events_received_at", "inbound_events", ["received_at"])


def _alerts() -> None:
    comment = "of all occurrences; null: that of the latest"
    op.add_column("alerts", sa.Column("newest_starts_at", sa.BigInteger(), comment=comment))
    if op.get_context().dialect.name == "postgresql":
        op.execute("COMMENT ON COLUMN occurrences.reason IS 'the sighting that made it'")
