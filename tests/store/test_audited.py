"""The law of the audit log is a law: every table is classified, and what is watched cannot change in silence."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.store import schema
from incidentd.store.engine import Tx
from incidentd.store.migrate import migrate
from incidentd.workflows.secrets import webhook_secrets
from tests.audited import ONLY_IF, UNWATCHED, WATCHED, WatchedStore, triggers
from tests.store.samples import NOW


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[WatchedStore]:
    """A store whose database watches."""
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    await migrate(url)
    store = WatchedStore(url)
    yield store
    await store.close()


def test_every_table_is_watched_or_says_why_not() -> None:
    tables = {
        table.name: {column.name for column in table.columns} for table in schema.metadata.sorted_tables
    }
    assert tables.keys() == WATCHED.keys() | UNWATCHED.keys()
    assert not WATCHED.keys() & UNWATCHED.keys()
    unknown = {
        f"{table}.{change}"
        for table, changes in WATCHED.items()
        for change in set(changes) - {"insert", "delete"} - tables[table]
    }
    assert unknown == set()
    assert all(change in WATCHED[table] for table, change in ONLY_IF)


async def test_a_change_without_an_entry_is_noticed_and_one_with_an_entry_is_not(
    watched: WatchedStore,
) -> None:
    def silently(tx: Tx) -> None:
        tx.conn.exec_driver_sql("INSERT INTO settings VALUES ('webhook_secret:hook', 'x')")

    silently.__module__ = "incidentd.workflows.naughty"
    await watched.write(lambda tx: webhook_secrets(tx, ["other"], NOW))
    assert watched.silent == []
    await watched.write(silently)
    assert [found for _, found in watched.silent] == [{"settings.insert"}]
    assert watched.changed == {"settings.insert", "audited"}


async def test_what_is_rolled_back_is_no_change(watched: WatchedStore) -> None:
    def fails(tx: Tx) -> None:
        webhook_secrets(tx, ["other"], NOW)
        raise KeyError

    with contextlib.suppress(KeyError):
        await watched.write(fails)
    assert (watched.changed, watched.silent) == (set(), [])


async def test_every_watched_change_has_its_trigger(watched: WatchedStore) -> None:
    await watched.write(lambda tx: None)
    sql = "SELECT name FROM sqlite_temp_master WHERE type = 'trigger'"
    made = await watched.write(lambda tx: {row[0] for row in tx.conn.exec_driver_sql(sql)})
    assert made == {name for name, _ in triggers()} | {"audited"}
