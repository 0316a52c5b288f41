"""The first schema: alerts, incidents with their timelines, the outbox, and what the daemon keeps for
itself.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite gives the fast rowid only to a column declared exactly INTEGER.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _alerts()
    _alerts_indexes()
    _occurrences()
    _occurrences_indexes()
    _incidents()
    _incidents_indexes()
    _timeline()
    _deliveries()
    _deliveries_indexes()
    _channel_references()
    _quarantine()
    _tokens()
    _settings()


def downgrade() -> None:
    for table in (
        "settings",
        "tokens",
        "quarantine",
        "channel_references",
        "deliveries",
        "timeline",
        "incidents",
        "occurrences",
        "alerts",
    ):
        op.drop_table(table)


def _where(condition: str) -> dict[str, Any]:
    """A partial index on both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("generator_url", sa.Text(), nullable=False),
        sa.Column("cut", sa.Text(), nullable=False, comment="JSON list of what was shortened for storage"),
        sa.Column("starts_at", sa.BigInteger(), nullable=False, comment="of the latest occurrence"),
        sa.Column("ends_at", sa.BigInteger(), comment="null while firing"),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "incident_id", sa.BigInteger(), comment="of the latest occurrence; null: blip or heartbeat"
        ),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("source", "fingerprint", name="uq_alerts_source_fingerprint"),
        comment="one row per alert identity: its latest occurrence",
        sqlite_autoincrement=True,
    )


def _alerts_indexes() -> None:
    op.create_index("ix_alerts_firing", "alerts", ["id"], **_where("ends_at IS NULL"))
    op.create_index("ix_alerts_unplaced", "alerts", ["id"], **_where("incident_id IS NULL"))


def _occurrences() -> None:
    op.create_table(
        "occurrences",
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger()),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger()),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="the sighting that made it: new, newer, blip, heartbeat",
        ),
        sa.PrimaryKeyConstraint("alert_id", "starts_at", name="pk_occurrences"),
        comment="one row per (fingerprint, startsAt): the unit of deduplication",
    )


def _occurrences_indexes() -> None:
    op.create_index("ix_occurrences_incident_id", "occurrences", ["incident_id"])


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("notify", sa.Text(), nullable=False, comment="JSON list of channel names"),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("escalation", sa.Text()),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("first_acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("snoozed_until", sa.BigInteger()),
        sa.Column("held_until", sa.BigInteger()),
        sa.Column("reopen_count", sa.Integer(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("alerts_firing", sa.Integer(), nullable=False),
        sa.Column("alerts_total", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("update_queued", sa.Boolean(), nullable=False),
        sa.Column("runbook_url", sa.Text()),
        sa.Column("declared_by", sa.Text()),
        sa.Column("truncated", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), comment="when the last timeline entry was recorded"),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sqlite_autoincrement=True,
    )


def _incidents_indexes() -> None:
    op.create_index(
        "ix_incidents_held_until", "incidents", ["held_until"], **_where("held_until IS NOT NULL")
    )
    op.create_index("ix_incidents_open", "incidents", ["id"], **_where("state <> 'resolved'"))
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_index("ix_incidents_resolved_at", "incidents", ["resolved_at"])
    op.create_index(
        "ix_incidents_resolved_group",
        "incidents",
        ["group_key", "resolved_at"],
        **_where("state = 'resolved'"),
    )
    op.create_index(
        "ix_incidents_snoozed_until", "incidents", ["snoozed_until"], **_where("snoozed_until IS NOT NULL")
    )
    op.create_index(
        "uq_incidents_open_group", "incidents", ["group_key"], unique=True, **_where("state <> 'resolved'")
    )


def _timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("id", ID, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="1, 2, 3, ... within the incident"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_timeline"),
        sa.UniqueConstraint("incident_id", "seq", name="uq_timeline_incident_id_seq"),
        sqlite_autoincrement=True,
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column(
            "lease_generation",
            sa.Integer(),
            nullable=False,
            comment="a result counts only with the generation it was leased under",
        ),
        sa.Column("minimal", sa.Boolean(), nullable=False, comment="the vendor refused the full form once"),
        sa.Column("last_verdict", sa.Text()),
        sa.Column("last_error", sa.Text()),
        sa.Column("reason", sa.Text(), comment="why superseded, suppressed or dead"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        comment="the outbox; rows of one (incident, channel) leave in id order",
        sqlite_autoincrement=True,
    )


def _deliveries_indexes() -> None:
    op.create_index("ix_deliveries_dead", "deliveries", ["id"], **_where("state = 'dead'"))
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["channel", "priority", "not_before"],
        **_where("state = 'pending'"),
    )
    op.create_index("ix_deliveries_incident_id_channel_id", "deliveries", ["incident_id", "channel", "id"])
    op.create_index("ix_deliveries_leased", "deliveries", ["lease_until"], **_where("state = 'leased'"))


def _channel_references() -> None:
    op.create_table(
        "channel_references",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "channel", name="pk_channel_references"),
        comment="what a vendor returned for an incident's first message: Slack's channel and ts",
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("where", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("alert", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        sqlite_autoincrement=True,
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_tokens"),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
    )


def _settings() -> None:
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
        comment="what the daemon made up for itself and must keep: its instance id, generated webhook secrets",
    )
