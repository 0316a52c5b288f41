"""Public maintenance, statuses that people gave, and the days of components."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.status_page.facts import Day, Maintenance, Override
from incidentd.domain.status_page.hindsight import Shift
from incidentd.domain.status_page.uptime import FIELDS
from incidentd.domain.status_page.words import Stage, Status
from incidentd.store import schema_status_page as tables
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.store.publications import touch

_m, _o = tables.public_maintenances.c, tables.component_overrides.c
_w, _d = tables.component_watches.c, tables.component_days.c
_OPEN = sa.text("stage <> 'completed'")
_SECONDS = ("operational", "degraded", "partial", "major", "maintenance")


def maintenance(tx: Tx, code: str) -> Maintenance | None:
    """One, locked for this transaction; or None."""
    query = sa.select(tables.public_maintenances).where(_m.code == code).with_for_update()
    row = tx.conn.execute(query).first()
    return None if row is None else _maintenance(row)


def open_maintenances(tx: Tx) -> list[Maintenance]:
    """Those that are not completed; not locked."""
    query = sa.select(tables.public_maintenances).where(_OPEN).order_by(_m.id)
    return [_maintenance(row) for row in tx.conn.execute(query)]


def maintenances(tx: Tx, limit: int) -> list[Maintenance]:
    """Those that are not completed at the front, then the newest; at most `limit`."""
    over = sa.case((_m.stage == Stage.COMPLETED.value, 1), else_=0)
    query = sa.select(tables.public_maintenances).order_by(over, _m.created_at.desc(), _m.id.desc())
    return [_maintenance(row) for row in tx.conn.execute(query.limit(limit))]


def begun_since(tx: Tx, since: datetime) -> list[Maintenance]:
    """Those that have begun, and were not completed before `since`."""
    lasted = sa.or_(_m.completed_at.is_(None), _m.completed_at >= micros(since))
    query = sa.select(tables.public_maintenances).where(_m.started_at.is_not(None), lasted)
    return [_maintenance(row) for row in tx.conn.execute(query.order_by(_m.id))]


def save_maintenance(tx: Tx, known: Maintenance) -> Maintenance:
    """Write it; with its number."""
    values = {
        "code": known.code,
        "title": known.title,
        "stage": known.stage.value,
        "components": dumps(list(known.components)),
        "scheduled_for": micros(known.scheduled_for),
        "scheduled_until": micros(known.scheduled_until),
        "created_at": micros(known.created_at),
        "created_by": known.created_by,
        "updated_at": micros(known.updated_at),
        "started_at": micros_or_none(known.started_at),
        "completed_at": micros_or_none(known.completed_at),
        "windows": dumps(list(known.windows)),
        "rrule": known.rrule,
        "time_zone": known.time_zone,
        "starts": known.starts,
        "verify": known.verify,
    }
    if known.id:
        tx.conn.execute(sa.update(tables.public_maintenances).where(_m.id == known.id).values(values))
    else:
        number = Ids(tx, tables.public_maintenances, 1).take()
        tx.conn.execute(sa.insert(tables.public_maintenances).values(id=number, **values))
    touch(tx)
    found = maintenance(tx, known.code)
    assert found is not None  # noqa: S101 - it was written in this very transaction
    return found


def override(tx: Tx, new: Override) -> Override:
    """Write a new one; with its number."""
    number = Ids(tx, tables.component_overrides, 1).take()
    tx.conn.execute(
        sa.insert(tables.component_overrides).values(
            id=number,
            component=new.component,
            status=new.status.value,
            reason=new.reason,
            author=new.author,
            created_at=micros(new.created_at),
            until=micros_or_none(new.until),
        )
    )
    touch(tx)
    found = override_by_id(tx, number)
    assert found is not None  # noqa: S101 - as above
    return found


def override_by_id(tx: Tx, number: int) -> Override | None:
    """One, or None; cleared ones too."""
    row = tx.conn.execute(sa.select(tables.component_overrides).where(_o.id == number)).first()
    return None if row is None else _override(row)


def clear_override(tx: Tx, number: int, actor: str, now: datetime) -> None:
    """It holds no more."""
    query = sa.update(tables.component_overrides).where(_o.id == number, _o.cleared_at.is_(None))
    tx.conn.execute(query.values(cleared_at=micros(now), cleared_by=actor))
    touch(tx)


def overrides(tx: Tx, now: datetime, limit: int) -> list[Override]:
    """All that hold at `now`, the newest first, then the newest of the others up to `limit` in all."""
    holds = sa.and_(_o.cleared_at.is_(None), sa.or_(_o.until.is_(None), _o.until > micros(now)))
    holding = sa.select(tables.component_overrides).where(holds).order_by(_o.id.desc())
    found = [_override(row) for row in tx.conn.execute(holding)]
    rest = sa.select(tables.component_overrides).where(sa.not_(holds)).order_by(_o.id.desc())
    others = tx.conn.execute(rest.limit(max(0, limit - len(found))))
    return [*found, *[_override(row) for row in others]]


def watches(tx: Tx) -> dict[str, tuple[datetime, Status, datetime]]:
    """Component -> when it was first watched, its status at the last look, and when that was."""
    rows = tx.conn.execute(sa.select(tables.component_watches))
    return {
        row.component: (instant(row.known_since), Status(row.status), instant(row.watched_until))
        for row in rows
    }


def watch(tx: Tx, component: str, status: Status, last: datetime | None, now: datetime) -> bool:
    """Note that it was looked at; False if another replica has looked since `last`."""
    if last is None:
        values = {"known_since": micros(now), "status": status.value, "watched_until": micros(now)}
        tx.conn.execute(sa.insert(tables.component_watches).values(component=component, **values))
        return True
    query = sa.update(tables.component_watches).where(
        _w.component == component, _w.watched_until == micros(last)
    )
    return tx.conn.execute(query.values(status=status.value, watched_until=micros(now))).rowcount == 1


def add_days(tx: Tx, days: Sequence[Day]) -> None:
    """Add these seconds to what is counted."""
    for day in days:
        key = {"component": day.component, "day": day.day.isoformat()}
        seconds = {name: getattr(day, name) for name in _SECONDS}
        more = {name: _d[name] + count for name, count in seconds.items()}
        query = sa.update(tables.component_days).where(_d.component == key["component"], _d.day == key["day"])
        if not tx.conn.execute(query.values(more)).rowcount:
            tx.conn.execute(sa.insert(tables.component_days).values(**key, **seconds))


def shift_days(tx: Tx, found: Sequence[Shift]) -> None:
    """Move seconds between the states of days; never more than were counted, for the rest nobody watched."""
    for shift in found:
        old, new = _d[FIELDS[shift.old]], _d[FIELDS[shift.new]]
        here = (_d.component == shift.component, _d.day == shift.day.isoformat())
        counted = tx.conn.execute(sa.select(old).where(*here).with_for_update()).scalar()
        if moved := min(shift.seconds, counted or 0.0):
            values = {old.name: old - moved, new.name: new + moved}
            tx.conn.execute(sa.update(tables.component_days).where(*here).values(values))


def days_since(tx: Tx, first: date) -> list[Day]:
    """Every component's days from `first` on."""
    query = sa.select(tables.component_days).where(_d.day >= first.isoformat()).order_by(_d.component, _d.day)
    return [
        Day(row.component, date.fromisoformat(row.day), *[getattr(row, name) for name in _SECONDS])
        for row in tx.conn.execute(query)
    ]


def _maintenance(row: Any) -> Maintenance:
    return Maintenance(
        id=row.id,
        code=row.code,
        title=row.title,
        stage=Stage(row.stage),
        components=tuple(loads(row.components)),
        scheduled_for=instant(row.scheduled_for),
        scheduled_until=instant(row.scheduled_until),
        created_at=instant(row.created_at),
        created_by=row.created_by,
        updated_at=instant(row.updated_at),
        started_at=instant_or_none(row.started_at),
        completed_at=instant_or_none(row.completed_at),
        windows=tuple(loads(row.windows)),
        rrule=row.rrule,
        time_zone=row.time_zone,
        starts=row.starts,
        verify=bool(row.verify),
    )


def _override(row: Any) -> Override:
    return Override(
        id=row.id,
        component=row.component,
        status=Status(row.status),
        reason=row.reason,
        author=row.author,
        created_at=instant(row.created_at),
        until=instant_or_none(row.until),
        cleared_at=instant_or_none(row.cleared_at),
        cleared_by=row.cleared_by,
    )
