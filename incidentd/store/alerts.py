"""Alert identities and their occurrences, as intake works on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from incidentd.domain.alert import Alert
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, update_by_id, values_of

_a = schema.alerts.c
_o = schema.occurrences.c


@dataclass(slots=True)
class OccurrenceRecord:
    """One firing period while a transaction works on it."""

    alert_id: int
    starts_at: datetime
    ends_at: datetime | None
    incident_id: int | None
    reason: str = ""
    """The sighting that made it; only of a fresh one."""
    fresh: bool = False
    """Not stored yet."""

    @property
    def firing(self) -> bool:
        """Not known to have ended."""
        return self.ends_at is None


@dataclass(slots=True)
class AlertRecord:
    """What is stored of one alert while a transaction works on it."""

    id: int
    source: str
    fingerprint: str
    severity: str
    labels: str
    annotations: str
    generator_url: str
    cut: str
    current: OccurrenceRecord
    last_seen_at: datetime
    occurrences: int
    newest: datetime
    """The newest start ever known; the current occurrence's, unless that was sighted with an earlier one."""


def new_record(row_id: int, alert: Alert, severity: Severity, reason: str, now: datetime) -> AlertRecord:
    """The record of an alert that was never seen before."""
    return AlertRecord(
        row_id,
        alert.source,
        alert.fingerprint,
        severity.value,
        dumps(alert.labels),
        dumps(alert.annotations),
        alert.generator_url,
        dumps(alert.cut) if alert.cut else "[]",
        OccurrenceRecord(row_id, alert.starts_at, alert.ends_at, None, reason, fresh=True),
        now,
        1,
        alert.starts_at,
    )


_known = Prepared(
    lambda pg: sa.select(schema.alerts).where(
        _a.source == sa.bindparam("source"), among(_a.fingerprint, "fingerprints", postgresql=pg)
    ),
    ["source", "fingerprints"],
)
_insert = insert(schema.alerts)
_update = update_by_id(
    schema.alerts,
    [
        "severity",
        "annotations",
        "generator_url",
        "cut",
        "starts_at",
        "ends_at",
        "last_seen_at",
        "incident_id",
        "occurrences",
        "newest_starts_at",
    ],
)
_seen = Prepared(
    lambda pg: (
        sa.update(schema.alerts)
        .where(among(_a.id, "ids", postgresql=pg))
        .values(last_seen_at=sa.bindparam("last_seen_at"))
    ),
    ["ids", "last_seen_at"],
)
_update_occurrence = Prepared(
    lambda _: (
        sa.update(schema.occurrences)
        .where(_o.alert_id == sa.bindparam("alert"), _o.starts_at == sa.bindparam("start"))
        .values(ends_at=sa.bindparam("ends_at"), incident_id=sa.bindparam("incident_id"))
    ),
    ["ends_at", "incident_id", "alert", "start"],
)
# The plus keeps planners off the index on incidents, which may have many more occurrences than these alerts.
_of_incident = sa.literal_column("+occurrences.incident_id", sa.BigInteger)
_members = Prepared(
    lambda pg: (
        sa.select(_o.alert_id, _o.incident_id)
        .where(
            among(_o.alert_id, "alerts", postgresql=pg),
            _o.starts_at >= sa.bindparam("since"),
            among(_of_incident, "incidents", postgresql=pg),
        )
        .distinct()
    ),
    ["alerts", "since", "incidents"],
)


def _upserted(postgresql: bool) -> sa.Insert:  # noqa: FBT001 - the signature that Prepared calls
    # One that fires again after another of the same alert is stored already.
    make = pg_insert if postgresql else sqlite_insert
    names = [column.name for column in schema.occurrences.columns]
    statement = make(schema.occurrences).values({name: sa.bindparam(name) for name in names})
    fresh = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[_o.alert_id, _o.starts_at],
        set_={"ends_at": fresh.ends_at, "incident_id": fresh.incident_id},
    )


_insert_occurrence = Prepared(_upserted, [column.name for column in schema.occurrences.columns])


def known(tx: Tx, source: str, fingerprints: Sequence[str]) -> list[AlertRecord]:
    """The stored alerts of `source` among `fingerprints`: one index look-up each, in one statement."""
    return [_record(row) for row in _known.tuples(tx, source, values_of(tx, fingerprints))]


def members(
    tx: Tx, alert_ids: Sequence[int], incident_ids: Sequence[int], since: datetime
) -> set[tuple[int, int]]:
    """Which of these alerts were ever part of which of these incidents, as (alert, incident).

    `since`: when the first occurrence of any of the incidents began; nothing older is looked at.
    """
    rows = _members.tuples(tx, values_of(tx, alert_ids), micros(since), values_of(tx, incident_ids))
    return {(alert, incident) for alert, incident in rows}


def insert_new(tx: Tx, records: Sequence[AlertRecord]) -> None:
    """Write alerts that were never seen before."""
    _insert.many(tx, [_full_row(record) for record in records])


def update(tx: Tx, records: Sequence[AlertRecord]) -> None:
    """Write what changed of known alerts."""
    _update.many(tx, [_changed_row(record) for record in records])


def touch(tx: Tx, ids: Sequence[int], now: datetime) -> None:
    """Remember that these alerts were seen firing again: the cheapest and most common write."""
    if ids:
        _seen.run(tx, values_of(tx, ids), micros(now))


def save_occurrences(tx: Tx, records: Sequence[OccurrenceRecord], now: datetime) -> None:
    """Write occurrences: fresh ones as first seen `now`, known ones with their end and their incident."""
    seen = micros(now)
    _insert_occurrence.many(
        tx,
        [
            (o.alert_id, micros(o.starts_at), micros_or_none(o.ends_at), seen, o.incident_id, o.reason)
            for o in records
            if o.fresh
        ],
    )
    _update_occurrence.many(
        tx,
        [
            (micros_or_none(o.ends_at), o.incident_id, o.alert_id, micros(o.starts_at))
            for o in records
            if not o.fresh
        ],
    )


def _record(row: Any) -> AlertRecord:
    # By position: a name look-up per column would double the price of a repeat.
    (
        number,
        source,
        fingerprint,
        severity,
        labels,
        notes,
        url,
        cut,
        starts,
        ends,
        seen,
        incident,
        count,
        newest,
    ) = row
    current = OccurrenceRecord(number, instant(starts), instant_or_none(ends), incident)
    # None: written by the version before this one.
    at = current.starts_at if newest is None or newest <= starts else instant(newest)
    return AlertRecord(
        number, source, fingerprint, severity, labels, notes, url, cut, current, instant(seen), count, at
    )


def _full_row(r: AlertRecord) -> tuple[Any, ...]:
    o = r.current
    return (
        r.id,
        r.source,
        r.fingerprint,
        r.severity,
        r.labels,
        r.annotations,
        r.generator_url,
        r.cut,
        micros(o.starts_at),
        micros_or_none(o.ends_at),
        micros(r.last_seen_at),
        o.incident_id,
        r.occurrences,
        micros(r.newest),
    )


def _changed_row(r: AlertRecord) -> tuple[Any, ...]:
    o = r.current
    return (
        r.severity,
        r.annotations,
        r.generator_url,
        r.cut,
        micros(o.starts_at),
        micros_or_none(o.ends_at),
        micros(r.last_seen_at),
        o.incident_id,
        r.occurrences,
        micros(r.newest),
        r.id,
    )
