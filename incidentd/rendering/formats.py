"""A report as CSV, Markdown, or one stand-alone page. Titles and names are strangers' words: each form escapes them."""

from __future__ import annotations

import csv
import enum
import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from incidentd.rendering import page
from incidentd.rendering.escape import cell, marked
from incidentd.rendering.sections import Section, instant, sections, span
from incidentd.rendering.svg import bars, columns

Json = Mapping[str, Any]


class Format(enum.StrEnum):
    """What a report can be answered as."""

    JSON = "json"
    CSV = "csv"
    MD = "md"
    HTML = "html"


CONTENT_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json; charset=utf-8",
    Format.CSV: "text/csv; charset=utf-8",
    Format.MD: "text/markdown; charset=utf-8",
    Format.HTML: "text/html; charset=utf-8",
}
PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Content-Security-Policy of a page that brings its own style, and nothing that runs."""


def rendered(report: Json, form: Format) -> str:
    """The report, as the API answers it, in another form."""
    return _RENDERERS[form](report)


def heading(report: Json) -> str:
    """What the report is about, in one line of unchecked words."""
    of = f" of {report['service']}" if report["service"] else ""
    return f"Incidents{of}, {instant(report['from'])} to {instant(report['to'])}"


def as_json(document: Json) -> str:
    """A document as text; instants and days in ISO 8601."""
    return json.dumps(document, default=lambda value: value.isoformat(), indent=2) + "\n"


def _csv(report: Json) -> str:
    """One line for each cell, so that no section forces its columns on another."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(("section", "name", "figure", "value"))
    for section in sections(report):
        for name, *cells in section.rows:
            for column, value in zip(section.columns[1:], cells, strict=True):
                if value not in {"", "-"}:
                    writer.writerow([cell(part) for part in (section.title, name, column, value)])
    return target.getvalue()


def _markdown(report: Json) -> str:
    lines = [f"# {marked(heading(report))}", ""]
    for section in sections(report):
        lines += [f"## {marked(section.title)}", "", *markdown_table(section.columns, section.rows), ""]
    return "\n".join(lines)


def markdown_table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> list[str]:
    """The lines of a table of unchecked words."""
    return [_row(head), "|" + "---|" * len(head), *[_row(row) for row in rows]]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(marked, cells)) + " |"


def _html(report: Json) -> str:
    first, *rest = [_part(section) for section in sections(report)]
    return page.page(heading(report), [first, _over_time(report), *rest])


def _part(section: Section) -> str:
    chart = bars(section.title, section.bars) if section.bars else ""
    return page.heading(section.title) + chart + page.table(section.title, section.columns, section.rows)


def _over_time(report: Json) -> str:
    """Two drawings; a report of an earlier version has no steps."""
    steps = [(_moment(step["from"]), step) for step in report.get("over_time") or []]
    if not any(step["opened"] or step["mttr_seconds"] is not None for _, step in steps):
        return ""
    opened = [(at, float(step["opened"])) for at, step in steps]
    repairs = [(at, float(step["mttr_seconds"] or 0)) for at, step in steps]
    most, longest = max(value for _, value in opened), max(value for _, value in repairs)
    hour, day = 3600, 86400
    length = (_moment(steps[-1][1]["to"]) - steps[-1][0]).total_seconds()
    each = "hour" if length <= hour else "day" if length <= day else "week"
    return (
        page.heading(f"Incidents by {each}")
        + columns(f"Incidents opened by {each}", opened, f"opened by {each}, at most {most:g}")
        + columns(f"MTTR by {each}", repairs, f"MTTR by {each}, at most {span(longest)}")
    )


def _moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


_RENDERERS = {Format.JSON: as_json, Format.CSV: _csv, Format.MD: _markdown, Format.HTML: _html}
