"""The documents say what the code does: every route, metric, command and link in them exists, and none is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from incidentd.cli import ctl, main
from incidentd.metrics import Metrics
from incidentd.web.routes import OPS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = {"incidentd": main.main, "incidentctl": ctl.cli}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text())
    assert [t for t in targets if not (document.parent / t).exists()] == []


def test_every_route_is_in_the_api_document_with_its_scope() -> None:
    rows = [line for line in (ROOT / "docs/api.md").read_text().splitlines() if line.startswith("| ")]
    missing = [
        f"{op.path} {op.access}"
        for op in OPS
        if not any(re.search(rf"{re.escape(op.path)}`.*\| {op.access} \|", row) for row in rows)
    ]
    assert missing == []


def test_every_metric_is_in_the_operations_document() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    families = [f for f in Metrics().registry.collect() if not f.name.startswith("process_")]
    names = [f"{f.name}_total" if f.type == "counter" else f.name for f in families]
    assert [name for name in names if f"`{name}`" not in text] == []


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_that_is_named_exists(document: Path) -> None:
    known = {program: {words[0] for words in commands(group)} for program, group in PROGRAMS.items()}
    used = re.findall(
        r"(?:^|[\s`/])(incidentd|incidentctl) ([a-z][a-z-]+)", _code(document.read_text()), re.MULTILINE
    )
    assert [f"{program} {word}" for program, word in used if word not in known[program]] == []


def _code(text: str) -> str:
    """What stands in shell blocks and between backticks: elsewhere the names are words of a sentence."""
    found: list[str] = []
    fence: str | None = None
    for line in text.splitlines():
        if line.startswith("```"):
            fence = line[3:].strip() if fence is None else None
        elif fence is None:
            found += re.findall(r"`([^`]+)`", line)
        elif fence in {"", "sh", "bash"}:
            found.append(line)
    return "\n".join(found)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_has_a_help_text(program: str) -> None:
    group = PROGRAMS[program]
    context = click.Context(group)
    helps = {name: group.get_command(context, name) for name in group.list_commands(context)}
    assert [
        name for name, command in helps.items() if command is None or not command.get_short_help_str()
    ] == []
