"""Commands that bring what another tool knows: import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.common import fail

if TYPE_CHECKING:
    from incidentd.importing import Imported

_OUTPUT = "oncall.yaml"
_PAGE = "statuspage.yaml"
_HISTORY = "history.json"
_MAX_BYTES = 256 * 1024 * 1024


@click.group("import", short_help="Bring schedules, people, routes or a status page from another tool.")
def import_() -> None:
    """Bring schedules, people and routes, or a status page, from another tool."""


def _channels(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        old, equals, name = text.partition("=")
        if not (equals and old and name):
            raise click.BadParameter(
                f"{text!r} is not OLD=NAME; accepted: such as slack=ops-slack or C0123=ops-slack"
            )
        found[old] = name
    return found


@import_.command("grafana-oncall", short_help="Bring Grafana OnCall's schedules, chains, routes and users.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help=f"File, or folder for {_OUTPUT}; default: stdout."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="File; default: stderr.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="OLD=NAME",
    callback=_channels,
    help="Our channel for a way to notify (slack, email, sms, ...), or for the ID of a chat channel, group or webhook.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
def grafana_oncall(
    file: Path,
    output: Path | None,
    report: Path | None,
    *,
    as_json: bool,
    channels: dict[str, str],
    force: bool,
) -> None:
    """Turn FILE, an export of Grafana OnCall, into our configuration and a report on each part of it.

    FILE is one JSON object made from OnCall's API, or the output of `terraform show -json`; - is stdin. What cannot be
    read is told with its place: exit 1, and nothing is written.

    \b
    Examples:
      incidentd import grafana-oncall oncall.json --output oncall.yaml --report report.txt
      incidentd import grafana-oncall oncall.json --channel slack=ops-slack --channel email=mail
      terraform show -json | incidentd import grafana-oncall - --json --report report.json
    """
    from incidentd import importing

    if output is not None and output.is_dir():
        output = output / _OUTPUT
    _refuse_to_overwrite(output, report, force=force)
    imported = _imported(file, channels)
    said = importing.as_json(imported.report) if as_json else importing.as_text(imported.report)
    _write(output, importing.as_yaml(imported.config, imported.report), err=False)
    _write(report, said, err=True)


def _imported(file: Path, channels: dict[str, str]) -> Imported:
    from incidentd import importing
    from incidentd.clock import SystemClock

    try:
        return importing.convert(importing.read(_bytes(file)), SystemClock().now(), channels)
    except importing.ImportRefused as refused:
        for line in str(refused).splitlines():
            click.echo(f"{file}: {line}", err=True)
        raise SystemExit(1) from None


def _bytes(file: Path) -> bytes:
    try:
        with click.open_file(str(file), "rb") as stream:
            data: bytes = stream.read(_MAX_BYTES + 1)
    except OSError as refused:
        fail(f"{file} cannot be read: {refused.strerror}; accepted: a JSON file, see docs/importing.md")
    if len(data) > _MAX_BYTES:
        fail(
            f"{file} is larger than {_MAX_BYTES // 1024 // 1024} MiB; export only what docs/importing.md lists"
        )
    return data


def _refuse_to_overwrite(*paths: Path | None, force: bool) -> None:
    given = [path for path in paths if path is not None]
    for path in given:
        if path.exists() and not force:
            fail(f"{path} is there; name another file, or say --force")
    if len({path.resolve() for path in given}) < len(given):
        fail("two of the files to write are the same; name another")


def _write(path: Path | None, text: str, *, err: bool) -> None:
    if path is None:
        click.echo(text, nl=False, err=err)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as refused:
        fail(f"{path} cannot be written: {refused.strerror}; name a file in a folder that is there")


@import_.command("statuspage", short_help="Bring a page in Statuspage's shape, with its history.")
@click.argument("source", metavar="URL|DIR")
@click.option(
    "--output", type=click.Path(path_type=Path), help=f"File, or folder for {_PAGE}; default: stdout."
)
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    help=f"File for incidents and maintenances, or folder for {_HISTORY}; default: left out.",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="File; default: stderr.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def statuspage(
    source: str, output: Path | None, history: Path | None, report: Path | None, *, as_json: bool, force: bool
) -> None:
    """Turn the page at URL, or its documents in DIR, into our configuration, its history, and a report on all of it.

    Any page in the shape of Atlassian Statuspage's public API is read, without credentials. The history is sent to the
    daemon afterwards, once it has the configuration. What cannot be read is told: exit 1, and nothing is written.

    \b
    Examples:
      incidentd import statuspage https://status.example.com --output page.yaml --history history.json
      incidentd import statuspage saved-documents/ --report report.txt
      incidentctl status import history.json
    """
    from incidentd import importing
    from incidentd.cli.statuspage import documents_of

    output = output / _PAGE if output is not None and output.is_dir() else output
    history = history / _HISTORY if history is not None and history.is_dir() else history
    _refuse_to_overwrite(output, history, report, force=force)
    try:
        found = importing.convert_page(documents_of(source))
    except importing.ImportRefused as refused:
        for line in str(refused).splitlines():
            click.echo(f"{source}: {line}", err=True)
        raise SystemExit(1) from None
    tool = "Statuspage"
    said = importing.as_json(found.report) if as_json else importing.as_text(found.report, tool)
    _write(output, importing.as_yaml(found.config, found.report, tool), err=False)
    if history is not None:
        _write(history, json.dumps(found.history, indent=1, ensure_ascii=True) + "\n", err=False)
    _write(report, said, err=True)
