"""What somebody can do to the audit log who owns the database, and only that."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from incidentd.store.engine import Tx

TABLES = ("audit_events", "audit_head", "audit_checkpoints", "audit_keys", "audit_private")
_GUARDS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'"


def unlock(tx: Tx) -> None:
    """Take every guard away."""
    if tx.postgresql:
        for table in TABLES:
            tx.conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        return
    for (name,) in tx.conn.exec_driver_sql(_GUARDS).all():
        tx.conn.exec_driver_sql(f"DROP TRIGGER {name}")


def cut(database: Path, last: int) -> None:
    """Everything behind the entry `last` goes, signed heads too, from a SQLite file that a daemon may have open."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for (name,) in connection.execute(_GUARDS).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM audit_events WHERE seq > ?", (last,))
        connection.execute("DELETE FROM audit_checkpoints WHERE seq > ?", (last,))
        connection.execute(
            "UPDATE audit_head SET seq = ?, hash = (SELECT hash FROM audit_events WHERE seq = ?)",
            (last, last),
        )
