"""A report as CSV, Markdown, or one stand-alone page. Titles and names are strangers' words: each form escapes them."""

from __future__ import annotations

import csv
import enum
import io
import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from incidentd.rendering.sections import Section, instant, sections
from incidentd.rendering.svg import bars

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
_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|!~])")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_FORMULA: Final = ("=", "+", "-", "@")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1rem}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;"
    "text-align:left;vertical-align:top}th{background:#f4f6f8}h2{margin-top:2rem}svg{max-width:100%;height:auto}"
)


def rendered(report: Json, form: Format) -> str:
    """The report, as the API answers it, in another form."""
    return _RENDERERS[form](report)


def heading(report: Json) -> str:
    """What the report is about, in one line of unchecked words."""
    of = f" of {report['service']}" if report["service"] else ""
    return f"Incidents{of}, {instant(report['from'])} to {instant(report['to'])}"


def _json(report: Json) -> str:
    return json.dumps(report, default=lambda value: value.isoformat(), indent=2) + "\n"


def _csv(report: Json) -> str:
    """One line for each cell, so that no section forces its columns on another."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(("section", "name", "figure", "value"))
    for section in sections(report):
        for name, *cells in section.rows:
            for column, cell in zip(section.columns[1:], cells, strict=True):
                if cell not in {"", "-"}:
                    writer.writerow([_harmless(part) for part in (section.title, name, column, cell)])
    return target.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet would run what looks like a formula."""
    plain = _CONTROLS.sub(" ", cell)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def _markdown(report: Json) -> str:
    lines = [f"# {_marked(heading(report))}", ""]
    for section in sections(report):
        lines += [
            f"## {_marked(section.title)}",
            "",
            _row(section.columns),
            "|" + "---|" * len(section.columns),
        ]
        lines += [_row(row) for row in section.rows]
        lines.append("")
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_marked, cells)) + " |"


def _marked(text: str) -> str:
    return _MARKS.sub(r"\\\1", _CONTROLS.sub(" ", text))


def _html(report: Json) -> str:
    title = escape(_CONTROLS.sub(" ", heading(report)))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>{title}</h1>'
        + "".join(map(_part, sections(report)))
        + "</body></html>\n"
    )


def _part(section: Section) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in section.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in section.rows
    )
    plain = tuple([(_CONTROLS.sub(" ", name), length, words) for name, length, words in section.bars])
    chart = bars(section.title, plain) if plain else ""
    return f"<h2>{_text(section.title)}</h2>{chart}<table><tr>{head}</tr>{body}</table>"


def _text(cell: str) -> str:
    return escape(_CONTROLS.sub(" ", cell))


_RENDERERS = {Format.JSON: _json, Format.CSV: _csv, Format.MD: _markdown, Format.HTML: _html}
