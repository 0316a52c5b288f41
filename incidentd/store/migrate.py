"""Bring a database to this version's schema: whole or not at all, with a backup, safe when replicas start
together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from incidentd.store import sqlite
from incidentd.store.engine import place_of, postgresql_engine
from incidentd.store.errors import ConflictError, StoreRejectedError, StoreUnavailableError, translated

HEAD = "0021"
"""The newest migration. Compared first, for importing Alembic takes a third of a second; a test keeps it
true."""

_VERSION_TABLE = "alembic_version"
_LOCK = "SELECT pg_advisory_xact_lock(7265, -1)"
"""Not among the slots of `incidents.lock_groups`, which count from 0."""


class SchemaTooNewError(StoreUnavailableError):
    """The database was written by a newer incidentd than this one."""


class NotOurDatabaseError(StoreUnavailableError):
    """There are tables, but not incidentd's."""


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What `migrate` did. `before` is None for a fresh database; equal versions mean there was nothing to
    do.
    """

    before: str | None
    after: str
    backup: Path | None = None
    """Where the database was copied to before it was changed; only for a SQLite file that held something."""


async def migrate(store_url: str) -> MigrationResult:
    """Bring the database to `HEAD`. Call it before a `Store` is opened on it.

    A failed migration changes nothing and can be tried again. Raises `SchemaTooNewError`,
    `NotOurDatabaseError`, or `StoreUnavailableError` when the database cannot be reached or changed.
    """
    url = sa.make_url(store_url)
    if url.get_backend_name() != "postgresql":
        return await asyncio.to_thread(migrate_file, store_url)
    engine = postgresql_engine(url)
    try:
        with _named(url):
            async with engine.connect() as connection:
                before = await connection.run_sync(version_of)
            if before == HEAD:
                return MigrationResult(before, HEAD)
            async with engine.begin() as connection:
                # A replica that waited here finds the work done.
                await connection.exec_driver_sql(_LOCK)
                before = await connection.run_sync(version_of)
                if before != HEAD:
                    await connection.run_sync(_upgrade)
            return MigrationResult(before, HEAD)
    finally:
        await engine.dispose()


def migrate_file(store_url: str) -> MigrationResult:
    """The same for a SQLite file, without a loop."""
    url = sa.make_url(store_url)
    path = sqlite.file_of(url)
    sqlite.prepare(path)
    engine = sqlite.migrator(url)
    try:
        with _named(url):
            with engine.connect() as connection:
                before = version_of(connection)
            if before == HEAD:
                return MigrationResult(before, HEAD)
            backup = None if before is None else _back_up(path, before)
            with engine.begin() as connection:
                _upgrade(connection)
                _check_references(connection)
            return MigrationResult(before, HEAD, backup)
    finally:
        engine.dispose()


def version_of(connection: sa.Connection) -> str | None:
    """The version of the schema, None for an empty database. Raises what `migrate` raises for a foreign
    one.
    """
    if connection.dialect.name == "postgresql":
        listed = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    else:
        listed = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        )
    tables = {str(row[0]) for row in connection.exec_driver_sql(listed)}
    if not tables:
        return None
    where = place_of(connection.engine.url)
    version = _stored_version(connection) if _VERSION_TABLE in tables else None
    if version is None and tables == {_VERSION_TABLE}:
        return None
    if version is None or not version.isdecimal():
        raise NotOurDatabaseError(
            f"{where} has tables that are not incidentd's ({', '.join(sorted(tables)[:5])}): "
            "point database.url to an empty database"
        )
    if int(version) > int(HEAD):
        raise SchemaTooNewError(
            f"{where} has schema {version}, this incidentd knows up to {HEAD}: install the newer incidentd again, "
            "or restore the backup that was made before the upgrade"
        )
    return version


def _stored_version(connection: sa.Connection) -> str | None:
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_VERSION_TABLE}").scalar()  # noqa: S608 - a constant
    return None if found is None else str(found)


def _upgrade(connection: sa.Connection) -> None:
    # 0.3 s: paid only when there is something to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    scripts = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise StoreUnavailableError(f"there is no way from its schema to {HEAD}: {error}") from error


def _check_references(connection: sa.Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise StoreUnavailableError(
            f"the migration would leave {len(broken)} row(s) without what they refer to"
        )


def _back_up(path: Path, version: str) -> Path:
    """Copy the database beside itself. An older copy of the same version is replaced: it comes from a failed
    try.
    """
    backup = path.with_name(f"{path.name}.{version}.bak")
    unfinished = path.with_name(f"{backup.name}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(backup)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreUnavailableError(
            f"cannot back up {path} to {backup} before the migration: {error}; make room for a copy"
        ) from error
    return backup


@contextlib.contextmanager
def _named(url: sa.URL) -> Iterator[None]:
    try:
        with translated():
            yield
    except (SchemaTooNewError, NotOurDatabaseError):
        raise
    except (StoreUnavailableError, StoreRejectedError, ConflictError) as error:
        raise StoreUnavailableError(
            f"cannot prepare {place_of(url)}: {error}; is it there, and does database.url name it rightly?"
        ) from error
