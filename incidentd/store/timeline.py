"""Timeline entries: written with the change they tell of, never altered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Entry
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, insert

_t = schema.timeline.c
_insert = insert(schema.timeline)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One line as it stands in the timeline. `id` orders all incidents' entries, `seq` those of one
    incident.
    """

    id: int
    incident_id: int
    seq: int
    at: datetime
    kind: str
    actor: str
    text: str
    data: Mapping[str, Any]


def append(tx: Tx, entries: Sequence[tuple[int, int, datetime, Entry]]) -> None:
    """Write entries as (incident id, seq, when recorded, entry)."""
    if not entries:
        return
    if tx.postgresql:
        # Readers follow the ids (`after`): whoever took lower ones must not commit later than a reader sees
        # higher ones.
        tx.conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7265, -2)")
    ids = Ids(tx, schema.timeline, len(entries))
    _insert.many(
        tx,
        [
            (ids.take(), incident, seq, micros(at), e.kind, e.actor, e.text, dumps(e.data))
            for incident, seq, at, e in entries
        ],
    )


def of_incident(tx: Tx, incident_id: int, after_seq: int, limit: int) -> list[StoredEntry]:
    """The entries of an incident with a higher `seq`, in order."""
    query = (
        sa.select(schema.timeline)
        .where(_t.incident_id == incident_id, _t.seq > after_seq)
        .order_by(_t.seq)
        .limit(limit)
    )
    return [_entry(row) for row in tx.conn.execute(query)]


def last_actors(tx: Tx, incident_ids: Sequence[int], kind: str) -> dict[int, str]:
    """Who wrote the newest entry of `kind` of each of these incidents: incident id -> actor."""
    query = (
        sa.select(_t.incident_id, _t.actor)
        .where(_t.incident_id.in_(incident_ids), _t.kind == kind)
        .order_by(_t.incident_id, _t.seq)
    )
    return {row.incident_id: row.actor for row in tx.conn.execute(query)}


def last_comment(tx: Tx, incident_id: int, kind: str) -> str:
    """What was said with the newest entry of `kind`; empty if nothing was, or there is none."""
    query = sa.select(_t.data).where(_t.incident_id == incident_id, _t.kind == kind)
    data = tx.conn.execute(query.order_by(_t.seq.desc()).limit(1)).scalar()
    return str(loads(data).get("comment") or "") if data is not None else ""


def after(tx: Tx, last_id: int, limit: int) -> list[StoredEntry]:
    """All incidents' entries with a higher id, in order."""
    query = sa.select(schema.timeline).where(_t.id > last_id).order_by(_t.id).limit(limit)
    return [_entry(row) for row in tx.conn.execute(query)]


def newest_id(tx: Tx) -> int:
    """The id of the newest entry, or 0."""
    return int(tx.conn.execute(sa.select(sa.func.coalesce(sa.func.max(_t.id), 0))).scalar_one())


def _entry(row: Any) -> StoredEntry:
    return StoredEntry(
        row.id, row.incident_id, row.seq, instant(row.at), row.kind, row.actor, row.text, loads(row.data)
    )
