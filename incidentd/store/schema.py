"""The tables. Times are integer microseconds since the epoch (UTC); JSON is text; both databases look alike.

Hot-path rule: every statement that intake or delivery runs is an index look-up, so the cost of an alert does
not grow with what is already stored. Indexes that only concern live rows are partial and stay small.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from incidentd.store import (  # noqa: F401 - some tables belong to the metadata by being imported
    deployment_tables,
    schema_actions,
    schema_audit,
    schema_automation,
    schema_runbooks,
    schema_subscribers,
)
from incidentd.store.schema_access import accounts as accounts  # noqa: PLC0414 - part of this module's interface
from incidentd.store.schema_access import sessions as sessions  # noqa: PLC0414 - as above
from incidentd.store.schema_access import tokens as tokens  # noqa: PLC0414 - as above
from incidentd.store.schema_base import ID as _ID
from incidentd.store.schema_base import MICROS as _MICROS
from incidentd.store.schema_base import metadata as metadata  # noqa: PLC0414 - part of this module's interface
from incidentd.store.schema_drills import drills as drills  # noqa: PLC0414 - as above
from incidentd.store.schema_drills import proofs as proofs  # noqa: PLC0414 - as above
from incidentd.store.schema_escalation import escalations as escalations  # noqa: PLC0414 - as above
from incidentd.store.schema_heartbeats import heartbeats as heartbeats  # noqa: PLC0414 - as above
from incidentd.store.schema_journal import journal as journal  # noqa: PLC0414 - as above
from incidentd.store.schema_maintenance import maintenance as maintenance  # noqa: PLC0414 - as above
from incidentd.store.schema_on_call import calendars as calendars  # noqa: PLC0414 - as above
from incidentd.store.schema_on_call import overrides as overrides  # noqa: PLC0414 - as above
from incidentd.store.schema_reality import incidents_at_source as incidents_at_source  # noqa: PLC0414 - as above
from incidentd.store.schema_reality import reconcile_sources as reconcile_sources  # noqa: PLC0414 - as above
from incidentd.store.schema_reality import source_alerts as source_alerts  # noqa: PLC0414 - as above
from incidentd.store.schema_silences import silences as silences  # noqa: PLC0414 - as above
from incidentd.store.schema_status_page import publications as publications  # noqa: PLC0414 - brings its neighbours

alerts = Table(
    "alerts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("cut", Text, nullable=False, comment="JSON list of what was shortened for storage"),
    Column("starts_at", _MICROS, nullable=False, comment="of the latest occurrence"),
    Column("ends_at", _MICROS, comment="null while firing"),
    Column("last_seen_at", _MICROS, nullable=False),
    Column("incident_id", BigInteger, comment="of the latest occurrence; null: blip or heartbeat"),
    Column("occurrences", Integer, nullable=False),
    Column("newest_starts_at", _MICROS, comment="of all occurrences; null: that of the latest"),
    UniqueConstraint("source", "fingerprint"),
    sqlite_autoincrement=True,
    comment="one row per alert identity: its latest occurrence",
)
_firing = text("ends_at IS NULL")
Index("ix_alerts_firing", alerts.c.id, sqlite_where=_firing, postgresql_where=_firing)
# Not on last_seen_at, though housekeeping looks for that: PostgreSQL could then not update it in place (HOT),
# and every repeat of every alert would write into every index.
_unplaced = text("incident_id IS NULL")
Index("ix_alerts_unplaced", alerts.c.id, sqlite_where=_unplaced, postgresql_where=_unplaced)

occurrences = Table(
    "occurrences",
    metadata,
    Column("alert_id", BigInteger, nullable=False),
    Column("starts_at", _MICROS, nullable=False),
    Column("ends_at", _MICROS),
    Column("first_seen_at", _MICROS, nullable=False),
    Column("incident_id", BigInteger),
    Column("reason", Text, nullable=False, comment="the sighting that made it"),
    PrimaryKeyConstraint("alert_id", "starts_at"),
    Index(None, "incident_id"),
    comment="one row per (fingerprint, startsAt): the unit of deduplication",
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("notify", Text, nullable=False, comment="JSON list of channel names"),
    Column("route", Text, nullable=False),
    Column("escalation", Text),
    Column("opened_at", _MICROS, nullable=False),
    Column("started_at", _MICROS, nullable=False),
    Column("first_acknowledged_at", _MICROS),
    Column("acknowledged_at", _MICROS),
    Column("acknowledged_by", Text),
    Column("resolved_at", _MICROS),
    Column("resolved_by", Text),
    Column("ended_at", _MICROS),
    Column("counts", Boolean, nullable=False),
    Column("snoozed_until", _MICROS),
    Column("held_until", _MICROS),
    Column("reopen_count", Integer, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("alerts_firing", Integer, nullable=False),
    Column("alerts_total", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("update_queued", Boolean, nullable=False),
    Column("runbook_url", Text),
    Column("declared_by", Text),
    Column("truncated", Integer, nullable=False),
    Column("last_at", _MICROS, comment="when the last timeline entry was recorded"),
    Column("resolve_withheld_at", _MICROS, comment="all its alerts ended then, and that is not believed yet"),
    Column("resolve_withheld_for", Text, comment="unsure, distrusted, flapping"),
    Column("ack_expires_at", _MICROS, comment="when the acknowledgement is taken back"),
    Column("remind_at", _MICROS, comment="when who holds it is reminded"),
    Column("assigned_to", Text),
    Column("suppressed_by", Text, comment="the maintenance window that keeps it quiet"),
    Column("flapping_since", _MICROS),
    Column("refires", Text, comment="JSON list of the instants at which it came back lately"),
    Column("drill", Text, comment="the drill it belongs to; null: it is real"),
    Column("counted_from", _MICROS, comment="where figures begin to count; null: at started_at"),
    sqlite_autoincrement=True,
)
_open = text("state <> 'resolved'")
_closed = text("state = 'resolved'")
Index(
    "uq_incidents_open_group", incidents.c.group_key, unique=True, sqlite_where=_open, postgresql_where=_open
)
Index(
    "ix_incidents_resolved_group",
    incidents.c.group_key,
    incidents.c.resolved_at,
    sqlite_where=_closed,
    postgresql_where=_closed,
)
Index("ix_incidents_open", incidents.c.id, sqlite_where=_open, postgresql_where=_open)
Index("ix_incidents_opened_at", incidents.c.opened_at)
Index("ix_incidents_resolved_at", incidents.c.resolved_at)
Index("ix_incidents_service", incidents.c.service, incidents.c.resolved_at)
for _name in ("snoozed_until", "held_until", "resolve_withheld_at", "ack_expires_at", "remind_at",
              "suppressed_by", "flapping_since"):  # fmt: skip
    _set = text(f"{_name} IS NOT NULL")
    Index(f"ix_incidents_{_name}", incidents.c[_name], sqlite_where=_set, postgresql_where=_set)

timeline = Table(
    "timeline",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False, comment="1, 2, 3, ... within the incident"),
    Column("at", _MICROS, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("incident_id", "seq"),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", _MICROS, nullable=False),
    Column("created_at", _MICROS, nullable=False),
    Column("sent_at", _MICROS),
    Column("lease_owner", Text),
    Column("lease_until", _MICROS),
    Column(
        "lease_generation",
        Integer,
        nullable=False,
        comment="a result counts only with the generation it was leased under",
    ),
    Column("minimal", Boolean, nullable=False, comment="the vendor refused the full form once"),
    Column("last_verdict", Text),
    Column("last_error", Text),
    Column("reason", Text, comment="why superseded, suppressed or dead"),
    Column("fallback_of", BigInteger, comment="the page that this one stands in for"),
    Column("fell_back_at", _MICROS, comment="when somebody else was told in its place"),
    Column("bundled_in", BigInteger, comment="the message that told of it together with others"),
    Column("retried_at", _MICROS, comment="when a person put it back"),
    Column("told_over", Boolean, comment="its last message said that it was over"),
    Column("person", Text, comment="the user who is told; null: whoever reads the channel"),
    Column("first_attempt_at", _MICROS, comment="when the first attempt at it began"),
    Column("trace", Text, comment="W3C traceparent of what led to it; null: it was not traced"),
    Index(None, "incident_id", "channel", "id"),
    sqlite_autoincrement=True,
    comment="the outbox; rows of one (incident, channel) leave in id order",
)
_pending, _leased, _dead = [text(f"state = '{state}'") for state in ("pending", "leased", "dead")]
Index(
    "ix_deliveries_due",
    deliveries.c.channel,
    deliveries.c.priority,
    deliveries.c.not_before,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
# Pages that somebody may have to be told in another way.
Index(
    "ix_deliveries_unanswered",
    deliveries.c["class"],
    deliveries.c.fell_back_at,
    deliveries.c.created_at,
    sqlite_where=_pending,
    postgresql_where=_pending,
)
for _name, _column, _set in (
    ("bundled", "bundled_in", text("bundled_in IS NOT NULL")), ("person", "sent_at", text("person IS NOT NULL")),
    ("leased", "lease_until", _leased), ("dead", "id", _dead),
):  # fmt: skip
    Index(f"ix_deliveries_{_name}", deliveries.c[_column], sqlite_where=_set, postgresql_where=_set)

references = Table(
    "channel_references",
    metadata,
    Column("incident_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("reference", Text, nullable=False),
    PrimaryKeyConstraint("incident_id", "channel"),
    comment="what a vendor returned for an incident's first message: Slack's channel and ts",
)

destinations = Table(
    "destinations",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False, comment="ok, throttled, degraded, broken"),
    Column("since", _MICROS, nullable=False),
    Column("paused_until", _MICROS, comment="nothing is taken for it before"),
    Column("failures", Integer, nullable=False, comment="attempts in a row that were not accepted"),
    Column("last_error", Text),
    comment="how each channel is doing, for all replicas alike",
)

inbound_events = Table(
    "inbound_events",
    metadata,
    Column("channel", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("received_at", _MICROS, nullable=False),
    Column("incident_id", BigInteger),
    Column("occurred_at", _MICROS, comment="by the vendor's clock: an older event never moves a state back"),
    PrimaryKeyConstraint("channel", "event_id"),
    Index(None, "incident_id"),
    Index(None, "received_at"),
    comment="what vendors sent us and was acted upon: a redelivery is recognised",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("received_at", _MICROS, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("where", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("alert", Text, nullable=False),
    sqlite_autoincrement=True,
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="what the daemon made up for itself and must keep: its instance id, generated webhook secrets",
)

deployments, change_events = deployment_tables.define(metadata)
