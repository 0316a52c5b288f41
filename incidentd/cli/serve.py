"""`incidentd serve`: the daemon in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.common import fail, load_or_fail
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.app import Daemon
    from incidentd.config import Config, LoadedConfig
    from incidentd.tracing import Telemetry

_M_ARENA_MAX = -8
"""In glibc's malloc.h."""


@click.command()
@config_option
@click.option("--host", help="Listen here instead of server.host.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen here instead of server.port; 0 takes a free one."
)
def serve(config_path: Path, host: str | None, port: int | None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    SIGHUP reloads the configuration; a bad one is reported and the running one stays in force.
    """
    _share_arenas()
    loaded = load_or_fail(config_path)
    raise SystemExit(asyncio.run(_serve(loaded, config_path, host, port)))


async def _serve(loaded: LoadedConfig, path: Path, host: str | None, port: int | None) -> int:
    from incidentd.lifecycle import StartError
    from incidentd.telemetry.start import Running, catch_the_rest

    config = _at(loaded.config, host, port)
    try:
        running = Running(config)
    except StartError as error:
        fail(str(error))
    catch_the_rest()
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        return await _run(config, path, running.telemetry)
    finally:
        await running.close()


async def _run(config: Config, path: Path, telemetry: Telemetry) -> int:
    from incidentd.app import Daemon
    from incidentd.lifecycle import StartError
    from incidentd.store.errors import StoreUnavailableError

    daemon = Daemon(config, path, telemetry=telemetry)
    stop = asyncio.Event()
    _on_signals(daemon, path, stop)
    try:
        await daemon.start()
    except (StartError, StoreUnavailableError) as error:
        fail(str(error))
    _tune_garbage_collection()
    _announce(daemon)
    await stop.wait()
    click.echo("stopping: finishing what is under way", err=True)
    return 0 if await daemon.stop() else 1


def _at(config: Config, host: str | None, port: int | None) -> Config:
    from pydantic import ValidationError

    try:
        return config.model_copy(update={"server": config.server.at(host, port)})
    except ValidationError as error:
        # The port was checked by its option.
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{host} {why}", param_hint="--host") from None


async def _reload(daemon: Daemon, path: Path) -> None:
    from incidentd.domain.incident import OURSELVES
    from incidentd.store.errors import StoreUnavailableError
    from incidentd.workflows.audit import reloaded

    problems = await daemon.reload()
    try:
        await reloaded(daemon.store, path, OURSELVES, problems, daemon.clock.now())
    except StoreUnavailableError as error:
        click.echo(f"incidentd: the reload is not in the audit log: {error}", err=True)


def _on_signals(daemon: Daemon, path: Path, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.ensure_future(_reload(daemon, path))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)


def _share_arenas() -> None:
    # By default glibc gives the database's threads heaps of their own (mallopt(3), M_ARENA_MAX), and what one of them
    # has freed serves no other: a tenth of the memory with 10,000 open incidents. Other C libraries have no mallopt.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _tune_garbage_collection() -> None:
    # Everything imported so far lives for ever: full collections need not walk it while alerts wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _announce(daemon: Daemon) -> None:
    from incidentd import __version__

    where = daemon.config.database.url.redacted
    click.echo(f"incidentd {__version__} accepts alerts on {daemon.url} ({where})")
    if not daemon.protected:
        click.echo("no API token is configured: serving this machine only, and everybody on it", err=True)
