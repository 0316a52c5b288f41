"""What several `incidentd` commands share: loading the configuration, opening the database, failing readably."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from incidentd.config import Config, LoadedConfig
    from incidentd.store.engine import Store

T = TypeVar("T")


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr and exit 1."""
    click.echo(f"incidentd: {message}", err=True)
    raise SystemExit(1)


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
    await migrate(url)
    store = Store(url)
    try:
        return await use(store)
    finally:
        await store.close()
