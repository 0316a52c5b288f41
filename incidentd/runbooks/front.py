"""The front matter of a runbook: what it is for, and who answers for it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from incidentd.config.schema import schema_of
from incidentd.config.section import MatcherField, Section
from incidentd.domain.severity import Severity

_LONGEST = 200


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise ValueError("is not a day; accepted: a date such as 2026-11-21")


def _version(value: object) -> object:
    if isinstance(value, float):
        raise ValueError("is a number with a point; put it in quotes, or 1.10 would be 1.1")  # noqa: TRY004 - pydantic wants ValueError
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Day = Annotated[date, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Severities = Annotated[
    tuple[Severity, ...],
    BeforeValidator(_several),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [severity.value for severity in Severity]},
                {"type": "array", "items": {"enum": [severity.value for severity in Severity]}},
            ]
        }
    ),
]
"""One severity, or a list of them."""
_Short = Annotated[str, Field(min_length=1, max_length=_LONGEST)]


class FrontMatter(Section):
    """What stands between the two lines `---` at the beginning of a runbook."""

    match: tuple[MatcherField, ...] = Field(min_length=1)
    """Label matchers in Alertmanager's syntax. All must hold for the labels of the incident as it opens; the severity
    label has the value that it is mapped to."""
    service: _Short | None = None
    """The service it is for; without it: any."""
    severity: Severities = ()
    """The severity it is for, or a list; without it: all."""
    owner: _Short | None = None
    """Who keeps it right."""
    version: Annotated[_Short, BeforeValidator(_version)] | None = None
    """What its owner calls this version."""
    tested: Day | None = None
    """The day on which somebody last went through it."""


def front_matter_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the front matter."""
    return {**schema_of(FrontMatter), "title": "incidentd runbook front matter"}
