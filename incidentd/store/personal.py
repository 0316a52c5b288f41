"""Who was told in person, over an address of their own: they hear the end too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from incidentd.domain.notification import DeliveryState
from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, values_of

_d = schema.deliveries.c


class Told(NamedTuple):
    """A place where somebody was, or is about to be, paged in person."""

    channel: str
    target: str
    person: str
    episode: int


_told = Prepared(
    lambda pg: (
        sa.select(_d.incident_id, _d.channel, _d.target, _d.person, _d.episode)
        .where(
            among(_d.incident_id, "ids", postgresql=pg),
            _d["class"] == sa.literal_column("'page'"),
            _d.person.is_not(None),
            _d.state != sa.literal_column("'suppressed'"),
        )
        .distinct()
    ),
    ["ids"],
)
_call_off = Prepared(
    lambda pg: (
        sa.update(schema.deliveries)
        .where(
            among(_d.incident_id, "ids", postgresql=pg),
            sa.text("deliveries.state = 'pending'"),
            _d["class"] == sa.literal_column("'page'"),
            _d.person.is_not(None),
            _d.attempts == sa.literal_column("0"),
            _d.not_before > sa.bindparam("now"),
        )
        .values(state=DeliveryState.SUPPRESSED.value, reason=sa.bindparam("why"))
    ),
    ["why", "ids", "now"],
)


def call_off(tx: Tx, incident_ids: Sequence[int], reason: str, now: datetime) -> None:
    """End the pages to people that were to leave later: they were for the case that nobody acts until then."""
    if incident_ids:
        _call_off.run(tx, reason, values_of(tx, incident_ids), micros(now))


def people_told(tx: Tx, incident_ids: Sequence[int]) -> dict[int, list[Told]]:
    """Incident -> where its people were paged; each place once for each episode."""
    found: dict[int, list[Told]] = {}
    for row in _told.tuples(tx, values_of(tx, incident_ids)) if incident_ids else ():
        places = found.setdefault(row[0], [])
        # Two people may share an address: it is told once.
        if all((row[1], row[2], row[4]) != (p.channel, p.target, p.episode) for p in places):
            places.append(Told(*row[1:]))
    return found
