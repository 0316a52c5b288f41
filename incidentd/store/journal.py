"""The journal: bodies as senders posted them, in compressed frames, and what people did meanwhile."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from incidentd.domain.incident import OURSELVES, SOURCE
from incidentd.store import schema
from incidentd.store.codec import instant, loads, micros
from incidentd.store.engine import Tx
from incidentd.store.maintenance import Stored
from incidentd.store.maintenance import decode as decode_window

_j = schema.journal.c
_t = schema.timeline.c
_i = schema.incidents.c
_m = schema.maintenance.c
_LEVEL = 1
"""Of zlib: bodies repeat themselves so much that more effort gains little."""
ACTS = ("acknowledged", "unacknowledged", "resolved", "reopened", "snoozed", "assigned", "escalated")
"""Kinds of timeline entries that are what somebody did."""


class Kept(NamedTuple):
    """One body as it came. A tuple, for one is made of every post."""

    at: datetime
    source: str
    format: str
    """``alertmanager`` or ``grafana``: the door it came through."""
    body: bytes
    """Decompressed; without credentials."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did to the incident of a group."""

    at: datetime
    group_key: str
    kind: str
    """One of `ACTS`."""
    actor: str
    comment: str = ""
    until: datetime | None = None
    """Of a snooze."""
    user: str = ""
    """Who was asked, by an assignment."""


def pack(bodies: Sequence[Kept]) -> bytes:
    """One frame of them."""
    parts: list[bytes] = []
    for kept in bodies:
        head = {"at": micros(kept.at), "source": kept.source, "format": kept.format, "size": len(kept.body)}
        parts += [orjson.dumps(head), b"\n", kept.body]
    return zlib.compress(b"".join(parts), _LEVEL)


def unpack(frame: bytes) -> Iterator[Kept]:
    """The bodies of a frame, in their order."""
    data = zlib.decompress(frame)
    place = 0
    while place < len(data):
        line = data.index(b"\n", place)
        head = orjson.loads(data[place:line])
        place = line + 1 + head["size"]
        yield Kept(instant(head["at"]), head["source"], head["format"], data[line + 1 : place])


def add(tx: Tx, bodies: Sequence[Kept], frame: bytes) -> None:
    """Keep `bodies`, packed as `frame`."""
    times = [micros(kept.at) for kept in bodies]
    tx.conn.execute(
        sa.insert(schema.journal).values(
            first_at=min(times), last_at=max(times), bodies=len(bodies), size=len(frame), frame=frame
        )
    )


def frames(tx: Tx, after: int, since: datetime, until: datetime, limit: int) -> list[tuple[int, bytes]]:
    """Up to `limit` frames with a higher number that may hold a body of the period, as (number, frame)."""
    query = (
        sa.select(_j.id, _j.frame)
        .where(_j.id > after, _j.last_at >= micros(since), _j.first_at <= micros(until))
        .order_by(_j.id)
        .limit(limit)
    )
    return [(row.id, bytes(row.frame)) for row in tx.conn.execute(query)]


def stored_bytes(tx: Tx) -> int:
    """How much it takes."""
    return int(tx.conn.execute(sa.select(sa.func.coalesce(sa.func.sum(_j.size), 0))).scalar_one())


def delete_old(tx: Tx, before: datetime, batch: int) -> int:
    """Forget up to `batch` frames whose newest body came before; how many."""
    old = sa.select(_j.id).where(_j.last_at < micros(before)).order_by(_j.last_at).limit(batch)
    return tx.conn.execute(sa.delete(schema.journal).where(_j.id.in_(old.scalar_subquery()))).rowcount


def trim(tx: Tx, max_bytes: int, batch: int) -> int:
    """Forget up to `batch` of the oldest frames, as many as it takes to fit into `max_bytes`; how many."""
    over = stored_bytes(tx) - max_bytes
    if over <= 0:
        return 0
    oldest = tx.conn.execute(sa.select(_j.id, _j.size).order_by(_j.id).limit(batch)).all()
    gone = accumulate([row.size for row in oldest])
    needed = 1 + sum(1 for total in gone if total < over)
    ids = [row.id for row in oldest[:needed]]
    return tx.conn.execute(sa.delete(schema.journal).where(_j.id.in_(ids))).rowcount


def acts(tx: Tx, since: datetime, until: datetime) -> list[Act]:
    """What was done in the period to incidents that alerts opened, and not by the alerts or the daemon itself."""
    query = (
        sa.select(_t.at, _t.kind, _t.actor, _t.data, _i.group_key)
        .join(schema.incidents, _i.id == _t.incident_id)
        .where(
            _t.at >= micros(since),
            _t.at <= micros(until),
            _t.kind.in_(ACTS),
            _t.actor.not_in((SOURCE, OURSELVES)),
            _i.source.not_in(("", OURSELVES)),
        )
        .order_by(_t.at, _t.id)
    )
    return [_act(row) for row in tx.conn.execute(query)]


def _act(row: Any) -> Act:
    data = loads(row.data)
    until = data.get("until") if row.kind == "snoozed" else None
    return Act(
        at=instant(row.at),
        group_key=row.group_key,
        kind=row.kind,
        actor=row.actor,
        comment=str(data.get("comment") or ""),
        until=None if until is None else datetime.fromisoformat(until),
        user=str(data.get("user") or ""),
    )


def windows(tx: Tx, since: datetime) -> list[Stored]:
    """Maintenance that people made and that may have held since then, cancelled or not."""
    query = (
        sa.select(schema.maintenance)
        .where(sa.or_(_m.over_at.is_(None), _m.over_at > micros(since)))
        .where(sa.or_(_m.cancelled_at.is_(None), _m.cancelled_at > micros(since)))
        .order_by(_m.id)
    )
    return [decode_window(row) for row in tx.conn.execute(query)]
