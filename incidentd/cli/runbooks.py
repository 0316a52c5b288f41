"""`incidentd runbooks`: check, list, match and describe runbook files. Needs neither the daemon nor the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from incidentd.cli.common import fail, load_or_fail
from incidentd.cli.main import config_option

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.domain.runbook import Runbook
    from incidentd.domain.runbook_match import Shelf
    from incidentd.domain.severity import Severity
    from incidentd.runbooks.library import Folder

_NEAREST = 3
"""Runbooks that nearly fit, of which the reason is told."""
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
@click.option("--strict", is_flag=True, help="Exit 1 also if automation would refuse a step.")
@config_option
@click.pass_context
def check(context: click.Context, path: Path | None, config_path: Path, *, strict: bool) -> None:
    """Check a runbook or a folder of them: exit 0, or 1 with every error as `file:line: what; what is accepted`.

    With the configuration (no PATH, or --config) also whether its section automation has the commands, Prometheus
    servers, hosts and channels that the steps name.
    """
    from click.core import ParameterSource

    from incidentd.domain.runbook_match import rivals
    from incidentd.runbooks.library import read_file
    from incidentd.runbooks.problem import RunbookError

    given = path is None or context.get_parameter_source("config_path") is ParameterSource.COMMANDLINE
    config = load_or_fail(config_path).config if given else None
    if path is not None and path.is_file():
        try:
            book = read_file(path)
        except RunbookError as refused:
            _refuse([str(problem) for problem in refused.problems])
        _check_steps({str(path): book}, config, strict=strict)
        click.echo(f"{path} is good: {len(book.steps)} steps")
        return
    folder = _folder(path, config_path)
    for loser, winner in rivals(folder.good.values()):
        click.echo(
            f"warning: {loser.name}.md has the same conditions as {winner.name}.md, so no incident gets it",
            err=True,
        )
    if folder.bad:
        _refuse([str(problem) for problem in folder.problems])
    _check_steps({str(folder.path / file): book for file, book in folder.good.items()}, config, strict=strict)
    count = len(folder.good)
    click.echo(
        f"{folder.path} is good: {count} runbooks" if count else f"{folder.path} has no runbook (NAME.md)"
    )


def _check_steps(books: Mapping[str, Runbook], config: Config | None, *, strict: bool) -> None:
    """Tell what a machine would refuse, unless the configuration leaves all steps to people."""
    from incidentd.runbooks.automated import unfit

    if config is None or not config.automation.model_fields_set:
        return
    found = [
        str(problem)
        for file, book in books.items()
        for problem in unfit(book, file, config.automation, config.channels)
    ]
    if found and strict:
        _refuse(found)
    for problem in found:
        click.echo(f"warning: {problem}", err=True)


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
    _warn(folder)


def _warn(folder: Folder) -> None:
    for problem in folder.problems:
        click.echo(f"warning: {problem}", err=True)


@runbooks.command("match")
@click.argument("labels", metavar="LABEL=VALUE...", nargs=-1, required=True)
@_path_option
@config_option
def match(labels: tuple[str, ...], path: Path | None, config_path: Path) -> None:
    """Say which runbook an incident with these labels gets, and why: exit 0, or 1 if none.

    The severity is read from the severity label as the configuration maps it, the service from the label `service`
    or `job`. A label set as Prometheus and Alertmanager write it is understood too.

    \b
    Examples:
      incidentd runbooks match alertname=HighErrorRate service=checkout severity=critical
      incidentd runbooks match '{alertname="HighErrorRate", severity="critical"}'
    """
    from incidentd.domain.alert import service_of
    from incidentd.domain.runbook_match import specificity

    found = _labels(labels)
    rules = load_or_fail(config_path).config.severity.rules
    severity, service = rules.severity_of(found), service_of(found)
    known = {**found, rules.label: severity.value}
    folder = _folder(path, config_path)
    _warn(folder)
    shelf = folder.shelf()
    choice = shelf.choose(known, service, severity)
    if choice.runbook is None:
        near = _nearest(shelf, known, service, severity)
        fail("\n".join([f"no runbook matches (severity {severity}, service {service or 'none'})", *near]))
    click.echo(f"{choice.runbook.name}: {choice.why} ({specificity(choice.runbook)})")
    for name in choice.others:
        other = shelf.named(name)
        click.echo(f"  also fits: {name} ({specificity(other) if other else ''})")


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    from incidentd.domain.matcher import parse_matchers

    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name and equals and not set(name) & set("{}!~,\"' ") and not value.startswith(("=", "~", '"')):
            found[name] = value
            continue
        try:
            matchers = parse_matchers(text)
        except ValueError:
            matchers = ()
        if not matchers or any(matcher.op != "=" for matcher in matchers):
            raise click.UsageError(
                f"{text!r} is no label; accepted: NAME=VALUE, such as alertname=HighErrorRate, or a set of them,"
                ' such as {alertname="HighErrorRate", severity="critical"}'
            )
        found.update({matcher.name: matcher.value for matcher in matchers})
    return found


def _nearest(shelf: Shelf, labels: dict[str, str], service: str, severity: Severity) -> list[str]:
    """Those of whose conditions some hold, the fewest mistakes first."""
    from incidentd.domain.runbook_match import misses

    judged = [(misses(book, labels, service, severity), book.name) for book in shelf.runbooks]
    near = sorted([(len(wrong), name, wrong) for (wrong, right), name in judged if right])
    return [f"  {name} does not: {'; '.join(wrong)}" for _, name, wrong in near[:_NEAREST]]


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
