"""`incidentd replay` and `incidentd journal`: another configuration tried on what was received."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.common import fail, load_or_fail, with_store
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.replay.recording import Recording
    from incidentd.store.engine import Store

DIFFERENT = 6
"""Exit code when somebody would be paged more, less, earlier or later."""


def _duration(_: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    from incidentd.domain.duration import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None


_since = click.option(
    "--since", default="30d", show_default=True, callback=_duration, help="How far back from the end."
)


@click.command()
@click.option(
    "--config",
    "new_path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The configuration to try.",
)
@click.option(
    "--config-old",
    "old_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config/incidentd.yaml"),
    envvar="INCIDENTD_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration to compare it with; its database holds the journal.",
)
@_since
@click.option(
    "--journal",
    "journal_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read a file of `incidentd journal export` instead of the database.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0 shows all.")
def replay(
    new_path: Path, old_path: Path, since: timedelta, journal_path: Path | None, as_json: bool, limit: int
) -> None:
    """Run the journal through another configuration and print who would have been paged differently.

    Sends nothing and changes nothing. Exit code: 0 no difference, 6 somebody would have been paged more, less,
    earlier or later, 1 it could not be done, 2 wrong usage.
    """
    import orjson

    from incidentd.cli.offline import rules_for
    from incidentd.replay import report
    from incidentd.replay.difference import compare
    from incidentd.replay.run import replay as run

    old, new = load_or_fail(old_path).config, load_or_fail(new_path).config
    recording = _from_file(journal_path, since) if journal_path else _from_database(old, since)
    outcome = run(recording, rules_for(old), rules_for(new))
    difference = compare(outcome)
    if as_json:
        value = report.as_json(recording, outcome, difference)
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    else:
        for line in report.as_text(recording, outcome, difference, limit):
            click.echo(line)
    if difference.differs:
        raise SystemExit(DIFFERENT)


@click.group()
def journal() -> None:
    """The bodies that webhooks brought, kept for a while so that `incidentd replay` can use them."""


@journal.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_since
@config_option
def export(file: Path, since: timedelta, config_path: Path) -> None:
    """Write the journal to FILE (gzip), with the acts, overrides and maintenance of the time.

    It holds labels and annotations of alerts and names of people, and no credentials.
    """
    from incidentd.replay.file import write

    recording = _from_database(load_or_fail(config_path).config, since)
    try:
        count = write(file, recording)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}")
    click.echo(f"{file}: {count} bodies, {len(recording.acts)} acts")


def _from_file(path: Path, since: timedelta) -> Recording:
    from incidentd.replay.file import UnreadableJournalError, read

    try:
        found = read(path)
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    except UnreadableJournalError as error:
        fail(f"{path} is no exported journal: {error}")
    start = max(found.since, found.until - since)
    bodies = [kept for kept in found.bodies if kept.at >= start]
    acts = tuple([act for act in found.acts if act.at >= start])
    return replace(found, since=start, bodies=bodies, acts=acts)


def _from_database(config: Config, since: timedelta) -> Recording:
    from incidentd.store.errors import StoreUnavailableError

    try:
        return asyncio.run(with_store(config, lambda store: _recorded(store, since)))
    except StoreUnavailableError as error:
        fail(str(error))


async def _recorded(store: Store, since: timedelta) -> Recording:
    from incidentd.clock import SystemClock
    from incidentd.replay.stored import recorded

    now = SystemClock().now()
    return await recorded(store, now - since, now)
