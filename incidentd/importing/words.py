"""The report for people and for programs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

from incidentd.importing.report import Entry, Outcome, Report


def as_json(report: Report) -> str:
    """The report as one JSON object: `summary`, `objects` with their `fields`, `commands`, `disabled_routes`."""
    found = {
        "summary": {outcome.value: report.count(outcome) for outcome in Outcome},
        "objects": [asdict(entry) for entry in report.entries],
        "commands": report.commands,
        "disabled_routes": report.disabled,
    }
    return json.dumps(found, indent=2, ensure_ascii=True) + "\n"


def as_text(report: Report, tool: str = "Grafana OnCall") -> str:
    """The report as people read it, what needs attention marked; nothing in it moves a cursor."""
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
    lines = [f"{tool} import: {len(report.entries)} objects: {counts}"]
    ordered = sorted(report.entries, key=lambda entry: entry.kind)
    for kind, entries in groupby(ordered, key=lambda entry: entry.kind):
        lines += ["", kind]
        for entry in entries:
            lines += _entry(entry)
    if report.commands:
        lines += ["", "Run these once incidentd has the configuration", *report.commands]
    if report.disabled:
        lines += ["", "Routes to finish by hand", *report.disabled]
    return "\n".join(map(plain, lines)) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    name = f"{entry.name} ({entry.id})" if entry.name else entry.id
    becomes = f" -> {', '.join(entry.becomes)}" if entry.becomes else ""
    yield f"  {entry.outcome.upper():<13} {name}{becomes}" + (f": {entry.reason}" if entry.reason else "")
    plain = [each for each in entry.fields if each.outcome is Outcome.MAPPED]
    if plain:
        yield f"      mapped: {', '.join(each.field for each in plain)}"
    others = [each for each in entry.fields if each.outcome is not Outcome.MAPPED]
    others.sort(key=lambda each: (each.outcome, each.reason))
    for (outcome, reason), found in groupby(others, key=lambda each: (each.outcome, each.reason)):
        yield f"      {outcome}: {', '.join(each.field for each in found)}: {reason}"


def plain(line: str) -> str:
    """One line without anything that could move a cursor, reorder letters or begin another line."""
    return "".join(char for char in line if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
