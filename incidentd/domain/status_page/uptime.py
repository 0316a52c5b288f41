"""Uptime: seconds in each state by days of the page's zone, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.facts import Day
from incidentd.domain.status_page.words import Status

WATCHING = timedelta(minutes=2)
"""A longer gap between two looks is time in which nobody watched: it counts for nothing."""
WINDOWS = (1, 30, 90)
"""Days over which uptime is told."""
FIELDS = {
    Status.OPERATIONAL: "operational",
    Status.DEGRADED: "degraded",
    Status.PARTIAL: "partial",
    Status.MAJOR: "major",
    Status.UNDER_MAINTENANCE: "maintenance",
}
"""Where a `Day` counts the seconds of each state."""


def spent(component: str, status: Status, since: datetime, until: datetime, zone: str) -> tuple[Day, ...]:
    """The time from `since` to `until` in one state, cut at the midnights of `zone`; nothing if nobody watched."""
    if not timedelta() < until - since <= WATCHING:
        return ()
    found: list[Day] = []
    here = ZoneInfo(zone)
    while since < until:
        today = since.astimezone(here).date()
        end = min(until, midnight(today + timedelta(days=1), here))
        seconds = (end - since).total_seconds()
        found.append(Day(component, today, **{FIELDS[status]: seconds}))
        since = end
    return tuple(found)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins there, in UTC; where the clocks skip it, an hour later."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def observed(day: Day) -> float:
    """Seconds that count: maintenance does not."""
    return day.operational + day.degraded + day.partial + day.major


def percent(days: Iterable[Day], partial_weight: float) -> float | None:
    """Uptime with two decimals, never rounded up: 100 only if nothing was down. None without data."""
    listed = list(days)
    total = math.fsum(map(observed, listed))
    if not total:
        return None
    down = math.fsum([day.major + partial_weight * day.partial for day in listed])
    # The last digits of a float must not make 99.99 of 100.
    exact = round(100 * (1 - down / total), 9)
    return min(math.floor(exact * 100) / 100, 100.0 if not down else 99.99)


def within(days: Sequence[Day], today: date, count: int) -> list[Day]:
    """Those of the last `count` days, today among them."""
    first = today - timedelta(days=count - 1)
    return [day for day in days if first <= day.day <= today]
