"""`maintenance`: planned times in which matching alerts tell nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, WithJsonSchema, model_validator

from incidentd.config.section import MatcherField, PositiveDuration, Section, TimeZone
from incidentd.domain.maintenance import Window, plan

WallTime = Annotated[
    datetime,
    WithJsonSchema({"type": "string", "examples": ["2027-01-03T02:00:00", "2027-01-03T02:00:00+01:00"]}),
]
"""A time that may do without an offset, which the format `date-time` of JSON Schema demands."""


class MaintenanceWindow(Section):
    """A planned time, once or again and again. One that comes and goes with the work is better made with
    `incidentctl maintenance add`.
    """

    name: str = Field(min_length=1, max_length=100)
    """What messages and incidents call it."""
    matchers: tuple[MatcherField, ...] = Field(min_length=1)
    """Which alerts it covers; all of them must hold."""
    starts: WallTime
    """Start of the first occurrence, on the clock of `time_zone` unless it has an offset: `2027-01-03T02:00:00`."""
    ends: WallTime | None = None
    """End of the first occurrence; or give `duration`."""
    duration: PositiveDuration | None = None
    """How long each occurrence lasts, at most `90d`; or give `ends`."""
    rrule: str | None = None
    """When it comes again, as in RFC 5545: `FREQ=WEEKLY;BYDAY=SU`. Without: it is once."""
    time_zone: TimeZone = "Etc/UTC"
    """The IANA time zone in which it is meant: 02:00 stays 02:00 when the clocks change."""

    @model_validator(mode="after")
    def _holds(self) -> Self:
        _ = self.window
        return self

    @property
    def window(self) -> Window:
        """The same for the domain."""
        if (self.ends is None) is (self.duration is None):
            raise ValueError("needs either ends or duration; accepted: exactly one of them")
        duration = self.duration
        if duration is None:
            duration = length(self.starts, self.ends or self.starts)
        return Window(self.name, self.matchers, plan(self.starts, duration, self.time_zone, self.rrule))


def length(starts: datetime, ends: datetime) -> timedelta:
    """From `starts` to `ends`. Raises ValueError if only one has an offset."""
    if (starts.tzinfo is None) is not (ends.tzinfo is None):
        raise ValueError("starts and ends must both have an offset, or neither")
    if starts.tzinfo is None:
        return ends - starts
    return ends.astimezone(UTC) - starts.astimezone(UTC)
