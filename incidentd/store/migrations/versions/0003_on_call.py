"""On-call: overrides of schedules; heartbeats, and resolves that are not believed yet; escalations, and
how long acknowledgements hold.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PERSON = "the user who is told; null: whoever reads the channel"


def upgrade() -> None:
    _overrides()
    _calendars()
    _heartbeats()
    _withheld()
    _escalations()
    _acknowledgements()
    op.add_column("deliveries", sa.Column("person", sa.Text(), comment=_PERSON))
    _maintenance()
    _quiet()


def downgrade() -> None:
    for name in ("suppressed_by", "flapping_since"):
        op.drop_index(f"ix_incidents_{name}", "incidents")
    for name in ("suppressed_by", "flapping_since", "refires"):
        op.drop_column("incidents", name)
    op.drop_table("maintenance")
    op.drop_column("deliveries", "person")
    for name in ("ack_expires_at", "remind_at"):
        op.drop_index(f"ix_incidents_{name}", "incidents")
    for name in ("ack_expires_at", "remind_at", "assigned_to"):
        op.drop_column("incidents", name)
    op.drop_table("escalations")
    op.drop_index("ix_incidents_resolve_withheld_at", "incidents")
    op.drop_column("incidents", "resolve_withheld_for")
    op.drop_column("incidents", "resolve_withheld_at")
    op.drop_table("heartbeats")
    op.drop_table("calendars")
    op.drop_table("overrides")


def _overrides() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", _ID, nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), comment="it holds no longer than that, or never did"),
        sa.Column("cancelled_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_overrides"),
        comment="somebody is on duty in a schedule for a while, whatever its layers say",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_overrides_schedule_ends_at", "overrides", ["schedule", "ends_at"])
    op.create_index("ix_overrides_ends_at", "overrides", ["ends_at"])


def _calendars() -> None:
    op.create_table(
        "calendars",
        sa.Column("key", sa.Text(), nullable=False, comment="digest of the address"),
        sa.Column("next_at", sa.BigInteger(), nullable=False, comment="when it is asked again"),
        sa.Column("read_at", sa.BigInteger(), comment="when it was last known what it says"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="counts changes; 0: never read"),
        sa.Column("events", sa.Text(), nullable=False, comment="JSON list of begin and end, as last read"),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("modified", sa.Text(), nullable=False, comment="Last-Modified"),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False, comment="of the last attempt; empty if it was good"),
        sa.PrimaryKeyConstraint("key", name="pk_calendars"),
        comment="what calendars said that are fetched from an address",
    )


def _heartbeats() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="empty: it is pinged"),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, beating, missing, back"),
        sa.Column(
            "since",
            sa.BigInteger(),
            nullable=False,
            comment="of the state; of one that beats, when it last came back",
        ),
        sa.Column("last_beat_at", sa.BigInteger()),
        sa.Column(
            "ended_at", sa.BigInteger(), comment="the source said that the alert it beats with is over"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeats"),
        comment="signs of life that are expected: one row each, and few",
    )


def _withheld() -> None:
    comment = "all its alerts ended then, and that is not believed yet"
    op.add_column("incidents", sa.Column("resolve_withheld_at", sa.BigInteger(), comment=comment))
    comment = "unsure, distrusted, flapping"
    op.add_column("incidents", sa.Column("resolve_withheld_for", sa.Text(), comment=comment))
    where = sa.text("resolve_withheld_at IS NOT NULL")
    op.create_index(
        "ix_incidents_resolve_withheld_at",
        "incidents",
        ["resolve_withheld_at"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _escalations() -> None:
    op.create_table(
        "escalations",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False, comment="its name"),
        sa.Column("frozen", sa.Text(), nullable=False, comment="the policy as it was at the start, as JSON"),
        sa.Column("step", sa.Integer(), nullable=False, comment="which comes next, from 0"),
        sa.Column("round", sa.Integer(), nullable=False, comment="from 0"),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("ended_reason", sa.Text()),
        sa.Column("stuck", sa.Boolean(), nullable=False, comment="the self-audit has told of it once"),
        sa.PrimaryKeyConstraint("incident_id", name="pk_escalations"),
        comment="the latest escalation of each incident",
    )
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_escalations_due", "escalations", ["due_at"], sqlite_where=running, postgresql_where=running
    )


def _acknowledgements() -> None:
    # All may be null: the version before this one goes on writing rows without them while replicas are replaced.
    for name, comment in (
        ("ack_expires_at", "when the acknowledgement is taken back"),
        ("remind_at", "when who holds it is reminded"),
    ):
        op.add_column("incidents", sa.Column(name, sa.BigInteger(), comment=comment))
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_incidents_{name}", "incidents", [name], sqlite_where=given, postgresql_where=given
        )
    op.add_column("incidents", sa.Column("assigned_to", sa.Text()))
    # Policies were named and not acted upon: nobody shall be called now for what has long been known.
    op.execute("UPDATE incidents SET escalation = NULL WHERE state <> 'resolved'")


def _maintenance() -> None:
    op.create_table(
        "maintenance",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False, comment="JSON list"),
        sa.Column(
            "starts", sa.Text(), nullable=False, comment="of the first occurrence, on the clock of time_zone"
        ),
        sa.Column("duration", sa.BigInteger(), nullable=False, comment="microseconds"),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("rrule", sa.Text(), comment="RFC 5545; null: once"),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("over_at", sa.BigInteger(), comment="end of one that is once; null: it comes again"),
        sa.Column("cancelled_at", sa.BigInteger()),
        sa.Column("cancelled_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_maintenance"),
        comment="planned times in which matching alerts tell nobody; those of the configuration are not here",
        sqlite_autoincrement=True,
    )
    where = sa.text("cancelled_at IS NULL")
    op.create_index(
        "ix_maintenance_standing", "maintenance", ["over_at"], sqlite_where=where, postgresql_where=where
    )


def _quiet() -> None:
    comment = "the maintenance window that keeps it quiet"
    op.add_column("incidents", sa.Column("suppressed_by", sa.Text(), comment=comment))
    op.add_column("incidents", sa.Column("flapping_since", sa.BigInteger()))
    comment = "JSON list of the instants at which it came back lately"
    op.add_column("incidents", sa.Column("refires", sa.Text(), comment=comment))
    for name in ("suppressed_by", "flapping_since"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_incidents_{name}", "incidents", [name], sqlite_where=where, postgresql_where=where
        )
