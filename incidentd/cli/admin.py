"""Commands about configuration and database: check-config, config-schema, migrate, channels, check-database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.common import fail, load_or_fail, note_migration, with_store
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.outlets import Outlets
    from incidentd.store.engine import Store
    from incidentd.store.migrate import MigrationResult


@click.command("check-config")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@config_option
def check_config(file: Path | None, config_path: Path) -> None:
    """Check a configuration FILE: exit 0, or 1 with every error as `path.to.key: what is wrong, what is accepted`."""
    from incidentd.clock import SystemClock
    from incidentd.config.calendars import calendar_notes
    from incidentd.config.on_call_checks import on_call_warnings

    path = file or config_path
    loaded = load_or_fail(path)
    for warning in (*loaded.warnings, *on_call_warnings(loaded.config, SystemClock().now())):
        click.echo(f"warning: {warning}", err=True)
    for note in calendar_notes(loaded.config.calendars):
        click.echo(f"info: {note}", err=True)
    channels = ", ".join(f"{name} ({channel.kind})" for name, channel in loaded.config.channels.items())
    click.echo(f"{path} is good: channels {channels}; sources {', '.join(loaded.config.sources)}")


@click.command("config-schema")
def config_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from incidentd.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@click.command()
@config_option
def migrate(config_path: Path) -> None:
    """Bring the database's schema up to date. `serve` does it at every start; this does it ahead of a roll-out."""
    from incidentd.store.errors import StoreUnavailableError

    config = load_or_fail(config_path).config
    try:
        result = asyncio.run(_migrated(config))
    except StoreUnavailableError as error:
        fail(str(error))
    before = result.before or "empty"
    click.echo(
        f"schema {result.after}, nothing to do"
        if before == result.after
        else f"schema {before} -> {result.after}"
    )


async def _migrated(config: Config) -> MigrationResult:
    from incidentd.store.engine import Store
    from incidentd.store.migrate import migrate as run

    result = await run(config.database.url.get_secret_value())
    store = Store(config.database.url.get_secret_value())
    try:
        await note_migration(store, result)
    finally:
        await store.close()
    return result


@click.command()
@config_option
def channels(config_path: Path) -> None:
    """List the configured channels, whom they reach, and the generated secrets of webhooks without a configured one.

    Needs the database, where those secrets are. Sends nothing.
    """
    from incidentd.store.errors import StoreUnavailableError

    config = load_or_fail(config_path).config
    try:
        listed = asyncio.run(with_store(config, lambda store: _channels(store, config)))
    except StoreUnavailableError as error:
        fail(str(error))
    for row in listed:
        click.echo("\t".join(row))


async def _channels(store: Store, config: Config) -> list[list[str]]:
    """Name, kind, targets, generated secret if there is one."""
    from incidentd.channels.base import ChannelEnv
    from incidentd.channels.http import HttpClient
    from incidentd.clock import SystemClock
    from incidentd.outlets import Outlets

    secrets = await _generated(store, config)
    http = HttpClient()
    outlets = Outlets(
        ChannelEnv(http, SystemClock(), config.server.public_url, secrets.__getitem__, sys.stdout)
    )
    outlets.take(config)  # opens no connection
    try:
        return [_listed(name, channel.kind, outlets, secrets) for name, channel in config.channels.items()]
    finally:
        for sender in outlets.senders.values():
            await sender.close()
        await http.aclose()


def _listed(name: str, kind: str, outlets: Outlets, secrets: Mapping[str, str]) -> list[str]:
    secret = [f"generated secret {secrets[name]}"] if name in secrets else []
    return [name, kind, ", ".join(outlets.targets[name]), *secret]


async def _generated(store: Store, config: Config) -> dict[str, str]:
    from incidentd.clock import SystemClock
    from incidentd.workflows.secrets import webhook_secrets

    now = SystemClock().now()

    names = [
        name
        for name, channel in config.channels.items()
        if channel.kind == "webhook" and not getattr(channel, "secret", None)
    ]
    return await store.write(lambda tx: webhook_secrets(tx, names, now))


@click.command("check-database")
@config_option
def check_database(config_path: Path) -> None:
    """Read the whole SQLite file and report damage: exit 0, or 1 with what was found."""
    from incidentd.store.engine import Store
    from incidentd.store.errors import StoreUnavailableError
    from incidentd.store.sqlite import check

    try:
        path = Store(load_or_fail(config_path).config.database.url.get_secret_value()).path
    except StoreUnavailableError as error:
        fail(str(error))
    if path is None:
        fail("this checks SQLite files; for PostgreSQL use its own pg_amcheck")
    found = check(path)
    for line in found:
        click.echo(line, err=True)
    if found:
        fail(f"{path} is damaged: restore a backup; the lines above say where")
    click.echo(f"{path}: no damage found")
