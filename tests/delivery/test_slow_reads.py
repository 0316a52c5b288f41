"""People who ask slow questions hold up nobody who is to be paged."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from incidentd.store.engine import Store, StoreUnavailableError, Tx, postgresql_engine
from tests.delivery.cast import FakeSender, Office

REPORTS = 12
PATIENCE = 3


@contextlib.asynccontextmanager
async def slow_question(store: Store) -> AsyncIterator[Callable[[Tx], Any]]:
    """A query that the database answers only when the block ends."""
    if store.postgresql:
        other = postgresql_engine(store.url)
        async with other.connect() as holder:
            await holder.exec_driver_sql("SELECT pg_advisory_lock(1)")
            yield lambda tx: tx.conn.exec_driver_sql("SELECT pg_advisory_lock_shared(1)").all()
        await other.dispose()
        return
    answered = threading.Event()

    def ask(tx: Tx) -> Any:
        driver: Any = tx.conn.connection.dbapi_connection
        driver.create_function("slow", 0, lambda: answered.wait(30))
        return tx.conn.exec_driver_sql("SELECT slow()").all()

    try:
        yield ask
    finally:
        answered.set()


@contextlib.asynccontextmanager
async def busy_readers(store: Store) -> AsyncIterator[None]:
    """Many slow reports at once."""
    async with slow_question(store) as ask:
        reports = [asyncio.ensure_future(store.read(ask)) for _ in range(REPORTS)]
        await asyncio.wait(reports, timeout=0)  # they are asked first
        try:
            yield
        finally:
            for report in reports:
                report.cancel()


async def test_a_page_leaves_while_a_dozen_slow_reports_are_read(office: Office) -> None:
    pager = FakeSender()
    worker = office.hire({"chat": pager})
    await worker.idle()
    async with busy_readers(office.store):
        async with asyncio.timeout(PATIENCE):
            await office.declare()
            await office.settled()
        assert pager.notices() == ["triggered"]


async def test_reports_that_wait_for_slower_ones_are_told_so_in_the_end(office: Office) -> None:
    async with busy_readers(office.store):
        with pytest.raises(StoreUnavailableError, match="too many slow questions"):
            await office.store.read(lambda tx: tx.conn.exec_driver_sql("SELECT 1").scalar())
        assert await office.store.read_now(lambda tx: tx.conn.exec_driver_sql("SELECT 1").scalar()) == 1
