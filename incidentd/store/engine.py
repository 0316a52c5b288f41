"""Units of work: how a plain function becomes one transaction, on SQLite and on PostgreSQL.

A unit of work is an ordinary function of a `Tx`. It cannot await, so no I/O can slip into a transaction, and
it runs to its end whatever happens to the task that asked for it. It may run more than once (after a
conflict, or when room was made on a full disk), so it must not change anything but the database.

SQLite: writes run in one dedicated thread on one connection with BEGIN IMMEDIATE, one hop per unit of work;
the thread is the queue, so there is nothing to lock and nothing to cancel. Reads go through a small aiosqlite
pool. PostgreSQL: both go through asyncpg. Writes are READ COMMITTED: who changes incidents takes the locks of
their groups (`incidents.lock_groups`) or rows first and reads afterwards, so it sees what the other
committed; what still collides (unique violation, deadlock) is rolled back and run again. Reads are REPEATABLE
READ, that is one snapshot.

On both, reads that may be slow (`read`: reports, searches, dashboards) take turns on a part of the
connections, so that deliveries (`read_now`) always find one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from incidentd.store import sqlite
from incidentd.store.errors import (
    UNIQUE_VIOLATION,
    ConflictError,
    StoreRejectedError,
    StoreUnavailableError,
    is_full,
    translated,
)
from incidentd.tracing import CURRENT

__all__ = ["Store", "StoreRejectedError", "StoreUnavailableError", "Tx", "place_of", "postgresql_engine"]

T = TypeVar("T")

_RETRIES = 5
_CONNECTIONS = 12
"""To PostgreSQL, for everything."""
_COMMON_READERS = 6
"""How many of them slow questions may hold; the rest is for writes, and for what must not wait."""
_PLACE_SECONDS = 5.0
"""How long a read waits for its turn."""


@dataclass(slots=True)
class Tx:
    """One open transaction. Only `store` looks inside."""

    conn: sa.Connection
    postgresql: bool
    driver: sqlite3.Connection | None = None
    """The same transaction without SQLAlchemy around it, for `Prepared`; only of SQLite's writer."""
    endings: list[Callable[[Tx], None]] = field(default_factory=list)
    """What is done last, right before the commit: for what everybody locks. They add no further ones."""
    trace: str | None = None
    """The context of whoever asked for it, which the outbox keeps; None: it is not traced."""

    def run(self, work: Callable[[Tx], T]) -> T:
        """Do `work`, then what it left for the end."""
        result = work(self)
        for ending in self.endings:
            ending(self)
        return result


class Store:
    """Where everything durable lives. `write` returns after the commit, or raises and nothing was written."""

    def __init__(
        self, url: str, *, busy_timeout: float = 5.0, on_full: Callable[[], bool] | None = None
    ) -> None:
        """`busy_timeout`: seconds to wait for another process that holds SQLite's lock.

        `on_full` is called in the writer's thread when the disk is full; True if it made room: the unit of
        work is then tried once more. Raises `StoreUnavailableError` if the SQLite file cannot be used.
        """
        self.url = sa.make_url(url)
        self.refusals = 0
        """How often a write was not taken: what somebody wanted to say then was not heard."""
        self.postgresql = self.url.get_backend_name() == "postgresql"
        self._on_full = on_full
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._writer: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._closed = False
        self._places = asyncio.Semaphore(_COMMON_READERS if self.postgresql else sqlite.COMMON_READERS)
        if self.postgresql:
            self._engine = postgresql_engine(self.url)
            # The same pool; the driver sends both with the BEGIN it sends anyway.
            self._reader = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        else:
            sqlite.prepare(sqlite.file_of(self.url))
            self._writer = sqlite.writer(self.url, busy_timeout)
            self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="store-writer")
            self._engine = self._reader = sqlite.reader(self.url, busy_timeout)

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return None if self.postgresql else Path(self.url.database or "")

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-write transaction and commit it.

        Raises `StoreUnavailableError` when the database cannot take it now, `StoreRejectedError` when it
        refuses the values, and whatever `work` itself raises, after a rollback.
        """
        self._check_open()
        trace = CURRENT.get()
        try:
            if self._thread is not None:
                running = asyncio.get_running_loop().run_in_executor(
                    self._thread, self._write_sqlite, work, trace
                )
                return await asyncio.shield(running)
            return await self._shielded(self._write_postgresql(work, trace))
        except StoreUnavailableError:
            self.refusals += 1
            raise

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Run `query` in a read-only snapshot, after those that were asked before and are slow.

        Raises like `write`; `StoreUnavailableError` also when its turn does not come in time.
        """
        self._check_open()
        return await self._shielded(self._read_in_turn(query))

    async def read_now(self, query: Callable[[Tx], T]) -> T:
        """The same over connections that `read` leaves free: for what must not wait behind slow questions.

        That is deliveries, timers and credentials, whose own questions are quick.
        """
        self._check_open()
        return await self._shielded(self._read(query))

    async def ping(self) -> None:
        """Raise `StoreUnavailableError`, naming the database but no password, if it does not answer."""
        try:
            await self.read(lambda tx: tx.conn.exec_driver_sql("SELECT 1").scalar())
        except StoreUnavailableError as error:
            raise StoreUnavailableError(
                f"cannot reach the database, {place_of(self.url)}: {error}"
            ) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the store is closed: incidentd is stopping")

    async def _shielded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        # A task cancelled inside a transaction would leave its locks held until garbage collection.
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def _write_sqlite(self, work: Callable[[Tx], T], trace: str | None) -> T:
        with translated():
            try:
                return self._transaction(work, trace)
            except OperationalError as error:
                if self._on_full is None or not is_full(error) or not self._on_full():
                    raise
                return self._transaction(work, trace)

    def _transaction(self, work: Callable[[Tx], T], trace: str | None) -> T:
        try:
            if self._connection is None:
                assert self._writer is not None  # noqa: S101 - for the type checker: set whenever the thread is
                self._connection = self._writer.connect()
            with self._connection.begin():
                driver: Any = self._connection.connection.driver_connection
                return Tx(self._connection, postgresql=False, driver=driver, trace=trace).run(work)
        except (DBAPIError, PendingRollbackError):
            # After an I/O error the connection's view is worthless: start from a fresh one.
            self._drop_connection()
            raise

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(DBAPIError):
                connection.invalidate()
            connection.close()

    async def _write_postgresql(self, work: Callable[[Tx], T], trace: str | None) -> T:
        for attempt in range(1, _RETRIES + 1):
            try:
                with translated():
                    async with self._engine.begin() as connection:
                        return await connection.run_sync(
                            lambda conn: Tx(conn, postgresql=True, trace=trace).run(work)
                        )
            except ConflictError as conflict:
                if attempt == _RETRIES:
                    # Five times in a row is no race: these values are there already.
                    twice = conflict.state == UNIQUE_VIOLATION
                    raise (StoreRejectedError if twice else StoreUnavailableError)(
                        str(conflict)
                    ) from conflict
        raise AssertionError

    async def _read_in_turn(self, query: Callable[[Tx], T]) -> T:
        try:
            async with asyncio.timeout(_PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise StoreUnavailableError("too many slow questions are being asked") from None
        try:
            return await self._read(query)
        finally:
            self._places.release()

    async def _read(self, query: Callable[[Tx], T]) -> T:
        try:
            with translated():
                async with self._reader.connect() as connection:
                    return await connection.run_sync(lambda conn: query(Tx(conn, self.postgresql)))
        except ConflictError as conflict:
            raise StoreUnavailableError(str(conflict)) from conflict

    async def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the database and shrink it; nothing to do on PostgreSQL."""
        if self._thread is not None and not self._closed:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint)

    def _checkpoint(self) -> None:
        if self._connection is not None:
            with translated():
                # Past SQLAlchemy: it would open a transaction first, and inside one SQLite refuses.
                driver = self._connection.connection.driver_connection
                assert driver is not None  # noqa: S101 - for the type checker: only a closed connection has none
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def close(self) -> None:
        """Wait for what is under way, then let go of every connection. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._drop_connection)
            self._thread.shutdown()
        if self._writer is not None:
            self._writer.dispose()
        await self._engine.dispose()


def postgresql_engine(url: sa.URL) -> AsyncEngine:
    """The pool of connections to PostgreSQL; every wait in it is bounded."""
    return create_async_engine(
        url,
        pool_size=8,
        max_overflow=_CONNECTIONS - 8,
        pool_timeout=5,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "timeout": 5,
            "command_timeout": 15,
            "server_settings": {"application_name": "incidentd"},
        },
    )


def place_of(url: sa.URL) -> str:
    """Where the database is, for messages: never with the password."""
    if url.get_backend_name() != "postgresql":
        return f"SQLite file {url.database}"
    # asyncpg takes the host from the query too; several hosts are separated by commas.
    given = url.query.get("host")
    host = url.host or (given if isinstance(given, str) else ",".join(given or ())) or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL at {host}{port}, database {url.database}"
