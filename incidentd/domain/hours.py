"""Hours of the day in a time zone of their own: when people work, and when they sleep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` until just before `end` by the clock on the wall, on the days they begin.

    With an `end` that is not later than `start` they last into the next day: 22:00 to 07:00, or a whole day.
    """

    time_zone: str
    """Name in the IANA database."""
    start: time
    end: time
    days: frozenset[int] = EVERY_DAY
    """Days on which they begin; 0 is Monday."""
    outside: bool = False
    """What is meant is all other time."""

    def hold(self, at: datetime) -> bool:
        """True if `at` is meant."""
        return (self._began(at) is not None) is not self.outside

    def over(self, at: datetime) -> datetime:
        """When the hours around `at` end (UTC); `at` itself if it lies in none. Not for those with `outside`."""
        zone = ZoneInfo(self.time_zone)
        # Whole days may follow on one another; a week of them has no end, and is cut after it.
        for _ in EVERY_DAY:
            began = self._began(at)
            if began is None:
                break
            day = began + _DAY if self.end <= self.start else began
            at = datetime.combine(day, self.end, zone).astimezone(UTC)
        return at

    def _began(self, at: datetime) -> datetime | None:
        """Midnight of the local day on which the hours around `at` began; None if it lies in none."""
        local = at.astimezone(ZoneInfo(self.time_zone))
        today = datetime.combine(local.date(), time())
        clock = local.time()
        overnight = self.end <= self.start
        if today.weekday() in self.days and clock >= self.start and (overnight or clock < self.end):
            return today
        yesterday = today - _DAY
        if overnight and yesterday.weekday() in self.days and clock < self.end:
            return yesterday
        return None
