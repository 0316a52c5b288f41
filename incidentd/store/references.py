"""What a vendor returned for an incident's message and later messages need: Slack's channel and ts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import dumps, loads
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, insert, values_of

_r = schema.references.c


@dataclass(frozen=True, slots=True)
class Reference:
    """The newest reference of one incident on one channel."""

    incident_id: int
    channel: str
    episode: int
    value: Mapping[str, str]


_of_incidents = Prepared(
    lambda pg: sa.select(_r.incident_id, _r.reference).where(
        _r.channel == sa.bindparam("channel"), among(_r.incident_id, "ids", postgresql=pg)
    ),
    ["channel", "ids"],
)
_delete = Prepared(
    lambda _: sa.delete(schema.references).where(
        _r.incident_id == sa.bindparam("incident"), _r.channel == sa.bindparam("name")
    ),
    ["incident", "name"],
)
_insert = insert(schema.references)


def of_incidents(tx: Tx, channel: str, incident_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Incident id -> what the vendor behind `channel` returned for it; incidents without one are left out."""
    rows = _of_incidents.all(tx, channel, values_of(tx, incident_ids))
    return {row.incident_id: loads(row.reference) for row in rows}


def save(tx: Tx, references: Sequence[Reference]) -> None:
    """Keep these in place of older ones. Of several for one incident and channel the last counts."""
    last = {(r.incident_id, r.channel): r for r in references}
    _delete.many(tx, list(last))
    _insert.many(tx, [(r.incident_id, r.channel, r.episode, dumps(r.value)) for r in last.values()])
