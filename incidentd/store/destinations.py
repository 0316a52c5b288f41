"""How each channel is doing: one row a channel, so that every replica pauses for what one of them was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.destination import Destination, DestinationState
from incidentd.domain.incident import SOURCE
from incidentd.store import schema
from incidentd.store.codec import instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, values_of

_t, _i = schema.destinations.c, schema.incidents.c


def _locked(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = sa.select(schema.destinations).where(_t.channel == sa.bindparam("channel"))
    return statement.with_for_update() if postgresql else statement


_of = Prepared(
    lambda _: sa.select(schema.destinations).where(_t.channel == sa.bindparam("channel")), ["channel"]
)
_for_update = Prepared(_locked, ["channel"])
_delete = Prepared(
    lambda _: sa.delete(schema.destinations).where(_t.channel == sa.bindparam("name")), ["name"]
)
_insert = insert(schema.destinations)
_update = Prepared(
    lambda _: (
        sa.update(schema.destinations)
        .where(_t.channel == sa.bindparam("name"))
        .values(
            state=sa.bindparam("to"),
            since=sa.bindparam("at"),
            paused_until=sa.bindparam("until"),
            failures=sa.bindparam("count"),
            last_error=sa.bindparam("error"),
        )
    ),
    ["to", "at", "until", "count", "error", "name"],
)
_retry_now = Prepared(
    lambda _: (
        sa.update(schema.destinations)
        .where(_t.channel == sa.bindparam("name"), _t.paused_until > sa.bindparam("now"))
        .values(paused_until=sa.bindparam("now"))
    ),
    ["name", "now"],
)

_closed_by_people = Prepared(
    lambda pg: (
        sa.select(_i.group_key, sa.func.max(_i.resolved_at).label("at"))
        .where(
            sa.text("incidents.state = 'resolved'"),
            among(_i.group_key, "groups", postgresql=pg),
            _i.resolved_by != sa.literal_column(f"'{SOURCE}'"),
        )
        .group_by(_i.group_key)
    ),
    ["groups"],
)


def of(tx: Tx, channel: str, now: datetime, *, locked: bool = False) -> Destination:
    """How `channel` is doing; one that nothing is known of is well, as of `now`."""
    row = (_for_update if locked else _of).first(tx, channel)
    return Destination(channel, DestinationState.OK, now) if row is None else _decode(row)


def all_of(tx: Tx) -> list[Destination]:
    """Every destination that anything is known of."""
    return [_decode(row) for row in tx.conn.execute(sa.select(schema.destinations).order_by(_t.channel))]


def save(tx: Tx, destination: Destination) -> None:
    """Write how it is doing."""
    d = destination
    values = (d.state.value, micros(d.since), micros_or_none(d.paused_until), d.failures, d.last_error)
    if not _update.run(tx, *values, d.channel):
        _insert.many(tx, [(d.channel, *values)])


def retry_now(tx: Tx, channels: Sequence[str], now: datetime) -> None:
    """End the pauses of `channels`: something about them was changed."""
    _retry_now.many(tx, [(channel, micros(now)) for channel in channels])


def forget(tx: Tx, channels: Sequence[str]) -> None:
    """Delete what is known of channels that are not configured any more."""
    _delete.many(tx, [(channel,) for channel in channels])


def closed_by_people(tx: Tx, groups: Sequence[str]) -> dict[str, datetime]:
    """When a person last closed an incident of each of these groups."""
    found = _closed_by_people.all(tx, values_of(tx, groups)) if groups else ()
    return {row.group_key: instant(row.at) for row in found}


def _decode(row: Any) -> Destination:
    return Destination(
        channel=row.channel,
        state=DestinationState(row.state),
        since=instant(row.since),
        paused_until=instant_or_none(row.paused_until),
        failures=row.failures,
        last_error=row.last_error,
    )
