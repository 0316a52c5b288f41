"""What makes delivery trusted: fall-backs and bundles in the outbox, the health of destinations, vendors' events.

And deployments, with what vendors are told of them.
"""

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
}


def upgrade() -> None:
    # All may be null: the version before this one goes on writing rows without them while replicas are replaced.
    for name, comment in _ADDED.items():
        op.add_column("deliveries", sa.Column(name, sa.BigInteger(), comment=comment))
    told_over: sa.Column[bool] = sa.Column(
        "told_over", sa.Boolean(), comment="its last message said that it was over"
    )
    op.add_column("deliveries", told_over)
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
    _deployments()
    _change_events()


def downgrade() -> None:
    op.drop_table("change_events")
    op.drop_table("deployments")
    op.drop_column("alerts", "newest_starts_at")
    op.drop_table("inbound_events")
    op.drop_table("destinations")
    op.drop_index("ix_deliveries_bundled", "deliveries")
    op.drop_index("ix_deliveries_unanswered", "deliveries")
    for name in ("told_over", *_ADDED):
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


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the id that its sender gave it"),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), comment="null while it runs"),
        sa.Column("commit_time", sa.BigInteger()),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), comment="null while it runs"),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="of the first post about it"),
        sa.PrimaryKeyConstraint("id", name="pk_deployments"),
        sa.UniqueConstraint("source", "name", name="uq_deployments_source_name"),
        sqlite_autoincrement=True,
        comment="what pipelines told of deployments",
    )
    op.create_index("ix_deployments_service_finished_at", "deployments", ["service", "finished_at"])
    op.create_index("ix_deployments_started_at", "deployments", ["started_at"])


def _change_events() -> None:
    op.create_table(
        "change_events",
        sa.Column("deployment_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="pending, leased, sent, dead"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False, comment="while leased, when the lease ends"),
        sa.Column("lease_generation", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), comment="when it was sent or given up"),
        sa.PrimaryKeyConstraint("deployment_id", "channel", name="pk_change_events"),
        comment="vendors that are told of a deployment, each once",
    )
    for name, columns, condition in (
        ("ix_change_events_open", ["channel", "not_before"], "ended_at IS NULL"),
        ("ix_change_events_dead", ["ended_at"], "state = 'dead'"),
    ):
        where = sa.text(condition)
        op.create_index(name, "change_events", columns, sqlite_where=where, postgresql_where=where)
