"""What the CLI writes: tables, times and safe text.

Alert authors write titles, labels and annotations, so every string of the
server passes `clean` before it reaches a terminal.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

# Terminal sequences: CSI, then the string kinds (OSC, DCS, SOS, PM, APC), then two-byte ones.
# A string without its terminator is not matched: otherwise one byte could hide all text after it.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-OQ-WYZ\\`-~]"
)
# Controls, bidirectional overrides ("Trojan Source", CVE-2021-42574), separators and lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_SPACE_LIKE = "\t\n\r\v\f\u2028\u2029"
_STYLES = {
    "critical": "bold red",
    "warning": "yellow",
    "triggered": "bold red",
    "firing": "red",
    "dead": "bold red",
    "broken": "bold red",
    "unhealthy": "bold red",
    "degraded": "yellow",
    "throttled": "yellow",
    "acknowledged": "yellow",
    "resolved": "green",
    "sent": "green",
    "healthy": "green",
    "nobody": "bold red",
}
_JUST_NOW, _MINUTE, _HOUR, _DAY = 10, 60, 3600, 86400


def clean(value: object, *, lines: bool = False) -> str:
    """Return `value` as text that cannot move a cursor, change a colour or reorder letters.

    `None` is the empty text. `lines` keeps line feeds; otherwise the result is one line.
    """
    if value is None:
        return ""

    def replace(match: re.Match[str]) -> str:
        char = match.group()
        if char == "\n" and lines:
            return char
        return " " if char in _SPACE_LIKE else ("\ufffd" if "\ud800" <= char <= "\udfff" else "")

    return _UNSAFE.sub(replace, _SEQUENCE.sub("", str(value))).strip("\n")


def echo_json(body: bytes) -> None:
    """Print the bytes the API answered.

    JSON escapes C0 controls by itself. On a terminal the other unsafe characters become
    JSON escapes too: the same document, but inert.
    """
    text = body.rstrip(b"\r\n")
    if sys.stdout.isatty():
        text = _UNSAFE.sub(_escape, text.decode("utf-8", "replace")).encode()
    click.echo(text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    # Line feeds and tabs outside strings are layout; inside strings JSON cannot hold them raw.
    return char if char in "\n\r\t" else f"\\u{ord(char):04x}"


def parse_time(value: object) -> datetime | None:
    """Read an RFC 3339 time; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def when(value: object, now: datetime, *, seconds: bool = False) -> str:
    """Return an API time in the local zone with its age: `2026-11-21 08:51 (4 min ago)`."""
    parsed = parse_time(value)
    if parsed is None:
        return clean(value)
    try:
        local = parsed.astimezone()
    except OverflowError:  # year 1, which some senders use for "no time"
        return ""
    return (
        f"{local:%Y-%m-%d %H:%M:%S} ({age(parsed, now)})"
        if seconds
        else f"{local:%Y-%m-%d %H:%M} ({age(parsed, now)})"
    )


def age(then: datetime, now: datetime) -> str:
    """Return the distance in words: `just now`, `4 min ago`, `in 2 h`, `3 d ago`."""
    seconds = (now - then).total_seconds()
    distance = abs(seconds)
    if distance < _JUST_NOW:
        return "just now"
    for unit, size, limit in (("s", 1, _MINUTE), ("min", _MINUTE, _HOUR), ("h", _HOUR, 2 * _DAY)):
        if distance < limit:
            words = f"{int(distance // size)} {unit}"
            break
    else:
        words = f"{int(distance // _DAY)} d"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def span(seconds: object) -> str:
    """Return a length of time: `42 s`, `5 min 20 s`, `2 h 5 min`; `-` when there is none."""
    if not isinstance(seconds, int | float):
        return "-"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    for big, size, small, part in (
        ("min", _MINUTE, "s", 1),
        ("h", _HOUR, "min", _MINUTE),
        ("d", _DAY, "h", _HOUR),
    ):
        if whole < {"min": _HOUR, "h": 2 * _DAY}.get(big, sys.maxsize):
            rest = whole % size // part
            return f"{whole // size} {big} {rest} {small}" if rest else f"{whole // size} {big}"
    raise AssertionError


def ref(incident_id: object) -> str:
    """Return the name people use for an incident: `INC-12`; empty without one."""
    return "" if incident_id is None else f"INC-{clean(incident_id)}"


@dataclass(frozen=True)
class Table:
    """Rows under headings; cells are cleaned here, callers pass raw API values."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Append one row, one cell for each column."""
        self.rows.append([clean(cell) for cell in cells])


def table_of(
    items: Sequence[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], object]]
) -> Table:
    """Build a table from API objects: heading -> how to get the cell."""
    table = Table(list(columns))
    for item in items:
        table.add(*(cell(item) for cell in columns.values()))
    return table


def print_table(table: Table) -> None:
    """Print coloured columns that fit the window on a terminal, else plain aligned text."""
    if sys.stdout.isatty():
        _print_rich(table)
        return
    widths = [max(map(_width, column)) for column in zip(table.columns, *table.rows, strict=True)]
    for row in (table.columns, *table.rows):
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _print_rich(table: Table) -> None:
    # Imported here: rich costs a quarter of a short command's run time.
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(table.columns):
        grid.add_column(name, no_wrap=index == 0, overflow="fold")
    for row in table.rows:
        # Text objects, never markup: "[red]" in a title is a title.
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(highlight=False, markup=False, emoji=False).print(grid)


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print `name: value` lines with the values aligned; empty values are left out."""
    shown = [(name, clean(value, lines=True)) for name, value in fields if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0) + 1
    for name, value in shown:
        body = value.replace("\n", "\n" + " " * (width + 1))
        click.echo(f"{name + ':':<{width}} {body}")
