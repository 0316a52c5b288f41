"""When what interrupts nobody is told: together, at fixed times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.hours import EVERY_DAY
from incidentd.domain.schedule_time import instant, wall

_LOOK_AHEAD = 8
"""Days: today, whose digest may have left, and one of each."""


@dataclass(frozen=True, slots=True)
class Digest:
    """One message to each mailbox of `channels`, on `days` at `at` by the clock on the wall."""

    time_zone: str
    """Name in the IANA database."""
    at: time
    channels: frozenset[str]
    days: frozenset[int] = EVERY_DAY
    """0 is Monday; at least one."""

    def following(self, now: datetime) -> datetime:
        """The first digest after `now` (UTC). Where clocks are changed there is one a day too."""
        zone = ZoneInfo(self.time_zone)
        today = datetime.combine(wall(now, zone).date(), self.at)
        days = [today + timedelta(days=n) for n in range(_LOOK_AHEAD)]
        return min(at for day in days if day.weekday() in self.days and (at := instant(day, zone)) > now)
