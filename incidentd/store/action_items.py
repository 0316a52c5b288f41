"""Action items: written with the entry that tells of them, found by incident, owner and day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.action_item import ActionItem, ItemState
from incidentd.store.codec import instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.store.schema_actions import action_items

_a = action_items.c
_OPEN = sa.text("state = 'open'")


@dataclass(frozen=True, slots=True)
class Search:
    """Which items; every given value must match."""

    incident_id: int | None = None
    state: ItemState | None = None
    owner: str | None = None
    due_before: date | None = None
    """Open ones whose day is earlier."""
    before: int | None = None
    """Numbers below this one."""
    limit: int = 500


def next_id(tx: Tx) -> int:
    """A number for a new item."""
    return Ids(tx, action_items, 1).take()


def add(tx: Tx, item: ActionItem) -> None:
    """Write a new one."""
    values = {"id": item.id, "incident_id": item.incident_id, **_changing(item)}
    values |= {"created_by": item.created_by, "created_at": micros(item.created_at)}
    tx.conn.execute(sa.insert(action_items).values(values))


def locked(tx: Tx, number: int) -> ActionItem | None:
    """One that nobody else changes until the commit, or None."""
    query = sa.select(action_items).where(_a.id == number)
    row = tx.conn.execute(query.with_for_update() if tx.postgresql else query).first()
    return None if row is None else _decode(row)


def by_id(tx: Tx, number: int) -> ActionItem | None:
    """One, or None."""
    row = tx.conn.execute(sa.select(action_items).where(_a.id == number)).first()
    return None if row is None else _decode(row)


def update(tx: Tx, item: ActionItem) -> None:
    """Write what may change of one."""
    tx.conn.execute(sa.update(action_items).where(_a.id == item.id).values(_changing(item)))


def search(tx: Tx, wanted: Search) -> list[ActionItem]:
    """Items, newest first."""
    query = sa.select(action_items).order_by(_a.id.desc()).limit(wanted.limit)
    for column, value in ((_a.incident_id, wanted.incident_id), (_a.owner, wanted.owner)):
        query = query if value is None else query.where(column == value)
    if wanted.state is not None:
        # As a literal, so that the partial index fits.
        query = query.where(sa.text(f"state = '{wanted.state.value}'"))
    if wanted.due_before is not None:
        query = query.where(_OPEN, _a.due < wanted.due_before.isoformat())
    if wanted.before is not None:
        query = query.where(_a.id < wanted.before)
    return [_decode(row) for row in tx.conn.execute(query)]


def count_open(tx: Tx, now: datetime) -> tuple[int, int]:
    """How many are open, and how many of these are overdue; walks through the open ones alone."""
    late = sa.func.count().filter(_a.due < now.astimezone(UTC).date().isoformat())
    row = tx.conn.execute(sa.select(sa.func.count(), late).select_from(action_items).where(_OPEN)).one()
    return int(row[0]), int(row[1])


def delete_old(tx: Tx, closed_before: datetime, batch: int) -> int:
    """Forget up to `batch` that were done or dropped before that; how many. Open ones are never forgotten."""
    old = sa.select(_a.id).where(_a.closed_at < micros(closed_before)).limit(batch)
    ids = tx.conn.execute(old).scalars().all()
    if ids:
        tx.conn.execute(sa.delete(action_items).where(_a.id.in_(ids)))
    return len(ids)


def _changing(item: ActionItem) -> Mapping[str, object]:
    return {
        "title": item.title,
        "owner": item.owner,
        "due": item.due.isoformat() if item.due else None,
        "state": item.state.value,
        "closed_by": item.closed_by,
        "closed_at": micros_or_none(item.closed_at),
        "comment": item.comment,
    }


def _decode(row: Any) -> ActionItem:
    return ActionItem(
        id=row.id,
        incident_id=row.incident_id,
        title=row.title,
        owner=row.owner,
        due=date.fromisoformat(row.due) if row.due else None,
        state=ItemState(row.state),
        created_by=row.created_by,
        created_at=instant(row.created_at),
        closed_by=row.closed_by,
        closed_at=instant_or_none(row.closed_at),
        comment=row.comment,
    )
