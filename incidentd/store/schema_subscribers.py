"""The tables of the status page's subscribers; `store.schema` puts them with the others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from incidentd.store.schema_base import ID, MICROS, metadata

subscribers = Table(
    "status_subscribers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("code", Text, nullable=False, unique=True, comment="names it in links"),
    Column("kind", Text, nullable=False, comment="email, webhook"),
    Column("address", Text, nullable=False),
    Column("contact", Text, nullable=False, comment="mail address that confirms; empty: an operator made it"),
    Column("standing", Text, nullable=False, comment="pending, active, quarantined"),
    Column("components", Text, comment="JSON list; null: all"),
    Column("created_at", MICROS, nullable=False),
    Column("asked_at", MICROS, nullable=False),
    Column("asks", Integer, nullable=False),
    Column("confirmed_at", MICROS),
    Column("failures", Integer, nullable=False, comment="notices in a row that could not be delivered"),
    sqlite_autoincrement=True,
    comment="who asked to be told of what becomes public; gone when they unsubscribe",
)
# One address is told once, however often it is asked for.
Index("uq_status_subscribers_address", subscribers.c.kind, subscribers.c.address, unique=True)
_pending = text("standing = 'pending'")
Index(
    "ix_status_subscribers_pending",
    subscribers.c.created_at,
    sqlite_where=_pending,
    postgresql_where=_pending,
)

announcements = Table(
    "status_announcements",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", Text, nullable=False, comment="event, component"),
    Column("about", Text, nullable=False, comment="code of the publication or maintenance, or the component"),
    Column("said", Text, nullable=False, comment="code of the update; of a component: old and new status"),
    Column("created_at", MICROS, nullable=False),
    Column("payload", Text, comment="JSON: what subscribers are told; null until it is made"),
    Column("reached", BigInteger, nullable=False, comment="number of the last subscriber it was written for"),
    Column("spread_at", MICROS, comment="null while there are subscribers it was not written for"),
    sqlite_autoincrement=True,
    comment="what became public, to be told to subscribers: written with it",
)
_open = text("spread_at IS NULL")
Index("ix_status_announcements_open", announcements.c.id, sqlite_where=_open, postgresql_where=_open)

deliveries = Table(
    "status_deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("subscriber_id", BigInteger, nullable=False),
    Column("announcement_id", BigInteger, comment="null: the question to confirm"),
    Column("kind", Text, nullable=False, comment="of the subscriber: email, webhook"),
    Column("state", Text, nullable=False, comment="pending, leased, sent, dead"),
    Column("attempts", Integer, nullable=False),
    Column("not_before", MICROS, nullable=False, comment="when it may be taken; of a leased row its end"),
    Column("lease_generation", Integer, nullable=False),
    Column("last_error", Text),
    Column("created_at", MICROS, nullable=False),
    Column("ended_at", MICROS),
    sqlite_autoincrement=True,
    comment="outbox of what subscribers are told",
)
_unended = text("ended_at IS NULL")
Index(
    "ix_status_deliveries_open",
    deliveries.c.kind,
    deliveries.c.not_before,
    sqlite_where=_unended,
    postgresql_where=_unended,
)
Index("ix_status_deliveries_created", deliveries.c.created_at)
# However often a spreading is taken up again, nobody is told twice.
Index("uq_status_deliveries_once", deliveries.c.subscriber_id, deliveries.c.announcement_id, unique=True)
