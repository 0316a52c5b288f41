"""When the report of a month is due: from a time of its first day on, and not long after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

LATENESS = timedelta(days=7)
"""A report that could not leave for longer, or was configured later, is left out: nobody expects it."""


@dataclass(frozen=True, slots=True)
class Month:
    """The month that has ended."""

    name: str
    """Such as ``2026-10``."""
    since: datetime
    until: datetime


def due(now: datetime, time_zone: str, at: time) -> Month | None:
    """The month whose report is to leave `now`; None outside the days on which one is."""
    zone = ZoneInfo(time_zone)
    first = now.astimezone(zone).date().replace(day=1)
    leaves = datetime.combine(first, at, zone).astimezone(UTC)
    if not leaves <= now < leaves + LATENESS:
        return None
    last = (first - timedelta(days=1)).replace(day=1)
    since, until = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (last, first))
    return Month(f"{last:%Y-%m}", since, until)
