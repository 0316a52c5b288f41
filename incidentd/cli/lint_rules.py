"""`incidentd lint-rules`: alerting rules, judged by the configuration that will receive their alerts."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incidentd.cli.common import load_or_fail
from incidentd.cli.main import config_option
from incidentd.cli.output import clean

if TYPE_CHECKING:
    from incidentd.config import Config
    from incidentd.domain.rule_lint import Finding, Surroundings
    from incidentd.ingest.rule_files import RuleFile


@click.command("lint-rules")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--prometheus", metavar="URL", help="Read the rules that this Prometheus has loaded.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the bearer token for --prometheus.",
)
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="Sent to --prometheus.")
@click.option("--owner-label", default="team", show_default=True, help="The label that names the owner.")
@click.option(
    "--label",
    "labels",
    metavar="NAME=VALUE",
    multiple=True,
    help="A label that all alerts get (external_labels).",
)
@click.option("--info", is_flag=True, help="Show findings that are only good to know too.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@config_option
def lint_rules(
    *, files: tuple[str, ...], config_path: Path, info: bool, strict: bool, as_json: bool, **options: Any
) -> None:
    """Check alerting rules against the configuration: who would be told of their alerts, and of what.

    Each FILE is a rule file of Prometheus or a PrometheusRule of its operator; quoted patterns such as
    'rules/**/*.yml' work too. Exits 1 if an error is found.

    \b
    Examples:
      incidentd lint-rules 'rules/*.yml'
      incidentd lint-rules --prometheus http://127.0.0.1:9090 --strict
      incidentd lint-rules --json --label cluster=prod rules.yml | jq '.findings[].code'
    """
    from incidentd.clock import SystemClock

    if not files and not options["prometheus"]:
        raise click.UsageError("nothing to read: name rule files, or --prometheus URL")
    around_labels = dict(_pair(text) for text in options["labels"])
    config = load_or_fail(config_path).config
    places = [_read(path) for path in _expanded(files)]
    if options["prometheus"]:
        places.append(_fetched(options["prometheus"], options["token_file"], options["headers"]))
    findings = list(_judged(config, places, options["owner_label"], around_labels, SystemClock().now()))
    rules = sum(len(place.rules) for place in places)
    counts = Counter(finding.code.level.value for finding in findings)
    if as_json:
        click.echo(json.dumps(_document(findings, rules, counts), ensure_ascii=False, indent=2))
    else:
        _print(findings, rules, counts, info=info)
    failed = counts["error"] or (strict and counts["warning"])
    click.get_current_context().exit(1 if failed else 0)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--label")
    return name, value


def _expanded(patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        if Path(pattern).is_dir():
            raise click.UsageError(
                f"{pattern} is a folder: name its files, such as '{pattern.rstrip('/')}/*.yml'"
            )
        # Not Path.glob, which refuses absolute patterns.
        found = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207
        if not found:
            raise click.UsageError(f"{pattern}: there is no such file")
        yield from sorted(Path(name) for name in found if not Path(name).is_dir())


def _read(path: Path) -> RuleFile:
    from incidentd.domain.rule_lint import Code, Finding
    from incidentd.ingest import rule_files

    try:
        return rule_files.read(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as refused:
        what = f"cannot be read: {refused.strerror or 'unreadable'}"
    except UnicodeDecodeError as refused:
        what = f"is not UTF-8 text (byte {refused.start})"
    return rule_files.RuleFile((), (Finding(Code.UNREADABLE, what, "mend or leave it out", file=str(path)),))


def _fetched(url: str, token_file: Path | None, headers: Sequence[str]) -> RuleFile:
    from incidentd.cli.prometheus import rules_of

    return rules_of(url, token_file, headers)


def _judged(
    config: Config, places: Sequence[RuleFile], owner_label: str, labels: dict[str, str], now: datetime
) -> Iterator[Finding]:
    from incidentd.config.coverage import weak_pages
    from incidentd.config.on_call_checks import on_call_warnings
    from incidentd.domain.rule_lint import Code, Finding, lint

    around = _around(config, owner_label, labels)
    for place in places:
        yield from place.unreadable
    yield from lint([rule for place in places for rule in place.rules], around)
    for warning in on_call_warnings(config, now):
        yield Finding(Code.SCHEDULE, warning, "add a layer, or `incidentctl override add` for the time")
    for warning in weak_pages(config):
        yield Finding(Code.THIN_PAGING, warning, "docs/channels.md says which kinds are good for a page")


def _around(config: Config, owner_label: str, labels: dict[str, str]) -> Surroundings:
    from incidentd.domain.rule_lint import Surroundings
    from incidentd.runbooks.library import folder_of, look

    folder = look(folder_of(config.runbooks))
    for problem in folder.problems:
        click.echo(f"warning: {problem}", err=True)
    return Surroundings(
        route=config.route.tree,
        severity=config.severity.rules,
        grouping=config.grouping.by,
        heartbeats=[beat.matchers for source in config.sources.values() for beat in source.heartbeats],
        owner_label=owner_label,
        external_labels=labels,
        runbooks=[book.match for book in folder.shelf().runbooks],
    )


def _document(findings: Sequence[Finding], rules: int, counts: Counter[str]) -> dict[str, Any]:
    """What --json prints."""
    return {
        "rules": rules,
        "errors": counts["error"],
        "warnings": counts["warning"],
        "infos": counts["info"],
        "findings": [_as_object(finding) for finding in findings],
    }


def _as_object(finding: Finding) -> dict[str, Any]:
    place = finding.rule or finding
    return {
        "level": finding.code.level.value,
        "code": finding.code.value,
        "file": place.file or None,
        "line": place.line,
        "group": finding.rule.group if finding.rule else None,
        "alert": finding.rule.name if finding.rule else None,
        "what": finding.what,
        "remedy": finding.remedy,
    }


def _print(findings: Sequence[Finding], rules: int, counts: Counter[str], *, info: bool) -> None:
    for finding in findings:
        level = finding.code.level.value
        if level == "info" and not info:
            continue
        click.echo(
            clean(f"{_where(finding)}{finding.what} ({level}: {finding.code.value}); {finding.remedy}")
        )
    hidden = "" if info or not counts["info"] else " (--info shows them)"
    click.echo(
        f"{rules} alerting rules: {counts['error']} errors, {counts['warning']} warnings, "
        f"{counts['info']} infos{hidden}"
    )


def _where(finding: Finding) -> str:
    place = finding.rule or finding
    line = "" if place.line is None else f":{place.line}"
    file = f"{place.file}{line} " if place.file else ""
    return f"{file}{finding.rule.name}: " if finding.rule else f"{file.rstrip()}: " if file else ""
