"""Whether the database takes a write now: a row that is really changed and committed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.store.engine import Tx

_NAME = "last_write_probe"
_s = schema.settings.c


def write_probe(tx: Tx, now: datetime) -> None:
    """Change one row. An empty transaction would succeed even on a full or read-only disk."""
    value = str(micros(now))
    changed = tx.conn.execute(sa.update(schema.settings).where(_s.name == _NAME).values(value=value)).rowcount
    if not changed:
        tx.conn.execute(sa.insert(schema.settings).values(name=_NAME, value=value))
