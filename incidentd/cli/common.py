"""What several `incidentd` commands share: loading the configuration, opening the database, failing readably."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from incidentd.config import Config, LoadedConfig
    from incidentd.store.engine import Store
    from incidentd.store.migrate import MigrationResult

T = TypeVar("T")


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr and exit 1."""
    click.echo(f"incidentd: {message}", err=True)
    raise SystemExit(1)


def operator() -> str:
    """Who runs this command, for the audit log: the name of the system's user, marked as such."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        # A container's user often has no entry.
        name = "unknown"
    return f"{name} (command line)"


def load_or_fail(path: Path) -> LoadedConfig:
    """The configuration, or every error on stderr and exit 1."""
    from incidentd.config import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(line, err=True)
        raise SystemExit(1) from None


async def with_store(config: Config, use: Callable[[Store], Awaitable[T]]) -> T:
    """Open the configured database, bring its schema up to date, use it, close it."""
    from incidentd.store.engine import Store
    from incidentd.store.migrate import migrate

    url = config.database.url.get_secret_value()
    result = await migrate(url)
    store = Store(url)
    try:
        await note_migration(store, result)
        return await use(store)
    finally:
        await store.close()


async def note_migration(store: Store, result: MigrationResult) -> None:
    """Note in the audit log that this command has changed the schema, if it has."""
    from incidentd.clock import SystemClock
    from incidentd.workflows.audit import migrated

    now, actor = SystemClock().now(), operator()
    if result.before != result.after:
        await store.write(lambda tx: migrated(tx, actor, result.before, result.after, now))
