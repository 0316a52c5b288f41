"""What the outbox knows of pages: those that did not get through in time, and those told together in one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.store.codec import instant, micros
from incidentd.store.deliveries import Delivery, by_id, decode
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, values_of

_d = schema.deliveries.c
_PENDING = sa.text("deliveries.state = 'pending'")
_IS_PAGE = _d["class"] == sa.literal_column("'page'")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a lane, as far as what follows it needs to know."""

    id: int
    incident_id: int
    target: str
    episode: int
    attempts: int
    sent: bool
    told_over: bool
    """How things stood then, its last message says."""
    bundled: bool
    """Another message told of it."""

    @property
    def left(self) -> bool:
        """The vendor may have heard of it."""
        return self.attempts > 0 or self.sent


def _waits_too_long(*, postgresql: bool) -> sa.ColumnElement[bool]:
    """A page of which nobody else was told."""
    # One that a person put back waits since then; `created_at` beside it is what the index knows.
    before: sa.BindParameter[Any] = sa.bindparam("before")
    late = sa.and_(_d.created_at <= before, sa.or_(_d.retried_at.is_(None), _d.retried_at <= before))
    hopeless = among(_d.channel, "broken", postgresql=postgresql)
    return sa.and_(_PENDING, _IS_PAGE, _d.fell_back_at.is_(None), sa.or_(late, hopeless))


def _unanswered_pages(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = (
        sa.select(schema.deliveries)
        .where(_waits_too_long(postgresql=postgresql))
        .order_by(_d.created_at)
        .limit(sa.bindparam("n"))
    )
    return statement.with_for_update(skip_locked=True) if postgresql else statement


_unanswered = Prepared(_unanswered_pages, ["before", "broken", "n"])
_any_unanswered = Prepared(
    # In that order, or PostgreSQL might walk through everything that is pending.
    lambda pg: sa.select(_d.id).where(_waits_too_long(postgresql=pg)).order_by(_d.created_at).limit(1),
    ["before", "broken"],
)
_fell_back = Prepared(
    lambda pg: (
        sa.update(schema.deliveries)
        .where(among(_d.id, "ids", postgresql=pg))
        .values(fell_back_at=sa.bindparam("now"))
    ),
    ["now", "ids"],
)
_told_of = Prepared(
    lambda _: sa.select(_d.channel).where(
        _d.incident_id == sa.bindparam("incident"),
        sa.or_(
            _d.fallback_of == sa.bindparam("root"),
            _d.id == sa.bindparam("root"),
            sa.and_(_d.notice == sa.bindparam("notice"), _d.created_at == sa.bindparam("at")),
        ),
    ),
    ["incident", "root", "root", "notice", "at"],
)
_oldest = Prepared(
    lambda _: (
        sa.select(_d.channel, sa.func.min(sa.func.coalesce(_d.retried_at, _d.created_at)).label("at"))
        .where(_PENDING, _IS_PAGE)
        .group_by(_d.channel)
    ),
    [],
)
_sibling = schema.deliveries.alias("sibling")
_sibling_stands_for = Prepared(
    lambda _: (
        sa.select(_d.id)
        .join(_sibling, _sibling.c.id == _d.fallback_of)
        .where(
            _d.incident_id == sa.bindparam("incident"),
            _sibling.c.channel == sa.bindparam("channel"),
            _sibling.c.notice == sa.bindparam("notice"),
            _sibling.c.created_at == sa.bindparam("at"),
        )
        .limit(1)
    ),
    ["incident", "channel", "notice", "at"],
)
_channels_of = Prepared(
    lambda pg: sa.select(_d.id, _d.channel).where(among(_d.id, "ids", postgresql=pg)), ["ids"]
)
_pages_of = Prepared(
    lambda pg: (
        sa.select(_d.id, _d.incident_id, _d.target, _d.episode, _d.attempts, _d.sent_at)
        .add_columns(_d.told_over, _d.bundled_in)
        .where(
            among(_d.incident_id, "ids", postgresql=pg),
            _d.channel == sa.bindparam("channel"),
            sa.or_(_IS_PAGE, _d.notice == sa.literal_column(f"'{Notice.MISSED.value}'")),
        )
        .order_by(_d.id)
    ),
    ["ids", "channel"],
)
_missed = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.id == sa.bindparam("row"), _PENDING)
        .values(
            {
                "notice": Notice.MISSED.value,
                "class": DeliveryClass.LOG.value,
                "priority": DeliveryClass.LOG.priority(Severity.CRITICAL),
                "reason": sa.bindparam("why"),
            }
        )
    ),
    ["why", "row"],
)
_hurry = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(
            _PENDING,
            _d.channel == sa.bindparam("name"),
            _d.attempts > sa.literal_column("0"),
            _d.not_before > sa.bindparam("now"),
        )
        .values(not_before=sa.bindparam("now"))
    ),
    ["name", "now"],
)
_ride = Prepared(
    lambda pg: (
        sa.update(schema.deliveries)
        .where(among(_d.id, "ids", postgresql=pg), _PENDING)
        .values(bundled_in=sa.bindparam("carrier"))
    ),
    ["carrier", "ids"],
)
_passengers = Prepared(
    lambda pg: (
        sa.select(_d.id, _d.bundled_in, _d.incident_id)
        .where(among(_d.bundled_in, "carriers", postgresql=pg), _PENDING)
        .order_by(_d.bundled_in, _d.priority, _d.id)
    ),
    ["carriers"],
)
_riders = Prepared(
    lambda pg: sa.select(schema.deliveries).where(among(_d.bundled_in, "carriers", postgresql=pg), _PENDING),
    ["carriers"],
)
_arrived = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.bundled_in == sa.bindparam("carrier"), _PENDING)
        .values(
            state=DeliveryState.SENT.value,
            attempts=_d.attempts + 1,
            last_verdict=sa.bindparam("verdict"),
            sent_at=sa.bindparam("at"),
            reason=sa.bindparam("why"),
        )
    ),
    ["verdict", "at", "why", "carrier"],
)
_set_down = Prepared(
    lambda _: (
        sa.update(schema.deliveries)
        .where(_d.bundled_in == sa.bindparam("carrier"), _PENDING)
        .values(bundled_in=None)
    ),
    ["carrier"],
)


def any_unanswered(tx: Tx, before: datetime, broken: Sequence[str]) -> bool:
    """True if `unanswered` would find something."""
    return _any_unanswered.first(tx, micros(before), values_of(tx, broken)) is not None


def unanswered(tx: Tx, before: datetime, broken: Sequence[str], limit: int) -> list[Delivery]:
    """Pages of which nobody else was told, that wait since `before` or for one of the channels `broken`. Locked."""
    rows = _unanswered.all(tx, micros(before), values_of(tx, broken), limit)
    return [decode(row) for row in rows]


def oldest_waiting(tx: Tx) -> dict[str, datetime]:
    """Channel -> since when its oldest pending page waits. Walks through pending pages alone."""
    return {row.channel: instant(row.at) for row in _oldest.all(tx)}


def mark_fell_back(tx: Tx, ids: Sequence[int], now: datetime) -> None:
    """Remember that somebody else was told, or that nobody is left."""
    if ids:
        _fell_back.run(tx, micros(now), values_of(tx, ids))


def first_of(tx: Tx, page: Delivery) -> Delivery:
    """The page that `page` stands in for, or itself."""
    return page if page.fallback_of is None else by_id(tx, page.fallback_of) or page


def told_with(tx: Tx, first: Delivery) -> set[str]:
    """The channels that were told what `first`, no fall-back itself, tells."""
    values = (first.incident_id, first.id, first.id, first.notice.value, micros(first.created_at))
    return {row.channel for row in _told_of.all(tx, *values)}


def others_told(tx: Tx, page: Delivery) -> bool:
    """True if somebody was told in the place of `page` already, for another target of the same channel."""
    values = (page.incident_id, page.channel, page.notice.value, micros(page.created_at))
    return _sibling_stands_for.first(tx, *values) is not None


def channels_of(tx: Tx, ids: Sequence[int]) -> dict[int, str]:
    """Row -> its channel."""
    return {row.id: row.channel for row in _channels_of.all(tx, values_of(tx, ids))} if ids else {}


def pages_of(tx: Tx, channel: str, incident_ids: Sequence[int]) -> list[Page]:
    """Every page about these incidents to `channel`, oldest first; also those that became notices."""
    return [
        Page(
            row.id,
            row.incident_id,
            row.target,
            row.episode,
            row.attempts,
            row.sent_at is not None,
            bool(row.told_over),
            row.bundled_in is not None,
        )
        for row in (_pages_of.all(tx, values_of(tx, incident_ids), channel) if incident_ids else ())
    ]


def make_missed(tx: Tx, rows: Sequence[tuple[int, str]]) -> None:
    """Turn pages that come too late, given with the reason, into notices that wake nobody."""
    _missed.many(tx, [(reason, row_id) for row_id, reason in rows])


def hurry(tx: Tx, channel: str, now: datetime) -> None:
    """Let what failed before leave at once: the destination works again."""
    _hurry.run(tx, channel, micros(now))


def ride(tx: Tx, carrier: int, passengers: Sequence[int]) -> None:
    """Tell of `passengers` in the message of `carrier`, in this attempt and every further one."""
    _ride.run(tx, carrier, values_of(tx, passengers))


def passengers_of(tx: Tx, carriers: Sequence[int]) -> dict[int, list[int]]:
    """Carrier -> the incidents that its message tells of beside its own, most urgent first."""
    found: dict[int, list[int]] = {}
    for row in _passengers.all(tx, values_of(tx, carriers)) if carriers else ():
        found.setdefault(row.bundled_in, []).append(row.incident_id)
    return found


def riders_of(tx: Tx, carriers: Sequence[int]) -> list[Delivery]:
    """What rides in the messages of `carriers`."""
    return [decode(row) for row in _riders.all(tx, values_of(tx, carriers))] if carriers else []


def arrived(tx: Tx, carriers: Sequence[tuple[int, str, datetime]]) -> None:
    """The messages of `carriers`, given with verdict and instant, were accepted: with them what rode in them."""
    rows = [(verdict, micros(at), f"told in delivery {row_id}", row_id) for row_id, verdict, at in carriers]
    _arrived.many(tx, rows)


def set_down(tx: Tx, carriers: Sequence[int]) -> None:
    """These will not arrive: what rode in them goes on its own."""
    _set_down.many(tx, [(row_id,) for row_id in carriers])
