"""What every part of the configuration tree is built from."""

from __future__ import annotations

import zoneinfo
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

from incidentd.domain.matcher import Matcher, parse_matcher
from incidentd.fields import Duration


class Section(BaseModel):
    """A part of the tree: frozen, no unknown keys, no input in errors; its docstrings are the reference."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("is not above zero; accepted: a duration such as 30s, 5m or 1h30m")
    return value


def _matcher(value: object) -> Matcher:
    if isinstance(value, Matcher):
        return value
    if isinstance(value, str):
        return parse_matcher(value)
    raise ValueError("""is not a matcher; accepted: text such as 'severity="critical"'""")


def _time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A path outside the database is a ValueError, a folder of it ("Europe") an OSError.
        raise ValueError(f"{value!r} {_TIME_ZONES}") from None
    return value


_TIME_ZONES = "is not a time zone; accepted: a name of the IANA database, such as Europe/Berlin or Etc/UTC"

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
"""A duration above zero."""

MatcherField = Annotated[
    Matcher,
    PlainValidator(_matcher),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ['severity="critical"', 'job=~"api|web"']}),
]
"""One matcher in Alertmanager's syntax."""

TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""The name of a time zone in the IANA database."""
