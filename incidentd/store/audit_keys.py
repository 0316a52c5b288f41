"""What signs the audit log: the checkpoints that were made, and the keys that made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.keys import PublicKey
from incidentd.store import schema_audit as schema
from incidentd.store.codec import instant, instant_or_none, micros, micros_or_none
from incidentd.store.engine import Tx

_c, _k, _x = schema.audit_checkpoints.c, schema.audit_keys.c, schema.audit_exports.c


def latest(tx: Tx) -> Checkpoint | None:
    """The newest checkpoint."""
    row = tx.conn.execute(sa.select(schema.audit_checkpoints).order_by(_c.seq.desc()).limit(1)).first()
    return _checkpoint(row) if row else None


def between(tx: Tx, first: int, last: int) -> list[Checkpoint]:
    """The checkpoints of the entries from `first` to `last`, in order."""
    query = sa.select(schema.audit_checkpoints).where(_c.seq >= first, _c.seq <= last)
    return [_checkpoint(row) for row in tx.conn.execute(query.order_by(_c.seq, _c.key))]


def add(tx: Tx, checkpoint: Checkpoint) -> bool:
    """Keep a checkpoint; False if another replica with the same key has signed that head."""
    c = checkpoint
    values = {"seq": c.seq, "key": c.key, "hash": c.hash, "ts": c.ts, "signature": c.signature}
    known = sa.select(_c.seq).where(_c.seq == c.seq, _c.key == c.key)
    return _added(tx, schema.audit_checkpoints, values, known)


def drop_beyond(tx: Tx, seq: int) -> int:
    """Drop checkpoints of entries behind `seq`, the chain's end, where the database allows it; how many."""
    return tx.conn.execute(sa.delete(schema.audit_checkpoints).where(_c.seq > seq)).rowcount


def keys(tx: Tx) -> list[tuple[int, PublicKey]]:
    """Every key that signs or has signed, the newest last, with the entry before which it was introduced."""
    rows = tx.conn.execute(sa.select(schema.audit_keys).order_by(_k.seq, _k.key))
    return [(row.seq, PublicKey.of_der(bytes.fromhex(row.public))) for row in rows]


def add_key(tx: Tx, key: PublicKey, seq: int) -> bool:
    """Keep a key; False if it is known, such as from another replica that starts at the same time."""
    values = {"key": key.id, "public": key.der.hex(), "seq": seq}
    return _added(tx, schema.audit_keys, values, sa.select(_k.key).where(_k.key == key.id))


def _added(tx: Tx, table: sa.Table, values: dict[str, Any], known: sa.Select[Any]) -> bool:
    # On SQLite nobody comes in between, and its guard against REPLACE refuses what ON CONFLICT would let pass.
    if tx.conn.execute(known).first() is not None:
        return False
    if not tx.postgresql:
        tx.conn.execute(sa.insert(table).values(values))
        return True
    return tx.conn.execute(postgresql.insert(table).values(values).on_conflict_do_nothing()).rowcount == 1


@dataclass(frozen=True, slots=True)
class Export:
    """A piece of the chain that somebody asked for. It never changes, so its file is made whenever it is fetched."""

    id: int
    form: str
    first: int
    last: int
    since: datetime | None
    until: datetime | None
    created_at: datetime


def add_export(tx: Tx, wanted: Export) -> Export:
    """Keep what was asked for, under a number of its own."""
    values = {
        "format": wanted.form,
        "first_seq": wanted.first,
        "last_seq": wanted.last,
        "since": micros_or_none(wanted.since),
        "until": micros_or_none(wanted.until),
        "created_at": micros(wanted.created_at),
    }
    made = tx.conn.execute(sa.insert(schema.audit_exports).values(values).returning(_x.id)).scalar_one()
    return replace(wanted, id=int(made))


def export_by_id(tx: Tx, number: int) -> Export | None:
    """What was asked for under this number."""
    row = tx.conn.execute(sa.select(schema.audit_exports).where(_x.id == number)).first()
    if row is None:
        return None
    since, until = instant_or_none(row.since), instant_or_none(row.until)
    return Export(row.id, row.format, row.first_seq, row.last_seq, since, until, instant(row.created_at))


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(row.seq, row.hash, row.ts, row.key, row.signature)
