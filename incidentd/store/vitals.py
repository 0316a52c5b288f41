"""How the database itself is doing: what it is, how big, how full."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from incidentd.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Vitals:
    """The database in figures; None where its kind has no such thing."""

    version: str
    size: int
    """Bytes."""
    log: int | None = None
    """Bytes of SQLite's write-ahead log, which is folded into the file now and then."""
    free: int | None = None
    """Bytes inside SQLite's file that hold nothing."""
    connections: int | None = None
    """To PostgreSQL's whole server, of everybody."""
    connection_limit: int | None = None
    """How many of them it lets ordinary users have."""
    standby: bool = False
    """PostgreSQL is a copy that takes no writes."""


def vitals(tx: Tx, path: Path | None) -> Vitals:
    """Ask it. `path`: the SQLite file."""
    return _postgresql(tx) if path is None else _sqlite(tx, path)


def _sqlite(tx: Tx, path: Path) -> Vitals:
    pages, page_size, free = (
        int(tx.conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "page_size", "freelist_count")
    )
    log = path.with_name(f"{path.name}-wal")
    return Vitals(
        f"SQLite {sqlite3.sqlite_version}",
        pages * page_size,
        log=log.stat().st_size if log.exists() else 0,
        free=free * page_size,
    )


def _postgresql(tx: Tx) -> Vitals:
    row = tx.conn.exec_driver_sql(
        "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
        " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " AS room, pg_is_in_recovery() AS standby"
    ).one()
    return Vitals(
        f"PostgreSQL {str(row.version).split()[0]}",
        int(row.size),
        connections=int(row.connections),
        connection_limit=int(row.room),
        standby=bool(row.standby),
    )
