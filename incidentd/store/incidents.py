"""Incidents: loading them for a decision, writing the decision, and finding them for people."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.incident import Incident, State, restore
from incidentd.domain.severity import Severity
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, update_by_id, values_of

_i = schema.incidents.c
_COLUMNS = [column.name for column in schema.incidents.columns]
_MUTABLE = [name for name in _COLUMNS if name not in {"id", "source", "group_key", "service", "opened_at"}]
_SLOTS = 256
_OPEN = sa.text("state <> 'resolved'")
_CLOSED = sa.text("state = 'resolved'")

_insert = insert(schema.incidents)
_update = update_by_id(schema.incidents, _MUTABLE)


def _for_update(statement: Any, *, postgresql: bool, skip_locked: bool = False) -> Any:
    return statement.order_by(_i.id).with_for_update(skip_locked=skip_locked) if postgresql else statement


_open_by_group = Prepared(
    lambda pg: _for_update(
        sa.select(schema.incidents).where(_OPEN, among(_i.group_key, "groups", postgresql=pg)), postgresql=pg
    ),
    ["groups"],
)
_by_id = Prepared(
    lambda pg: _for_update(
        sa.select(schema.incidents).where(among(_i.id, "ids", postgresql=pg)), postgresql=pg
    ),
    ["ids"],
)
_free_by_id = Prepared(
    lambda pg: _for_update(
        sa.select(schema.incidents).where(among(_i.id, "ids", postgresql=pg)), postgresql=pg, skip_locked=True
    ),
    ["ids"],
)
_open_of_source = Prepared(
    # Group keys begin with their source: a range of the index on SQLite, which compares bytes. On PostgreSQL the
    # order depends on the locale, so there it is one look at what is open.
    lambda pg: sa.select(schema.incidents).where(
        _OPEN,
        _i.source == sa.bindparam("source"),
        *(() if pg else (_i.group_key >= sa.bindparam("low"), _i.group_key < sa.bindparam("high"))),
    ),
    ["source", "low", "high"],
)
_resolved_since = Prepared(
    lambda pg: _for_update(
        sa.select(schema.incidents).where(
            _CLOSED, among(_i.group_key, "groups", postgresql=pg), _i.resolved_at >= sa.bindparam("since")
        ),
        postgresql=pg,
    ),
    ["groups", "since"],
)


def lock_groups(tx: Tx, groups: Iterable[str]) -> None:
    """Make replicas that work on the same groups take turns, in a fixed order so that they cannot deadlock.

    Rows that do not exist yet cannot be locked, so the lock is on the key, folded into a few hundred slots:
    the body of ten thousand groups must not exhaust the server's lock table. SQLite has one writer anyway.
    """
    if tx.postgresql:
        _lock(tx, sorted({zlib.crc32(group.encode()) % _SLOTS for group in groups}))


def lock_all_groups(tx: Tx) -> None:
    """Lock intake out: for whoever deletes what it may have read."""
    if tx.postgresql:
        _lock(tx, range(_SLOTS))


def _lock(tx: Tx, slots: Sequence[int]) -> None:
    if slots:
        tx.conn.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(7265, slot) FROM unnest($1::int[]) AS slot", (list(slots),)
        )


def open_by_group(tx: Tx, groups: Sequence[str]) -> list[Incident]:
    """The open incidents of these groups, locked for this transaction."""
    return [decode(row) for row in _open_by_group.tuples(tx, values_of(tx, groups))]


def open_of_source(tx: Tx, source: str) -> list[Incident]:
    """The open incidents of a source; not locked."""
    return [decode(row) for row in _open_of_source.tuples(tx, source, f"{source}:", f"{source};")]


def by_ids(tx: Tx, ids: Sequence[int]) -> list[Incident]:
    """These incidents, locked for this transaction."""
    return [decode(row) for row in _by_id.tuples(tx, values_of(tx, ids))] if ids else []


def resolved_since(tx: Tx, groups: Sequence[str], since: datetime) -> list[Incident]:
    """Incidents of these groups that were resolved at `since` or later."""
    return [decode(row) for row in _resolved_since.tuples(tx, values_of(tx, groups), micros(since))]


def free_by_ids(tx: Tx, ids: Sequence[int]) -> list[Incident]:
    """Those of these incidents that nobody else works on right now, locked for this transaction."""
    return [decode(row) for row in _free_by_id.tuples(tx, values_of(tx, ids))] if ids else []


def add(tx: Tx, new: Sequence[Incident]) -> None:
    """Write new incidents."""
    _insert.many(tx, [tuple(_values(incident).values()) for incident in new])


def save(tx: Tx, changed: Sequence[Incident]) -> None:
    """Write what can change of existing incidents."""
    _update.many(tx, [_mutable_row(incident) for incident in changed])


@dataclass(frozen=True, slots=True)
class Search:
    """What a person looks for. Every given field must match."""

    states: tuple[State, ...] = ()
    severity: Severity | None = None
    service: str | None = None
    text: str | None = None
    since: datetime | None = None
    acknowledged_by: str | None = None
    before: int | None = None
    limit: int = 50


def search(tx: Tx, wanted: Search) -> list[Incident]:
    """Incidents, newest first."""
    query = sa.select(schema.incidents).order_by(_i.id.desc()).limit(wanted.limit)
    if wanted.states:
        query = query.where(_i.state.in_([state.value for state in wanted.states]))
        if State.RESOLVED not in wanted.states:
            query = query.where(_OPEN)
    if wanted.severity is not None:
        query = query.where(_i.severity == wanted.severity.value)
    if wanted.service is not None:
        query = query.where(_i.service == wanted.service)
    if wanted.text:
        query = query.where(
            sa.or_(
                _i.title.icontains(wanted.text, autoescape=True),
                _i.group_key.icontains(wanted.text, autoescape=True),
            )
        )
    if wanted.since is not None:
        query = query.where(_i.opened_at >= micros(wanted.since))
    if wanted.acknowledged_by is not None:
        query = query.where(_i.acknowledged_by == wanted.acknowledged_by)
    if wanted.before is not None:
        query = query.where(_i.id < wanted.before)
    return [decode(row) for row in tx.conn.execute(query)]


def count_open(tx: Tx) -> dict[tuple[str, str], int]:
    """How many incidents are open, drills left out, by (severity, state)."""
    query = sa.select(_i.severity, _i.state, sa.func.count()).where(_OPEN, _i.drill.is_(None))
    return {(row[0], row[1]): row[2] for row in tx.conn.execute(query.group_by(_i.severity, _i.state))}


def open_labels(tx: Tx, limit: int = 10_000) -> list[tuple[dict[str, str], Severity]]:
    """Labels and severity of the open incidents, drills and budgets left out: what component status is made of."""
    real = sa.and_(_OPEN, _i.drill.is_(None), _i.source != OBJECTIVES)
    query = sa.select(_i.labels, _i.severity).where(real).order_by(_i.id.desc())
    return [(loads(labels), Severity(word)) for labels, word in tx.conn.execute(query.limit(limit))]


def labels_of(tx: Tx, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """The labels of incidents, by id; one that is not kept any more is missing."""
    query = sa.select(_i.id, _i.labels).where(_i.id.in_(ids))
    return {row.id: loads(row.labels) for row in tx.conn.execute(query)}


_DECODERS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("state", State),
    ("severity", Severity),
    ("labels", loads),
    ("notify", lambda text: tuple(loads(text))),
    ("counts", bool),
    ("update_queued", bool),
    ("opened_at", instant),
    ("started_at", instant),
    *[
        (name, instant_or_none)
        for name in (
            "first_acknowledged_at",
            "acknowledged_at",
            "resolved_at",
            "ended_at",
            "snoozed_until",
            "held_until",
            "last_at",
            "resolve_withheld_at",
            "ack_expires_at",
            "remind_at",
            "flapping_since",
            "counted_from",
        )
    ],
    ("refires", lambda text: tuple(map(instant, loads(text))) if text else ()),
)
"""Columns that are not stored as the field has them."""


def decode(row: Any) -> Incident:
    """The incident of a row. Columns are named like fields; intake decodes one for every group that changes."""
    values = dict(zip(_COLUMNS, row, strict=True))
    for name, decoder in _DECODERS:
        values[name] = decoder(values[name])
    return restore(values)


def _values(i: Incident) -> dict[str, Any]:
    return {
        "id": i.id,
        "source": i.source,
        "group_key": i.group_key,
        "title": i.title,
        "state": i.state.value,
        "severity": i.severity.value,
        "service": i.service,
        "labels": dumps(i.labels),
        "notify": dumps(i.notify),
        "route": i.route,
        "escalation": i.escalation,
        "opened_at": micros(i.opened_at),
        "started_at": micros(i.started_at),
        "first_acknowledged_at": micros_or_none(i.first_acknowledged_at),
        "acknowledged_at": micros_or_none(i.acknowledged_at),
        "acknowledged_by": i.acknowledged_by,
        "resolved_at": micros_or_none(i.resolved_at),
        "resolved_by": i.resolved_by,
        "ended_at": micros_or_none(i.ended_at),
        "counts": i.counts,
        "snoozed_until": micros_or_none(i.snoozed_until),
        "held_until": micros_or_none(i.held_until),
        "reopen_count": i.reopen_count,
        "episode": i.episode,
        "alerts_firing": i.alerts_firing,
        "alerts_total": i.alerts_total,
        "last_seq": i.last_seq,
        "update_queued": i.update_queued,
        "runbook_url": i.runbook_url,
        "declared_by": i.declared_by,
        "truncated": i.truncated,
        "last_at": micros_or_none(i.last_at),
        **_flags(i),
    }


def _flags(i: Incident) -> dict[str, Any]:
    return {
        "resolve_withheld_at": micros_or_none(i.resolve_withheld_at),
        "resolve_withheld_for": i.resolve_withheld_for,
        "ack_expires_at": micros_or_none(i.ack_expires_at),
        "remind_at": micros_or_none(i.remind_at),
        "assigned_to": i.assigned_to,
        "suppressed_by": i.suppressed_by,
        "flapping_since": micros_or_none(i.flapping_since),
        "refires": dumps([micros(at) for at in i.refires]) if i.refires else None,
        "drill": i.drill,
        "counted_from": micros_or_none(i.counted_from),
    }


def _mutable_row(incident: Incident) -> tuple[Any, ...]:
    values = _values(incident)
    return (*[values[name] for name in _MUTABLE], incident.id)
