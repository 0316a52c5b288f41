"""Reads for explanations: what is kept of an incident, of an alert, of a person, and of a time. Nothing is locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Incident
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, loads, micros
from incidentd.store.deliveries import Delivery
from incidentd.store.deliveries import decode as decode_delivery
from incidentd.store.engine import Tx
from incidentd.store.incidents import decode
from incidentd.store.quarantine import QuarantinedAlert
from incidentd.store.timeline import StoredEntry, of_incident

_i = schema.incidents.c
_a = schema.alerts.c
_o = schema.occurrences.c
_d = schema.deliveries.c
_q = schema.quarantine.c


@dataclass(frozen=True, slots=True)
class Sighted:
    """One occurrence of an alert, as it is kept."""

    source: str
    fingerprint: str
    name: str
    severity: Severity
    starts_at: datetime
    ends_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    """Of the alert: when any occurrence of it was last heard of."""
    incident_id: int | None
    reason: str
    """The sighting that made it."""


def incident(tx: Tx, number: int) -> Incident | None:
    """The incident, read without a lock."""
    row = tx.conn.execute(sa.select(schema.incidents).where(_i.id == number)).first()
    return None if row is None else decode(row)


def open_between(tx: Tx, since: datetime, until: datetime, limit: int) -> list[Incident]:
    """Incidents that had opened by `until` and were not over before `since`, newest first.

    One that was reopened counts as open in between: its timeline says better.
    """
    query = (
        sa.select(schema.incidents)
        .where(
            _i.opened_at <= micros(until),
            sa.or_(sa.text("state <> 'resolved'"), _i.resolved_at >= micros(since)),
        )
        .order_by(_i.opened_at.desc(), _i.id.desc())
        .limit(limit)
    )
    return [decode(row) for row in tx.conn.execute(query)]


def entries(tx: Tx, incident_ids: Sequence[int], limit: int) -> dict[int, list[StoredEntry]]:
    """The first `limit` timeline entries of each of these incidents."""
    return {number: of_incident(tx, number, 0, limit) for number in incident_ids}


def deliveries(tx: Tx, incident_ids: Sequence[int], limit: int) -> list[Delivery]:
    """The newest `limit` outbox rows of these incidents, in the order they were written."""
    query = (
        sa.select(schema.deliveries)
        .where(_d.incident_id.in_(incident_ids))
        .order_by(_d.id.desc())
        .limit(limit)
    )
    return [decode_delivery(row) for row in tx.conn.execute(query)][::-1]


def sightings(tx: Tx, sources: Sequence[str], fingerprint: str, limit: int) -> list[Sighted]:
    """The newest `limit` occurrences of an alert, newest first, of these sources."""
    query = (
        sa.select(schema.alerts, _o.starts_at.label("started"), _o.ends_at.label("ended"))
        .add_columns(_o.first_seen_at, _o.incident_id.label("member_of"), _o.reason)
        .join(schema.occurrences, _o.alert_id == _a.id)
        .where(_a.source.in_(sources), _a.fingerprint == fingerprint)
        .order_by(_o.first_seen_at.desc(), _o.starts_at.desc())
        .limit(limit)
    )
    return [_sighted(row) for row in tx.conn.execute(query)]


def quarantined(tx: Tx, fingerprint: str, limit: int) -> list[QuarantinedAlert]:
    """The newest `limit` alerts set aside that name the fingerprint. Walks through the quarantine."""
    query = (
        sa.select(schema.quarantine)
        .where(_q.alert.contains(f'"fingerprint":"{fingerprint}"', autoescape=True))
        .order_by(_q.id.desc())
        .limit(limit)
    )
    return [
        QuarantinedAlert(r.id, r.source, instant(r.received_at), r.request_id, r.where, r.reason, r.alert)
        for r in tx.conn.execute(query)
    ]


def _sighted(row: Any) -> Sighted:
    return Sighted(
        source=row.source,
        fingerprint=row.fingerprint,
        name=loads(row.labels).get("alertname") or "(no alertname)",
        severity=Severity(row.severity),
        starts_at=instant(row.started),
        ends_at=instant_or_none(row.ended),
        first_seen_at=instant(row.first_seen_at),
        last_seen_at=instant(row.last_seen_at),
        incident_id=row.member_of,
        reason=row.reason,
    )
