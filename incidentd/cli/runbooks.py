"""`incidentd runbooks`: check, list, match and describe runbook files. Needs neither the daemon nor the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from incidentd.cli.common import fail, load_or_fail
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.runbooks.library import Folder

KINDS = ("http", "promql", "command", "silence", "notify", "status-draft")


@click.group()
def runbooks() -> None:
    """Check and try the runbooks of a folder.

    \b
    Examples:
      incidentd runbooks check runbooks/
      incidentd runbooks match alertname=HighErrorRate service=checkout severity=critical
      incidentd runbooks schema > runbook.schema.json
    """


def _path_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--path",
        type=click.Path(path_type=Path),
        help="Folder of runbooks; default: runbooks.path of the configuration.",
    )(command)


@runbooks.command("check")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@config_option
def check(path: Path | None, config_path: Path) -> None:
    """Check a runbook or a folder of them: exit 0, or 1 with every error as `file:line: what; what is accepted`."""
    from incidentd.runbooks.library import read_file
    from incidentd.runbooks.problem import RunbookError

    if path is not None and path.is_file():
        try:
            count = len(read_file(path).steps)
        except RunbookError as refused:
            _refuse([str(problem) for problem in refused.problems])
        click.echo(f"{path} is good: {count} steps")
        return
    folder = _folder(path, config_path)
    if folder.bad:
        _refuse([str(problem) for problem in folder.problems])
    click.echo(f"{folder.path} is good: {len(folder.good)} runbooks")


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    raise SystemExit(1)


@runbooks.command("list")
@_path_option
@config_option
def list_runbooks(path: Path | None, config_path: Path) -> None:
    """List the runbooks that are good, one on each line: name, what it is for, steps, owner, last tested, title."""
    folder = _folder(path, config_path)
    for book in folder.shelf().runbooks:
        matchers = ", ".join(map(str, book.match))
        automated = sum(step.action is not None for step in book.steps)
        steps = f"{len(book.steps)} steps, {automated} automated"
        tested = f"tested {book.tested}" if book.tested else "never tested"
        click.echo("\t".join([book.name, matchers, steps, book.owner or "no owner", tested, book.title]))
    for problem in folder.problems:
        click.echo(f"warning: {problem}", err=True)


@runbooks.command("match")
@click.argument("labels", metavar="LABEL=VALUE...", nargs=-1, required=True)
@_path_option
@config_option
def match(labels: tuple[str, ...], path: Path | None, config_path: Path) -> None:
    """Say which runbook an incident with these labels gets, and why: exit 0, or 1 if none.

    The severity is read from the severity label as the configuration maps it, the service from the label `service`
    or `job`.
    """
    from incidentd.domain.alert import service_of
    from incidentd.domain.runbook_match import specificity

    found: dict[str, str] = {}
    for text in labels:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.UsageError(
                f"{text!r} is no label; accepted: NAME=VALUE, such as alertname=HighErrorRate"
            )
        found[name] = value
    rules = load_or_fail(config_path).config.severity.rules
    severity = rules.severity_of(found)
    known = {**found, rules.label: severity.value}
    shelf = _folder(path, config_path).shelf()
    choice = shelf.choose(known, service_of(found), severity)
    if choice.runbook is None:
        fail(f"no runbook matches (severity {severity}, service {service_of(found) or 'none'})")
    click.echo(f"{choice.runbook.name}: {choice.why} ({specificity(choice.runbook)})")
    for name in choice.others:
        other = shelf.named(name)
        click.echo(f"  also fits: {name} ({specificity(other) if other else ''})")


@runbooks.command("schema")
@click.argument("kind", type=click.Choice(KINDS), required=False)
def schema(kind: str | None) -> None:
    """Print the JSON Schema of the front matter, or of the attributes of a KIND of step, for editors."""
    from incidentd.domain.runbook import Kind
    from incidentd.runbooks.front import front_matter_schema
    from incidentd.runbooks.steps import step_schema

    click.echo(json.dumps(step_schema(Kind(kind)) if kind else front_matter_schema(), indent=2))


def _folder(path: Path | None, config_path: Path) -> Folder:
    from incidentd.runbooks.library import Folder, look

    if path is None:
        config: Config = load_or_fail(config_path).config
        path = Path(config.runbooks.path)
    return look(Folder(path, required=True))
