"""The schema's way into a database: whole or not at all, and never into one that is not ours."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from incidentd.store import migrate as module
from incidentd.store import schema
from incidentd.store.engine import Store, StoreUnavailableError, Tx
from incidentd.store.migrate import HEAD, NotOurDatabaseError, SchemaTooNewError, migrate
from incidentd.workflows.receive import receive
from tests.store.samples import NOW, RULES, alert, post


def tables(tx: Tx) -> set[str]:
    return set(sa.inspect(tx.conn).get_table_names())


def partial_indexes(tx: Tx) -> dict[str, str]:
    """Name to condition, in one spelling for both databases."""
    found: dict[str, str] = {}
    for table in schema.metadata.tables:
        for index in sa.inspect(tx.conn).get_indexes(table):
            options = index.get("dialect_options", {})
            where = options.get("sqlite_where", options.get("postgresql_where"))
            if where is not None:
                found[str(index["name"])] = _plain(str(where).replace("::text", ""))
    return found


def _plain(condition: str) -> str:
    # PostgreSQL puts each term in brackets; no condition here mixes AND with OR.
    return condition.replace("(", "").replace(")", "")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def versions(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version")]


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    def differences(tx: Tx) -> list[object]:
        context = MigrationContext.configure(tx.conn, opts={"compare_type": True})
        return list(compare_metadata(context, schema.metadata))

    assert await store.read(differences) == []


async def test_the_partial_indexes_have_the_conditions_that_the_code_counts_on(store: Store) -> None:
    wanted = {
        str(index.name): _plain(str(index.dialect_options["sqlite"]["where"]))
        for table in schema.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert await store.read(partial_indexes) == wanted
    assert "uq_incidents_open_group" in wanted


def test_the_newest_script_is_the_version_that_the_code_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_a_second_start_has_nothing_to_do(empty_database_url: str) -> None:
    first = await migrate(empty_database_url)
    second = await migrate(empty_database_url)
    assert (first.before, first.after, first.backup) == (None, HEAD, None)
    assert (second.before, second.after, second.backup) == (HEAD, HEAD, None)


def test_a_start_with_nothing_to_do_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    module.migrate_file(url)
    code = (
        "import sys; from incidentd.store.migrate import migrate_file; "
        f"migrate_file({url!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_four_replicas_that_start_at_once_migrate_once(empty_pg_url: str) -> None:
    results = await asyncio.gather(*[migrate(empty_pg_url) for _ in range(4)])
    assert sorted([result.before or "fresh" for result in results]) == [HEAD, HEAD, HEAD, "fresh"]


async def test_a_database_of_a_newer_version_is_left_alone(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    store = Store(empty_database_url)
    await store.write(lambda tx: tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNewError, match=r"schema 9999.*install the newer incidentd") as caught:
        await migrate(empty_database_url)
    assert isinstance(caught.value, StoreUnavailableError)
    await store.close()


async def test_a_database_of_another_program_is_left_alone(empty_database_url: str) -> None:
    store = Store(empty_database_url)
    await store.write(lambda tx: tx.conn.exec_driver_sql("CREATE TABLE customers (id INTEGER)"))
    with pytest.raises(NotOurDatabaseError, match=r"not incidentd's \(customers\)"):
        await migrate(empty_database_url)
    assert await store.read(tables) == {"customers"}
    await store.close()


async def test_a_failed_migration_changes_nothing_and_can_be_tried_again(empty_database_url: str) -> None:
    # A table in the way of the last step: all steps before it have to be undone.
    store = Store(empty_database_url)
    await store.write(lambda tx: tx.conn.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)"))
    await store.write(lambda tx: tx.conn.exec_driver_sql("CREATE VIEW settings AS SELECT 1 AS one"))
    with pytest.raises(StoreUnavailableError, match="settings"):
        await migrate(empty_database_url)
    assert await store.read(tables) == {"alembic_version"}
    await store.write(lambda tx: tx.conn.exec_driver_sql("DROP VIEW settings"))
    assert (await migrate(empty_database_url)).after == HEAD
    await store.close()


async def test_an_older_database_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    url = f"sqlite+aiosqlite:///{path}"
    await migrate(url)
    store = Store(url)
    await store.write(lambda tx: receive(tx, [post(alert())], RULES, NOW))
    await store.write(lambda tx: tx.conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'"))
    await store.close()
    # There is no step from 0000, so the attempt fails after the copy.
    with pytest.raises(StoreUnavailableError, match=r"no way from its schema.*0000"):
        await migrate(url)
    backup = path.with_name("incidentd.db.0000.bak")
    with contextlib.closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT count(*) FROM alerts").fetchone() == (1,)
    assert versions(path) == ["0000"]
    assert names(tmp_path) == {"incidentd.db", "incidentd.db.0000.bak"}
