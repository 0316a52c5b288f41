"""What calendars said that are fetched from an address: kept, so that a restart without a network knows it still."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx

_c = schema.calendars.c
_EMPTY = "[]"


@dataclass(frozen=True, slots=True)
class StoredCalendar:
    """How it stands with one, without its events."""

    key: str
    next_at: datetime
    """When it is asked again."""
    read_at: datetime | None = None
    """When it was last known what it says; None: it was never read."""
    version: int = 0
    """Moves on whenever it says something else."""
    etag: str = ""
    modified: str = ""
    failing_since: datetime | None = None
    error: str = ""


_STANDING = (_c.key, _c.next_at, _c.read_at, _c.version, _c.etag, _c.modified, _c.failing_since, _c.error)


def standing(tx: Tx, keys: Collection[str]) -> dict[str, StoredCalendar]:
    """How it stands with those of `keys` that were ever asked."""
    query = sa.select(*_STANDING).where(_c.key.in_(sorted(keys)))
    return {row.key: _stored(row) for row in tx.conn.execute(query)}


def texts(tx: Tx, keys: Collection[str]) -> dict[str, str]:
    """The events of each, as `settle` was given them."""
    query = sa.select(_c.key, _c.events).where(_c.key.in_(sorted(keys)), _c.version > 0)
    return {row.key: row.events for row in tx.conn.execute(query)}


def claim(tx: Tx, key: str, now: datetime, until: datetime, latest: datetime) -> StoredCalendar | None:
    """Whoever gets it asks, and nobody else before `until`. None: it is not due, or another replica was first.

    What is to be asked after `latest` only is due as well.
    """
    taken = tx.conn.execute(
        sa.update(schema.calendars)
        .where(_c.key == key, sa.or_(_c.next_at <= micros(now), _c.next_at > micros(latest)))
        .values(next_at=micros(until))
    ).rowcount
    if not taken:
        if standing(tx, [key]):
            return None
        # Two replicas that both make it known for the first time retry, and one of them finds it claimed.
        tx.conn.execute(
            sa.insert(schema.calendars).values(
                key=key, next_at=micros(until), version=0, events=_EMPTY, etag="", modified="", error=""
            )
        )
    return standing(tx, [key])[key]


def settle(tx: Tx, known: StoredCalendar, events: str | None) -> bool:
    """Write what came of asking; `events` is None if it says nothing new. True if it says something else now."""
    before = texts(tx, [known.key]).get(known.key)
    changed = events is not None and events != before
    values: dict[str, Any] = {
        "next_at": micros(known.next_at),
        "read_at": micros_or_none(known.read_at),
        "etag": known.etag,
        "modified": known.modified,
        "failing_since": micros_or_none(known.failing_since),
        "error": known.error,
    }
    if changed:
        values |= {"events": events, "version": _c.version + 1}
    tx.conn.execute(sa.update(schema.calendars).where(_c.key == known.key).values(values))
    return changed


def forget(tx: Tx, keys: Collection[str], due_before: datetime) -> None:
    """Delete those that nobody has asked for long, except `keys`."""
    tx.conn.execute(
        sa.delete(schema.calendars).where(_c.key.not_in(sorted(keys)), _c.next_at < micros(due_before))
    )


def _stored(row: Any) -> StoredCalendar:
    return StoredCalendar(
        row.key,
        instant(row.next_at),
        instant_or_none(row.read_at),
        row.version,
        row.etag,
        row.modified,
        instant_or_none(row.failing_since),
        row.error,
    )
