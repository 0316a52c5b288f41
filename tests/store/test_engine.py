"""Units of work: committed or undone, never cut in half, and every failure in one of two words."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from incidentd.store import schema, settings
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.migrate import migrate

CANCELS = 150


def size(path: Path) -> int:
    return path.stat().st_size


def count(tx: Tx) -> int:
    return int(tx.conn.execute(sa.select(sa.func.count()).select_from(schema.settings)).scalar_one())


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    await migrate(url)
    store = Store(url, busy_timeout=0.05)
    yield store
    await store.close()


async def test_what_was_written_is_read_by_the_next_transaction(store: Store) -> None:
    await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "value"))
    assert await store.read(lambda tx: settings.get(tx, "name")) == "value"
    assert await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "other")) == "value"


async def test_a_unit_of_work_that_fails_leaves_nothing_behind(store: Store) -> None:
    def work(tx: Tx) -> None:
        settings.get_or_create(tx, "name", lambda: "value")
        raise LookupError("the work's own error passes through")

    with pytest.raises(LookupError, match="own error"):
        await store.write(work)
    assert await store.read(count) == 0
    await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "value"))


async def test_a_read_sees_one_snapshot_and_cannot_write(store: Store) -> None:
    await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "value"))
    with pytest.raises((StoreUnavailableError, StoreRejectedError), match=r"readonly|read-only"):
        await store.read(lambda tx: settings.get_or_create(tx, "other", lambda: "value"))


async def test_callers_that_are_cancelled_at_random_moments_leave_no_lock(store: Store) -> None:
    chance = random.Random(7)
    for number in range(CANCELS):
        name = f"cancelled {number}"
        task = asyncio.ensure_future(
            store.write(lambda tx, name=name: settings.get_or_create(tx, name, lambda: "x"))  # type: ignore[misc]
        )
        for _ in range(chance.randrange(100)):
            await asyncio.sleep(0)
        task.cancel()
        reading = asyncio.ensure_future(store.read(count))
        await asyncio.sleep(0)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    # Fails after five seconds if any lock were left.
    await store.write(lambda tx: settings.get_or_create(tx, "last", lambda: "x"))
    assert await store.read(lambda tx: settings.get(tx, "last")) == "x"


async def test_closing_waits_for_the_work_of_callers_that_are_gone(database_url: str) -> None:
    await migrate(database_url)
    store = Store(database_url)
    await store.ping()
    task = asyncio.ensure_future(store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "value")))
    await asyncio.sleep(0)
    task.cancel()
    await store.close()
    again = Store(database_url)
    assert await again.read(lambda tx: settings.get(tx, "name")) == "value"
    await again.close()


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailableError, match="stopping"):
        await store.write(count)
    with pytest.raises(StoreUnavailableError, match="stopping"):
        await store.read(count)


async def test_values_that_the_database_refuses_are_rejected_not_retried(store: Store) -> None:
    tried = []

    def work(tx: Tx) -> None:
        tried.append(1)
        tx.conn.execute(sa.insert(schema.settings).values(name="name", value=None))

    with pytest.raises(StoreRejectedError) as caught:
        await store.write(work)
    assert len(tried) == 1
    assert "INSERT" not in str(caught.value)


@pytest.mark.parametrize("value", ["half a pair \ud800"])
async def test_text_that_is_no_unicode_is_rejected(store: Store, value: str) -> None:
    with pytest.raises(StoreRejectedError):
        await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: value))
    await store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "fine"))


async def test_a_row_that_is_there_already_is_rejected_in_the_end(store: Store) -> None:
    def work(tx: Tx) -> None:
        tx.conn.execute(sa.insert(schema.settings).values(name="name", value="x"))

    await store.write(work)
    with pytest.raises(StoreRejectedError):
        await store.write(work)


async def test_a_database_that_somebody_else_locks_is_unavailable_until_he_lets_go(
    sqlite_store: Store,
) -> None:
    path = sqlite_store.path
    assert path is not None
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            await sqlite_store.write(count)
        assert await sqlite_store.read(count) == 0
        other.execute("ROLLBACK")
    await sqlite_store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "x"))


async def test_by_default_a_lock_is_waited_for_five_seconds(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/incidentd.db")
    assert await store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA busy_timeout").scalar()) == 5000
    assert await store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert await store.read(lambda tx: tx.conn.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    await store.close()


async def test_the_write_ahead_log_is_folded_in_and_shrunk(sqlite_store: Store) -> None:
    await sqlite_store.write(lambda tx: settings.get_or_create(tx, "name", lambda: "x" * 100_000))
    log = Path(f"{sqlite_store.path}-wal")
    assert size(log) > 100_000
    await sqlite_store.checkpoint()
    assert size(log) == 0
    assert await sqlite_store.read(count) == 1
    await sqlite_store.write(lambda tx: settings.get_or_create(tx, "other", lambda: "x"))


async def test_a_server_that_is_down_is_named_without_its_password() -> None:
    url = "postgresql+asyncpg://incidentd:hunter2@127.0.0.1:1/pages"
    store = Store(url)
    with pytest.raises(
        StoreUnavailableError, match=r"PostgreSQL at 127\.0\.0\.1:1, database pages"
    ) as caught:
        await store.ping()
    assert "hunter2" not in str(caught.value)
    await store.close()
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1") as caught:
        await migrate(url)
    assert "hunter2" not in str(caught.value)


async def test_a_database_that_does_not_exist_is_named(pg_url: str) -> None:
    store = Store(pg_url.replace("/test_", "/missing_"))
    with pytest.raises(StoreUnavailableError, match=r"missing_.* does not exist"):
        await store.ping()
    await store.close()


async def test_a_connection_that_the_server_ended_costs_one_error_at_most(pg_store: Store) -> None:
    def end_all(tx: Tx) -> None:
        tx.conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    await asyncio.gather(*[pg_store.read(count) for _ in range(4)])
    await pg_store.write(end_all)
    failed = 0
    for _ in range(6):
        try:
            await pg_store.read(count)
        except StoreUnavailableError:
            failed += 1
    assert failed <= 1
