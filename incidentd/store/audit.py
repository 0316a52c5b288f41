"""The audit log's chain: appended to at the end of the transaction it tells of, never changed.

On PostgreSQL the head's row is locked by whoever appends until they commit, so that replicas take turns. It is the last
lock a transaction takes, whatever it does and however often it notes something: nobody waits for another lock with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from incidentd.audit.chain import GENESIS, Event, Opening, Sealed, seal
from incidentd.clock import random_bytes
from incidentd.store import schema_audit as schema
from incidentd.store.codec import instant, micros
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, insert, update_by_id

_e, _p = schema.audit_events.c, schema.audit_private.c
ACTOR: Final = "actor"
"""`field` of the references to people; the others are named as in the entry."""


def _head_statement(postgresql: bool) -> sa.ClauseElement:  # noqa: FBT001 - as `Prepared` calls it
    h = schema.audit_head.c
    found = sa.select(h.seq, h.hash).where(h.id == 1)
    return found.with_for_update() if postgresql else found


_lock_head = Prepared(_head_statement, [])
_move_head = update_by_id(schema.audit_head, ["seq", "hash"])
_insert = insert(schema.audit_events)
_insert_private = insert(schema.audit_private)
_known = Prepared(
    lambda _: (
        sa.select(_p.ref)
        .where(_p.field == sa.literal_column("'actor'"), _p.value == sa.bindparam("value"))
        .limit(1)
    ),
    ["value"],
)


def lock_head(tx: Tx) -> Head:
    """The chain's end; nobody else appends until this transaction ends."""
    found = _lock_head.tuples(tx)
    if not found:
        # The migration has made the row. If somebody took it away: of two replicas one makes it, the other waits.
        first = {"id": 1, "seq": 0, "hash": GENESIS}
        tx.conn.execute(_new(tx)(schema.audit_head).values(first).on_conflict_do_nothing())
        found = _lock_head.tuples(tx)
    return Head(int(found[0][0]), str(found[0][1]))


def _new(tx: Tx) -> Any:
    return postgresql.insert if tx.postgresql else sqlite.insert


def record(tx: Tx, *events: Event) -> None:
    """Note what this transaction does; it stands in the chain if, and only if, the transaction is committed."""
    for ending in tx.endings:
        if isinstance(ending, _Append):
            ending.events += events
            return
    tx.endings.append(_Append(list(events)))


@dataclass(slots=True)
class _Append:
    """Appends what was noted, when everything else is written."""

    events: list[Event]
    people: dict[str, str] = field(default_factory=dict)
    openings: list[tuple[object, ...]] = field(default_factory=list)

    def __call__(self, tx: Tx) -> None:
        found = lock_head(tx)
        seq, prev = found.seq, found.hash
        rows = []
        for event in self.events:
            seq += 1
            who = self._person(tx, event, seq) if event.actor.kind == "person" else ""
            private = {name: self._open(name, text, seq) for name, text in event.private.items() if text}
            sealed = seal(event, seq, prev, who, private)
            prev = sealed.hash
            rows.append((seq, micros(event.at), sealed.entry.decode(), prev))
        _insert.many(tx, rows)
        _insert_private.many(tx, self.openings)
        _move_head.run(tx, seq, prev, 1)

    def _person(self, tx: Tx, event: Event, seq: int) -> str:
        """The reference to a person: one for all they do, until it is erased."""
        name = event.actor.name
        if name not in self.people:
            # Under the head's lock: two replicas do not make two references for one person.
            known = _known.tuples(tx, name)
            self.people[name] = str(known[0][0]) if known else self._open(ACTOR, name, seq)
        return self.people[name]

    def _open(self, name: str, text: str, seq: int) -> str:
        opening = Opening(random_bytes(16).hex(), text)
        reference = opening.reference
        self.openings.append((reference, name, opening.salt, text, seq))
        return reference


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends."""

    seq: int
    """0: nothing stands in it."""
    hash: str


def head(tx: Tx) -> Head:
    """The chain's end, without a lock."""
    h = schema.audit_head.c
    row = tx.conn.execute(sa.select(h.seq, h.hash).where(h.id == 1)).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def after(tx: Tx, seq: int, limit: int, last: int | None = None) -> list[Sealed]:
    """Entries behind `seq`, in order, up to and with `last`."""
    query = sa.select(schema.audit_events).where(_e.seq > seq)
    if last is not None:
        query = query.where(_e.seq <= last)
    rows = tx.conn.execute(query.order_by(_e.seq).limit(limit))
    return [Sealed(row.seq, instant(row.at), row.entry.encode(), row.hash) for row in rows]


def hash_of(tx: Tx, seq: int) -> str:
    """The hash of an entry; that before the first one is known too."""
    found = tx.conn.execute(sa.select(_e.hash).where(_e.seq == seq)).scalar()
    return GENESIS if found is None else str(found)


def span(tx: Tx, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """The first and last entry of the shortest piece of the chain with all from `since` until just before `until`.

    The last is lower than the first if there is none. Clocks of replicas differ, so a few others may be among them.
    """
    inside: sa.ColumnElement[bool] = sa.true()
    if since is not None:
        inside = sa.and_(inside, _e.at >= micros(since))
    if until is not None:
        inside = sa.and_(inside, _e.at < micros(until))
    row = tx.conn.execute(sa.select(sa.func.min(_e.seq), sa.func.max(_e.seq)).where(inside)).one()
    return (1, 0) if row[0] is None else (int(row[0]), int(row[1]))


def openings(tx: Tx, references: Sequence[str]) -> Mapping[str, Opening]:
    """What is known of references; those that were erased are missing."""
    found: dict[str, Opening] = {}
    for start in range(0, len(references), 500):
        part = references[start : start + 500]
        for row in tx.conn.execute(sa.select(_p.ref, _p.salt, _p.value).where(_p.ref.in_(part))):
            found[row.ref] = Opening(row.salt, row.value)
    return found


def erase(tx: Tx, name: str) -> tuple[list[str], int]:
    """Erase what says that references mean the person `name`, the texts of what they did, and texts that name them.

    The references of the person, none if they never acted, and how many texts of others named them.

    The chain keeps its hashes and stays whole; nobody can find out from it who that was.
    """
    people = [r.ref for r in tx.conn.execute(sa.select(_p.ref).where(_p.field == ACTOR, _p.value == name))]
    own = {ref for person in people for ref in _texts_of(tx, person)}
    others = set(_naming(tx, name)) - own
    texts = [*own, *others]
    for start in range(0, len(texts), 500):
        tx.conn.execute(sa.delete(schema.audit_private).where(_p.ref.in_(texts[start : start + 500])))
    tx.conn.execute(sa.delete(schema.audit_private).where(_p.ref.in_(people)))
    return people, len(others)


def _naming(tx: Tx, name: str) -> list[str]:
    """Texts of others in which the name is a word."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    query = sa.select(_p.ref, _p.value).where(_p.field != ACTOR, _p.value.contains(name, autoescape=True))
    return [row.ref for row in tx.conn.execute(query) if word.search(row.value)]


def forget_texts(tx: Tx, before: datetime, batch: int) -> int:
    """Erase up to `batch` texts of entries that are older; how many. The names of who acted stay."""
    last = tx.conn.execute(sa.select(sa.func.max(_e.seq)).where(_e.at < micros(before))).scalar()
    if last is None:
        return 0
    old = sa.select(_p.ref).where(_p.seq <= last, _p.field != ACTOR).order_by(_p.seq).limit(batch)
    gone = sa.delete(schema.audit_private).where(_p.ref.in_(old.scalar_subquery()))
    return tx.conn.execute(gone).rowcount


def _texts_of(tx: Tx, person: str) -> list[str]:
    query = (
        sa.select(_p.ref)
        .join(schema.audit_events, _e.seq == _p.seq)
        .where(_p.field != ACTOR, _e.entry.contains(f'"ref":"{person}"', autoescape=True))
    )
    return [row.ref for row in tx.conn.execute(query)]
