"""The outbox: rows written with the change they tell of, found again when they may leave.

A lane is one target of one channel and incident; its rows leave in the order they were written. Whoever sends takes
leases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import PAGES, DeliveryClass, DeliveryState, Notice
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import instant, micros
from incidentd.store.deliveries import Delivery, decode
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids, Prepared, among, insert, values_of

_d = schema.deliveries.c
# A literal, not a parameter: only so do the partial indexes fit.
_PENDING = sa.text("deliveries.state = 'pending'")
_PAGES, _REST = PAGES, (PAGES[1] + 1, 9)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One thing to tell one channel."""

    incident_id: int
    channel: str
    target: str
    notice: Notice
    episode: int
    actor: str
    comment: str
    at: datetime
    not_before: datetime
    severity: Severity = Severity.CRITICAL
    """Of the incident: pages about critical ones leave first."""
    fallback_of: int | None = None
    """The page that this one stands in for."""
    meta: bool = False
    """It is about deliveries themselves."""
    person: str | None = None
    """The user who is told; None: whoever reads the channel."""
    trace: str | None = None
    """The context of what led to it; None: that of the unit of work."""

    @property
    def delivery_class(self) -> DeliveryClass:
        """How much it matters."""
        return DeliveryClass.META if self.meta else self.notice.delivery_class


def _heads(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    # Only the head of a lane may leave: nothing older of the same incident and target is still on its way.
    # A pending `state` or `digest` row holds nobody up, for what comes after it tells the newest state anyway: a
    # page must not wait for the delay of an update.
    older = schema.deliveries.alias("older")
    return sa.select(schema.deliveries).where(
        _PENDING,
        _d.channel == sa.bindparam("channel"),
        _d.priority >= sa.bindparam("low"),
        _d.priority <= sa.bindparam("high"),
        _d.not_before <= sa.bindparam("now"),
        # What rides in another message ends with that one.
        _d.bundled_in.is_(None),
        ~among(_d.target, "exhausted", postgresql=postgresql),
        ~sa.exists().where(
            older.c.incident_id == _d.incident_id,
            older.c.channel == _d.channel,
            older.c.target == _d.target,
            older.c.id < _d.id,
            sa.text(
                "(older.state = 'leased' OR (older.state = 'pending' AND older.class NOT IN ('state', 'digest')))"
            ),
        ),
    )


def _candidates(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = _heads(postgresql).order_by(_d.priority, _d.not_before).limit(sa.bindparam("n"))
    return statement.with_for_update(skip_locked=True) if postgresql else statement


def _updates(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - as above
    statement = (
        sa.select(schema.deliveries)
        .where(
            among(_d.incident_id, "ids", postgresql=postgresql),
            _d.channel == sa.bindparam("channel"),
            sa.text("deliveries.class IN ('state', 'digest')"),
            sa.text("deliveries.state IN ('pending', 'leased')"),
        )
        .order_by(_d.id)
    )
    return statement.with_for_update() if postgresql else statement


def _followed(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - as above
    later = schema.deliveries.alias("later")
    return sa.select(_d.id).where(
        among(_d.id, "ids", postgresql=postgresql),
        sa.exists().where(
            later.c.incident_id == _d.incident_id,
            later.c.channel == _d.channel,
            later.c.target == _d.target,
            later.c.id > _d.id,
            sa.text("later.state = 'pending'"),
        ),
    )


def _waiting(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - as above
    # One that was tried belongs to a replica that knows the channel: it gets a day.
    statement = sa.select(schema.deliveries).where(
        _PENDING,
        _d.channel == sa.bindparam("channel"),
        _d.created_at <= sa.bindparam("before"),
        sa.or_(_d.attempts == sa.literal_column("0"), _d.created_at <= sa.bindparam("tried_before")),
    )
    statement = statement.order_by(_d.priority, _d.not_before).limit(sa.bindparam("n"))
    return statement.with_for_update(skip_locked=True) if postgresql else statement


_insert = insert(schema.deliveries)
_claimable = Prepared(_candidates, ["channel", "low", "high", "now", "exhausted", "n"])
_is_due = Prepared(
    lambda pg: _heads(pg).with_only_columns(_d.id).order_by(_d.priority, _d.not_before).limit(1),
    ["channel", "low", "high", "now", "exhausted"],
)
_next_due = Prepared(
    lambda _: sa.select(sa.func.min(_d.not_before)).where(
        _PENDING,
        _d.channel == sa.bindparam("channel"),
        _d.priority >= sa.bindparam("low"),
        _d.priority <= sa.bindparam("high"),
        _d.not_before > sa.bindparam("now"),
    ),
    ["channel", "low", "high", "now"],
)
_open_updates = Prepared(_updates, ["ids", "channel"])
_with_followers = Prepared(_followed, ["ids"])
_close = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.id == sa.bindparam("row"), _PENDING)
        .values(state=sa.bindparam("to"), reason=sa.bindparam("why"))
    ),
    ["row", "to", "why"],
)
_hurry = Prepared(
    lambda pg: (
        sa.update(schema.deliveries)
        .where(
            among(_d.incident_id, "ids", postgresql=pg),
            _PENDING,
            sa.or_(
                _d["class"] == sa.literal_column("'close'"),
                _d.notice == sa.literal_column(f"'{Notice.MISSED.value}'"),
            ),
            _d.not_before > sa.bindparam("now"),
        )
        .values(not_before=sa.bindparam("now"))
    ),
    ["now", "ids"],
)
_oldest = Prepared(
    lambda _: (
        sa.select(
            _d["class"].label("kind"), sa.func.min(sa.func.coalesce(_d.retried_at, _d.created_at)).label("at")
        )
        .where(_PENDING)
        .group_by(_d["class"])
    ),
    [],
)
_pending_of = Prepared(_waiting, ["channel", "before", "tried_before", "n"])
_channels = Prepared(lambda _: sa.select(_d.channel).where(_PENDING).distinct(), [])


def enqueue(tx: Tx, rows: Sequence[NewDelivery]) -> None:
    """Write rows to be sent. In the transaction of the change, or not at all."""
    if not rows:
        return
    # What waits in front of a page after a failure is tried with it, not when its own pause is over.
    again = (Notice.ESCALATED, Notice.UNACKNOWLEDGED, Notice.REOPENED)
    paged = {row.incident_id for row in rows if row.notice in again}
    if paged:
        _hurry.run(tx, micros(min([row.at for row in rows])), values_of(tx, sorted(paged)))
    ids = Ids(tx, schema.deliveries, len(rows))
    _insert.many(tx, [_new_row(ids.take(), row, tx.trace) for row in rows])


def _new_row(row_id: int, n: NewDelivery, trace: str | None) -> tuple[object, ...]:
    kind = n.delivery_class
    told = (
        n.incident_id,
        n.channel,
        n.target,
        n.notice.value,
        kind.value,
        kind.priority(n.severity),
        n.episode,
        n.actor,
        n.comment,
    )
    times = (micros(n.not_before), micros(n.at), None)
    lease = (None, None, 0)
    ended = (False, None, None, None)
    return (
        row_id,
        *told,
        "pending",
        0,
        *times,
        *lease,
        *ended,
        n.fallback_of,
        *(None,) * 4,
        n.person,
        None,
        n.trace or trace,
    )


def is_due(tx: Tx, channel: str, *, pages: bool, now: datetime, exhausted: Sequence[str] = ()) -> bool:
    """True if `claimable` would find something: a read, so that an idle sender writes nothing."""
    values = (channel, *(_PAGES if pages else _REST), micros(now), values_of(tx, exhausted))
    return _is_due.first(tx, *values) is not None


def next_due(tx: Tx, channel: str, *, pages: bool, now: datetime) -> datetime | None:
    """When the next pending row that waits for its time wants to leave, or None."""
    row = _next_due.first(tx, channel, *(_PAGES if pages else _REST), micros(now))
    return instant(row[0]) if row is not None and row[0] is not None else None


def claimable(
    tx: Tx, channel: str, *, pages: bool, now: datetime, limit: int, exhausted: Sequence[str] = ()
) -> list[Delivery]:
    """Lane heads of `channel` that are due, most urgent first, locked: pages only, or everything else.

    None of the targets `exhausted`, which have had as much as their vendor takes for the moment.
    """
    values = (channel, *(_PAGES if pages else _REST), micros(now), values_of(tx, exhausted), limit)
    return [decode(row) for row in _claimable.all(tx, *values)]


def open_updates(tx: Tx, channel: str, incident_ids: Sequence[int]) -> list[Delivery]:
    """The `state` and `digest` rows of these incidents on `channel` that are pending or leased.

    Locked, and so as they are after whoever works on them has committed.
    """
    rows = _open_updates.all(tx, values_of(tx, incident_ids), channel) if incident_ids else ()
    return [decode(row) for row in rows]


def followed(tx: Tx, ids: Sequence[int]) -> set[int]:
    """Which of these rows have a younger pending row in their lane."""
    return {row.id for row in _with_followers.all(tx, values_of(tx, ids))} if ids else set()


def close_unsent(tx: Tx, rows: Sequence[tuple[int, DeliveryState, str]]) -> None:
    """End pending rows without sending them, as (id, superseded, suppressed or dead, reason)."""
    _close.many(tx, [(row_id, state.value, reason) for row_id, state, reason in rows])


def pending_channels(tx: Tx) -> set[str]:
    """The channels that something waits for, configured or not."""
    return {row.channel for row in _channels.all(tx)}


def pending_of(tx: Tx, channel: str, before: datetime, limit: int) -> list[Delivery]:
    """What has waited for `channel` since `before` without being tried, or a day longer; locked."""
    rows = _pending_of.all(tx, channel, micros(before), micros(before - timedelta(days=1)), limit)
    return [decode(row) for row in rows]


def oldest_pending(tx: Tx) -> dict[str, datetime]:
    """Since when the oldest pending row of each class waits: since it was written, or put back by a person."""
    return {row.kind: instant(row.at) for row in _oldest.all(tx)}
