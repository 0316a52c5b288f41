"""What was last proven: a vendor accepted a page over a channel or for a person, a person acknowledged something."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from incidentd.store import schema
from incidentd.store.codec import instant_or_none, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared

_p, _i = schema.proofs.c, schema.incidents.c


class Kind(enum.StrEnum):
    """What was proven to work."""

    CHANNEL = "channel"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Proof:
    """When something was last proven to work."""

    kind: Kind
    name: str
    delivered_at: datetime | None
    """A vendor accepted a page over it, or for that person."""
    incident_id: int | None
    """What that page was about."""
    drill: bool | None
    acknowledged_at: datetime | None
    """The person acknowledged something."""


def _upsert(pg: bool, *names: str, **derived: sa.ColumnElement[object]) -> sa.ClauseElement:  # noqa: FBT001 - of Prepared
    make = postgresql.insert if pg else sqlite.insert
    values = {name: sa.bindparam(name, type_=_p[name].type) for name in ("kind", "name", *names)}
    statement = make(schema.proofs).values({**values, **derived})
    changed = {name: statement.excluded[name] for name in (*names, *derived)}
    # Of two replicas the later word stays, whichever is written last.
    newer = sa.or_(_p[names[0]].is_(None), _p[names[0]] < statement.excluded[names[0]])
    return statement.on_conflict_do_update(index_elements=["kind", "name"], set_=changed, where=newer)


_delivered = Prepared(
    lambda pg: _upsert(
        pg,
        "delivered_at",
        "incident_id",
        drill=sa.select(_i.drill.is_not(None))
        .where(_i.id == sa.bindparam("incident_id", type_=_p.incident_id.type))
        .scalar_subquery(),
    ),
    ["kind", "name", "delivered_at", "incident_id"],
)
_acknowledged = Prepared(lambda pg: _upsert(pg, "acknowledged_at"), ["kind", "name", "acknowledged_at"])


def delivered(tx: Tx, pages: Iterable[tuple[str, str | None, int]], at: datetime) -> None:
    """Vendors accepted these pages, as (channel, person or None, incident)."""
    found: dict[tuple[str, str], int] = {}
    for channel, person, incident_id in pages:
        found[Kind.CHANNEL.value, channel] = incident_id
        if person is not None:
            found[Kind.PERSON.value, person] = incident_id
    # In a fixed order: replicas that prove the same must not wait for each other in a circle.
    for (kind, name), incident_id in sorted(found.items()):
        _delivered.run(tx, kind, name, micros(at), incident_id)


def acknowledged(tx: Tx, people: Iterable[str], at: datetime) -> None:
    """These people acknowledged something."""
    for name in sorted(set(people)):
        _acknowledged.run(tx, Kind.PERSON.value, name, micros(at))


def all_of(tx: Tx) -> dict[tuple[Kind, str], Proof]:
    """Every proof there is, also of what is not configured any more."""
    found = tx.conn.execute(sa.select(schema.proofs))
    proofs = [
        Proof(
            Kind(row.kind),
            row.name,
            instant_or_none(row.delivered_at),
            row.incident_id,
            None if row.drill is None else bool(row.drill),
            instant_or_none(row.acknowledged_at),
        )
        for row in found
    ]
    return {(proof.kind, proof.name): proof for proof in proofs}
