"""Texts with placeholders, such as ``{label.cluster|upper|truncate:80|default:-}``. Pure.

There is no logic in them: no loop, no condition, no attribute, no call. A text is parsed once, against a closed list
of fields and eight filters; filling it in takes time in proportion to what comes out, which is 4 KiB at most. What an
alert carries is only ever filled in, never parsed.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

MAX_TEXT = 4096
"""Characters that a text with placeholders may have, and bytes of what comes of it."""
MAX_PLACEHOLDERS = 100

Value = str | int | datetime | tuple[str, ...] | None


class Kind(enum.StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    LIST = "list"


FIELDS: Mapping[str, Kind] = {
    "incident.ref": Kind.TEXT,
    "incident.title": Kind.TEXT,
    "severity": Kind.TEXT,
    "state": Kind.TEXT,
    "service": Kind.TEXT,
    "alerts_firing": Kind.NUMBER,
    "alerts_total": Kind.NUMBER,
    "alerts": Kind.LIST,
    "labels": Kind.LIST,
    "since": Kind.INSTANT,
    "duration": Kind.TEXT,
    "url": Kind.TEXT,
    "runbook_url": Kind.TEXT,
    "notice": Kind.TEXT,
    "actor": Kind.TEXT,
    "comment": Kind.TEXT,
}
"""The fields that have a name of their own."""
FAMILIES = ("label", "annotation")
"""Fields that are named after what an alert carries: ``label.cluster``, ``annotation.summary``."""

TIME_FORMATS: Mapping[str, str] = {
    "full": "%Y-%m-%d %H:%M UTC",
    "date": "%Y-%m-%d",
    "clock": "%H:%M UTC",
    "iso": "%Y-%m-%dT%H:%M:%SZ",
}
"""What ``time:`` takes."""


class PlaceholderError(ValueError):
    """A text that cannot be used: where, what is wrong, what is accepted."""


class Step(NamedTuple):
    """One filter with its argument, empty where it takes none."""

    filter: str
    argument: str


class Placeholder(NamedTuple):
    """One ``{field|filter|...}``."""

    field: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text: literal pieces and placeholders, in order."""

    parts: tuple[str | Placeholder, ...]


class _Filter(NamedTuple):
    run: Callable[[Value, str], str]
    wants: Kind | None = None
    """The kind of value it is for; None for any."""
    argument: Callable[[str], str] | None = None
    """What is wrong with an argument, empty if nothing; None for filters that take none."""


def parse(text: str) -> Template:
    """`text` ready to be filled in. Raises PlaceholderError naming the column and what is accepted there."""
    if len(text) > MAX_TEXT:
        raise PlaceholderError(f"is {len(text)} characters long; accepted: at most {MAX_TEXT}")
    parts: list[str | Placeholder] = []
    end = 0
    for token in _TOKEN.finditer(text):
        parts += _literal(text[end : token.start()])
        end = token.end()
        found = token[0]
        if found in _DOUBLED:
            parts.append(found[0])
        elif token["inside"] is None:
            raise PlaceholderError(f"{_column(text, token.start())}: {_LONELY[found]}")
        else:
            parts.append(_placeholder(text, token.start("inside"), token["inside"]))
    if sum(isinstance(part, Placeholder) for part in parts) > MAX_PLACEHOLDERS:
        raise PlaceholderError(f"has too many placeholders; accepted: at most {MAX_PLACEHOLDERS}")
    return Template((*parts, *_literal(text[end:])))


def render(template: Template, values: Mapping[str, Value]) -> str:
    """`template` filled in from `values`, in at most `MAX_TEXT` bytes of UTF-8; what is not there is empty."""
    out: list[str] = []
    room = MAX_TEXT
    for part in template.parts:
        piece = part if isinstance(part, str) else _filled(part, values)
        # Every character is a byte at least, so cutting by characters first loses nothing.
        data = piece[:room].encode(errors="replace")[:room]
        out.append(data.decode(errors="ignore"))
        room -= len(data)
        if room <= 0:
            break
    return "".join(out)


def _literal(text: str) -> Iterator[str]:
    if text:
        yield text


def _placeholder(text: str, start: int, inside: str) -> Placeholder:
    """Parse what stands between the braces, which begin before `start`."""
    field, *filters = inside.split("|")
    kind = _kind_of(text, start, field.strip())
    steps = []
    at = start + len(field) + 1
    for written in filters:
        step = _step(text, at, written, kind)
        steps.append(step)
        kind = Kind.TEXT
        at += len(written) + 1
    return Placeholder(field.strip(), tuple(steps))


def _kind_of(text: str, at: int, field: str) -> Kind:
    family, _, name = field.partition(".")
    if family in FAMILIES and name:
        return Kind.TEXT
    if field not in FIELDS:
        accepted = ", ".join((*FIELDS, *(f"{family}.NAME" for family in FAMILIES)))
        what = f'"{field}" is no field; accepted: {accepted}{_nearest(field, FIELDS)}'
        raise PlaceholderError(f"{_column(text, at)}: {what}")
    return FIELDS[field]


def _step(text: str, at: int, written: str, kind: Kind) -> Step:
    name, colon, argument = written.partition(":")
    name = name.strip()
    known = _FILTERS.get(name)
    if known is None:
        problem = f'"{name}" is no filter; accepted: {", ".join(_FILTERS)}{_nearest(name, _FILTERS)}'
    elif known.wants not in {None, kind}:
        fields = ", ".join(field for field, found in FIELDS.items() if found is known.wants)
        problem = f'"{name}" does not fit here; accepted: directly after {fields}'
    elif known.argument is None:
        problem = f'"{name}" takes nothing after it; accepted: {name}' if colon else ""
    else:
        problem = known.argument(argument)
    if problem:
        raise PlaceholderError(f"{_column(text, at)}: {problem}")
    return Step(name, argument)


def _filled(placeholder: Placeholder, values: Mapping[str, Value]) -> str:
    value = _bounded(values.get(placeholder.field))
    for step in placeholder.steps:
        # Bounded again after each filter: some make their text longer.
        value = _FILTERS[step.filter].run(value, step.argument)[:MAX_TEXT]
    return _text(value)


def _bounded(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(item[:MAX_TEXT] for item in value[:MAX_PLACEHOLDERS])
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _text(value: Value) -> str:
    if isinstance(value, datetime):
        return _time(value, "full")
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)


def _time(value: Value, form: str) -> str:
    if not isinstance(value, datetime):
        return _text(value)
    return value.astimezone(UTC).strftime(TIME_FORMATS[form or "full"])


def _truncate(value: Value, argument: str) -> str:
    text, limit = _text(value), int(argument)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "\u2026"


def _join(value: Value, separator: str) -> str:
    return separator.join(value) if isinstance(value, tuple) else _text(value)


def _wrong_length(argument: str) -> str:
    good = _NUMBER.fullmatch(argument) and 1 <= int(argument) <= MAX_TEXT
    return "" if good else f'"truncate" needs a length; accepted: 1 to {MAX_TEXT}, such as truncate:80'


def _wrong_time(argument: str) -> str:
    if not argument or argument in TIME_FORMATS:
        return ""
    accepted = ", ".join(f"time:{form}" for form in TIME_FORMATS)
    return f'"{argument}" is no form of a time; accepted: {accepted}{_nearest(argument, TIME_FORMATS)}'


def _any_text(_argument: str) -> str:
    return ""


def _nearest(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word.lower()[:80], known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _column(text: str, at: int) -> str:
    """Where `at` is for people: the column, and the line if there are several; both from 1."""
    before = text[:at]
    column = f"column {at - before.rfind(chr(10))}"
    return column if "\n" not in text else f"line {before.count(chr(10)) + 1}, {column}"


_FILTERS: Mapping[str, _Filter] = {
    "upper": _Filter(lambda value, _: _text(value).upper()),
    "lower": _Filter(lambda value, _: _text(value).lower()),
    "title": _Filter(lambda value, _: _text(value).title()),
    "truncate": _Filter(_truncate, argument=_wrong_length),
    "default": _Filter(lambda value, other: _text(value) or other, argument=_any_text),
    "urlencode": _Filter(lambda value, _: quote(_text(value), safe="", errors="replace")),
    "time": _Filter(_time, Kind.INSTANT, _wrong_time),
    "join": _Filter(_join, Kind.LIST, _any_text),
}
FILTERS = tuple(_FILTERS)
"""The names of the filters."""

_DOUBLED = ("{{", "}}")
_LONELY = {
    "{": 'a "{" is not closed; accepted: {field}, or {{ for a brace',
    "}": 'a "}" closes nothing; accepted: }} for a brace',
}
# Each alternative begins with a brace and the inside holds none, so a text is read in one pass.
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<inside>[^{}]*)\}|[{}]")
_NUMBER = re.compile(r"[0-9]{1,6}")
