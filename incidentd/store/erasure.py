"""Erasing a person from what is kept beside the audit log: the rows stay, who it was does not.

What a row is about (an incident, a shift, a silence) is history; only the name is taken out of it, also where texts say
it as a word. Not touched: public texts, whose hashes are over their author, who is never public.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from incidentd.clock import random_bytes
from incidentd.store import schema
from incidentd.store.engine import Tx

ERASED: Final = "erased"
"""Stands in the place of the name."""
_NAMES: Final = {
    "incidents": ("acknowledged_by", "resolved_by", "declared_by", "assigned_to"),
    "timeline": ("actor",),
    "deliveries": ("actor", "person"),
    "overrides": ("user", "created_by", "cancelled_by"),
    "maintenance": ("created_by", "cancelled_by"),
    "silences": ("created_by", "ended_by"),
    "drills": ("requested_by",),
    "runbook_steps": ("actor",),
    "step_runs": ("asked_by", "approved_by"),
    "action_items": ("owner", "created_by", "closed_by"),
    "public_maintenances": ("created_by",),
    "component_overrides": ("author", "cleared_by"),
}
"""Table -> columns that hold who it was, and nothing else."""
_TEXTS: Final = {
    "timeline": ("text", "data"),
    "deliveries": ("comment", "reason"),
    "overrides": ("note",),
    "maintenance": ("comment",),
    "silences": ("comment",),
    "runbook_steps": ("comment",),
    "step_runs": ("comment", "summary", "output", "data"),
    "action_items": ("title", "comment"),
    "drills": ("targets", "reasons"),
    "component_overrides": ("reason",),
}
"""Table -> columns in whose texts the name may be a word."""


def erase(tx: Tx, name: str) -> int:
    """Take the name out; in how many places it was."""
    tables = schema.metadata.tables
    done = 0
    for table, columns in _NAMES.items():
        for column in columns:
            done += _renamed(tx, tables[table], column, name)
    for table, columns in _TEXTS.items():
        for column in columns:
            done += _reworded(tx, tables[table], column, name)
    return done + _left(tx, tables, name)


def _left(tx: Tx, tables: Mapping[str, sa.Table], name: str) -> int:
    """Delete what is nothing without the name: proofs of reaching them and their sessions. Close their account.

    The account's row stays, under a name that means nobody: without any, the daemon would ask nobody who they are.
    """
    person, sessions, accounts = tables["proofs"], tables["sessions"], tables["accounts"]
    whole = [
        sa.delete(person).where(person.c.kind == "person", person.c.name == name),
        sa.delete(sessions).where(sessions.c.actor == name),
        sa.update(accounts)
        .where(accounts.c.name == name)
        .values(
            name=f"{ERASED}-{random_bytes(8).hex()}",
            disabled_at=sa.func.coalesce(accounts.c.disabled_at, accounts.c.password_at),
        ),
    ]
    return sum(tx.conn.execute(each).rowcount for each in whole)


def _renamed(tx: Tx, table: sa.Table, column: str, name: str) -> int:
    found = sa.update(table).where(table.c[column] == name).values({column: ERASED})
    return tx.conn.execute(found).rowcount


def _reworded(tx: Tx, table: sa.Table, column: str, name: str) -> int:
    keys = list(table.primary_key.columns)
    query = sa.select(*keys, table.c[column]).where(table.c[column].contains(name, autoescape=True))
    word, done = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)"), 0
    for row in tx.conn.execute(query).all():
        text = word.sub(ERASED, row[-1])
        if text != row[-1]:
            done += 1
            tx.conn.execute(_of(table, keys, row).values({column: text}))
    return done


def _of(table: sa.Table, keys: Sequence[sa.ColumnElement[object]], row: Sequence[object]) -> sa.Update:
    return sa.update(table).where(*[key == value for key, value in zip(keys, row, strict=False)])
