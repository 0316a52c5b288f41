"""SQLite's side: how its connections are made, and whether its file can be used at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from incidentd.store.errors import StoreUnavailableError

READERS = 5
"""Connections that only read."""
COMMON_READERS = 3
"""How many of them slow questions may hold; the rest is for what must not wait."""
_HEADER = b"SQLite format 3\x00"


def writer(url: sa.URL, busy_timeout: float) -> sa.Engine:
    """The engine of the one connection that writes; `busy_timeout` in seconds."""
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=sa.pool.NullPool,
        connect_args={"check_same_thread": False, "timeout": busy_timeout},
    )
    pragmas = ("journal_mode=WAL", "wal_autocheckpoint=8000", "cache_size=-64000")
    _events(engine, "BEGIN IMMEDIATE", pragmas, busy_timeout)
    return engine


def reader(url: sa.URL, busy_timeout: float) -> AsyncEngine:
    """The pool of connections that only read."""
    # More bring nothing: the interpreter is the limit, not SQLite.
    engine = create_async_engine(
        url, pool_size=READERS, max_overflow=0, pool_timeout=5, connect_args={"timeout": busy_timeout}
    )
    _events(engine.sync_engine, "BEGIN", ("query_only=1", "cache_size=-4000"), busy_timeout)
    return engine


def migrator(url: sa.URL) -> sa.Engine:
    """The engine that changes the schema: foreign keys off, for a rebuilt table would take its children
    along.
    """
    engine = sa.create_engine(
        url.set(drivername="sqlite+pysqlite"), poolclass=sa.pool.NullPool, connect_args={"timeout": 5}
    )
    _events(engine, "BEGIN IMMEDIATE", ("journal_mode=WAL", "foreign_keys=OFF"), 5)
    return engine


def _events(engine: sa.Engine, begin: str, pragmas: tuple[str, ...], busy_timeout: float) -> None:
    # FULL: with NORMAL a power cut loses the last commits, that is alerts we answered 200.
    # fullfsync: macOS' fsync does not reach the disk without it.
    common = (
        f"busy_timeout={int(busy_timeout * 1000)}",
        "synchronous=FULL",
        "fullfsync=1",
        "temp_store=MEMORY",
    )

    # The driver's own transaction mode has neither transactional DDL nor snapshot reads: we send BEGIN
    # ourselves.
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*common, *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)


def file_of(url: sa.URL) -> Path:
    """The database file of a SQLite address. Raises `StoreUnavailableError` for one in memory."""
    if not url.database or url.database == ":memory:":
        raise StoreUnavailableError(
            "database.url must name a SQLite file: an in-memory database would lose every alert"
        )
    return Path(url.database)


def prepare(path: Path) -> None:
    """Make the folder and look whether the database can be used.

    Raises `StoreUnavailableError` that says what to do. Takes milliseconds whatever the size of the file: a
    whole check is `check`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"cannot create the folder of the database {path}: {error.strerror}; "
            "create it, or point database.url elsewhere"
        ) from error
    _check_folder(path.parent)
    if path.exists():
        _check_file(path)


def _check_folder(folder: Path) -> None:
    # The log and the shared-memory file are made beside the database, so a writable file alone is not enough.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreUnavailableError(
            f"cannot write into {folder}, the folder of the database: make it writable for the user that runs "
            "incidentd (a read-only mount?), or point database.url elsewhere"
        )


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise StoreUnavailableError(f"{path} is no file: database.url must name one")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreUnavailableError(
            f"cannot read and write the database {path}: give it to the user that runs incidentd (chown, chmod)"
        )
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
        if header and header != _HEADER:
            raise StoreUnavailableError(_damaged(path, "it does not begin like a SQLite file"))
        _read_schema(path)
    except OSError as error:
        raise StoreUnavailableError(f"cannot read the database {path}: {error.strerror}") from error


def _read_schema(path: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise StoreUnavailableError(_damaged(path, str(error))) from error
        raise StoreUnavailableError(f"cannot open the database {path}: {error}") from error


def check(path: Path) -> list[str]:
    """Read the whole database and name every damage; an empty list is a sound one. Slow on big files."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        ) as connection:
            rows = [str(row[0]) for row in connection.execute("PRAGMA quick_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if rows == ["ok"] else rows


def _damaged(path: Path, why: str) -> str:
    return (
        f"the database {path} is damaged or no database ({why}): put a backup in its place, "
        f"try `sqlite3 {path} .recover`, or point database.url elsewhere"
    )
