"""What the daemon made up for itself and must keep: its instance id, generated webhook secrets."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.engine import Tx

_s = schema.settings.c


def get_or_create(tx: Tx, name: str, make: Callable[[], str]) -> str:
    """The stored value, or a new one made now. Replicas that race retry and see the winner's."""
    found = get(tx, name)
    if found is not None:
        return found
    value = make()
    tx.conn.execute(sa.insert(schema.settings).values(name=name, value=value))
    return value


def advance(tx: Tx, name: str, known: str | None, value: str) -> bool:
    """Replace `known`, the value as it was read, by `value`; False if somebody else was first."""
    if known is None:
        tx.conn.execute(sa.insert(schema.settings).values(name=name, value=value))
        return True
    changed = sa.update(schema.settings).where(_s.name == name, _s.value == known).values(value=value)
    return tx.conn.execute(changed).rowcount == 1


def put(tx: Tx, name: str, value: str) -> None:
    """Store `value`, whatever was there before."""
    if tx.conn.execute(sa.update(schema.settings).where(_s.name == name).values(value=value)).rowcount == 0:
        tx.conn.execute(sa.insert(schema.settings).values(name=name, value=value))


def get(tx: Tx, name: str) -> str | None:
    """The stored value, or None."""
    return tx.conn.execute(sa.select(_s.value).where(_s.name == name)).scalar_one_or_none()
