"""Accounts of people who sign in with a password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import dumps, instant, instant_or_none, loads, micros, micros_or_none
from incidentd.store.engine import Tx

_a = schema.accounts.c


@dataclass(frozen=True, slots=True)
class Account:
    """One person's."""

    name: str
    password_hash: str
    """Argon2id, with its parameters and salt."""
    role: str
    teams: tuple[str, ...] | None
    """The teams it is restricted to; None: it is not."""
    created_at: datetime
    password_at: datetime
    """When the password was set."""
    signed_in_at: datetime | None = None
    disabled_at: datetime | None = None


def add(tx: Tx, account: Account) -> bool:
    """Store a new account; False if the name is taken."""
    if get(tx, account.name) is not None:
        return False
    tx.conn.execute(
        sa.insert(schema.accounts).values(
            name=account.name,
            password_hash=account.password_hash,
            role=account.role,
            teams=None if account.teams is None else dumps(account.teams),
            created_at=micros(account.created_at),
            password_at=micros(account.password_at),
        )
    )
    return True


def get(tx: Tx, name: str) -> Account | None:
    """The account of that name, disabled or not."""
    row = tx.conn.execute(sa.select(schema.accounts).where(_a.name == name)).first()
    return None if row is None else _account(row)


def every(tx: Tx) -> list[Account]:
    """All of them, by name."""
    return [_account(row) for row in tx.conn.execute(sa.select(schema.accounts).order_by(_a.name))]


def any_account(tx: Tx) -> bool:
    """True if there is one, or ever was: disabling the last must not open the door."""
    return tx.conn.execute(sa.select(_a.name).limit(1)).first() is not None


def set_password(tx: Tx, name: str, password_hash: str, now: datetime) -> bool:
    """Replace the password; False if there is no such account."""
    return _update(tx, name, password_hash=password_hash, password_at=micros(now))


def set_hash(tx: Tx, name: str, before: str, password_hash: str) -> None:
    """Replace the hash of a password by one with stronger parameters, unless it was changed meanwhile."""
    changed = sa.update(schema.accounts).where(_a.name == name, _a.password_hash == before)
    tx.conn.execute(changed.values(password_hash=password_hash))


def set_role(tx: Tx, name: str, role: str, teams: tuple[str, ...] | None) -> bool:
    """Make somebody something else; False if there is no such account."""
    return _update(tx, name, role=role, teams=None if teams is None else dumps(teams))


def set_disabled(tx: Tx, name: str, at: datetime | None) -> bool:
    """Let nobody sign in to it from `at` on; None lets them again. False if there is no such account."""
    return _update(tx, name, disabled_at=micros_or_none(at))


def signed_in(tx: Tx, name: str, now: datetime) -> None:
    """Remember when somebody signed in last."""
    _update(tx, name, signed_in_at=micros(now))


def _update(tx: Tx, name: str, **values: Any) -> bool:
    return tx.conn.execute(sa.update(schema.accounts).where(_a.name == name).values(**values)).rowcount == 1


def _account(row: Any) -> Account:
    return Account(
        row.name,
        row.password_hash,
        row.role,
        None if row.teams is None else tuple(loads(row.teams)),
        instant(row.created_at),
        instant(row.password_at),
        instant_or_none(row.signed_in_at),
        instant_or_none(row.disabled_at),
    )
