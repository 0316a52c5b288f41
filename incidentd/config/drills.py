"""`drills`: pages that are tried by plan, so that the way to people is known to work."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, NamedTuple

from pydantic import Field, PlainValidator, WithJsonSchema

from incidentd.config.escalation import TargetText
from incidentd.config.section import PositiveDuration, Section, TimeZone
from incidentd.domain.drill import Plan
from incidentd.domain.escalation import parse_target
from incidentd.domain.hours import EVERY_DAY
from incidentd.domain.severity import Severity

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_TIMES = re.compile(rf"(?:({_DAY}(?: ?, ?{_DAY})*) +)?([01]?[0-9]|2[0-3]):([0-5][0-9])")
_ACCEPTED = 'is no time of a week; accepted: "Mon 10:00", "Mon,Thu 10:00", or "10:00" for every day'


class Times(NamedTuple):
    """When in a week, by the clock on the wall."""

    days: frozenset[int]
    """0 is Monday."""
    at: time


def _times(value: object) -> Times:
    if isinstance(value, Times):
        return value
    found = _TIMES.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(_ACCEPTED)
    days, hour, minute = found.groups()
    named = frozenset(_DAYS.index(day) for day in days.replace(" ", "").split(",")) if days else EVERY_DAY
    return Times(named, time(int(hour), int(minute)))


TimesText = Annotated[
    Times,
    PlainValidator(_times),
    WithJsonSchema({"type": "string", "examples": ["Mon 10:00", "Mon,Thu 10:00", "10:00"]}),
]
"""Days of a week, and a time."""


class DrillPlan(Section):
    """A drill that comes again. It pages for real; a failed one is an incident."""

    at: TimesText
    """When: `"Mon 10:00"`, `"Mon,Thu 10:00"`, or `"10:00"` for every day."""
    time_zone: TimeZone
    """The IANA time zone in which it is meant."""
    severity: Severity = Severity.CRITICAL
    """Of its alert: decides the route, and how urgent it is to people."""
    service: str = ""
    """Label `service` of its alert: decides the route."""
    notify: tuple[TargetText, ...] | None = Field(default=None, min_length=1)
    """`channel:NAME`, `user:NAME`, `schedule:NAME` or a channel's name, in the place of the route; absent: whom the
    route says, with its escalation."""
    wait: PositiveDuration = timedelta(minutes=5)
    """By then every page must have been accepted, or it has failed."""

    def plan(self, name: str) -> Plan:
        """The same for the domain."""
        return Plan(
            name=name,
            at=self.at.at,
            time_zone=self.time_zone,
            severity=self.severity,
            days=self.at.days,
            service=self.service,
            targets=None if self.notify is None else tuple(map(parse_target, self.notify)),
            wait=self.wait,
        )
