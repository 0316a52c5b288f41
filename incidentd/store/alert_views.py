"""Alerts as people are shown them: with their incident, or by what they look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import AlertView
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, loads
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, values_of

_a = schema.alerts.c
_o = schema.occurrences.c


def _newest_of_incidents(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    rank = sa.func.row_number().over(
        partition_by=_o.incident_id, order_by=(_o.ends_at.is_not(None), _o.starts_at.desc())
    )
    ranked = (
        sa.select(_o.alert_id, _o.incident_id.label("member_of"), _o.starts_at.label("started"))
        .add_columns(_o.ends_at.label("ended"), rank.label("place"))
        .where(among(_o.incident_id, "ids", postgresql=postgresql))
        .subquery()
    )
    return (
        sa.select(schema.alerts, ranked.c.member_of, ranked.c.started, ranked.c.ended)
        .join(ranked, ranked.c.alert_id == _a.id)
        .where(ranked.c.place <= sa.bindparam("depth"))
        .order_by(ranked.c.member_of, ranked.c.place)
    )


_of_incidents = Prepared(_newest_of_incidents, ["ids", "depth"])


def of_incident(tx: Tx, incident_id: int, limit: int) -> list[AlertView]:
    """The alerts of an incident as they were in it, firing first, then the newest."""
    query = (
        sa.select(schema.alerts, _o.starts_at.label("started"), _o.ends_at.label("ended"))
        .join(schema.occurrences, _o.alert_id == _a.id)
        .where(_o.incident_id == incident_id)
        .order_by(_o.ends_at.is_not(None), _o.starts_at.desc())
        .limit(limit * 4)
    )
    views: dict[int, AlertView] = {}
    for row in tx.conn.execute(query):
        if row.id not in views and len(views) < limit:
            views[row.id] = _view(row, row.started, row.ended)
    return list(views.values())


def of_incidents(tx: Tx, incident_ids: Sequence[int], limit: int) -> dict[int, list[AlertView]]:
    """The same for several incidents in one statement, at most `limit` alerts each: incident id -> alerts."""
    views: dict[int, dict[int, AlertView]] = {incident_id: {} for incident_id in incident_ids}
    # Twice the limit, for an alert that fired several times in an incident is shown once.
    for row in _of_incidents.all(tx, values_of(tx, incident_ids), 2 * limit):
        found = views[row.member_of]
        if row.id not in found and len(found) < limit:
            found[row.id] = _view(row, row.started, row.ended)
    return {incident_id: list(found.values()) for incident_id, found in views.items()}


def search(
    tx: Tx,
    *,
    status: str | None = None,
    source: str | None = None,
    fingerprint: str | None = None,
    incident_id: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[tuple[int, AlertView, int | None]]:
    """Alerts, newest first, as (row id, alert, incident id).

    Of one incident: its members as they were in it, whatever has become of them since.
    """
    members = schema.alerts if incident_id is None else _members(incident_id)
    started, ended = members.c.starts_at, members.c.ends_at
    query = sa.select(schema.alerts, started.label("started"), ended.label("ended"))
    if incident_id is not None:
        query = query.join(members, members.c.alert_id == _a.id).where(members.c.place == 1)
    for column, wanted in ((_a.source, source), (_a.fingerprint, fingerprint)):
        query = query if wanted is None else query.where(column == wanted)
    if status is not None:
        query = query.where(ended.is_(None) if status == "firing" else ended.is_not(None))
    if before is not None:
        query = query.where(_a.id < before)
    rows = tx.conn.execute(query.order_by(_a.id.desc()).limit(limit))
    return [(row.id, _view(row, row.started, row.ended), incident_id or row.incident_id) for row in rows]


def _members(incident_id: int) -> sa.Subquery:
    """The occurrences of an incident; the one to show of each alert has the place 1."""
    rank = sa.func.row_number().over(
        partition_by=_o.alert_id, order_by=(_o.ends_at.is_not(None), _o.starts_at.desc())
    )
    query = sa.select(_o.alert_id, _o.starts_at, _o.ends_at, rank.label("place"))
    return query.where(_o.incident_id == incident_id).subquery()


def _view(row: Any, starts_at: int, ends_at: int | None) -> AlertView:
    return AlertView(
        fingerprint=row.fingerprint,
        source=row.source,
        status="firing" if ends_at is None else "resolved",
        severity=Severity(row.severity),
        labels=loads(row.labels),
        annotations=loads(row.annotations),
        starts_at=instant(starts_at),
        ends_at=instant_or_none(ends_at),
        generator_url=row.generator_url,
        last_seen_at=instant(row.last_seen_at),
    )
