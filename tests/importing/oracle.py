"""Who is on duty by Grafana OnCall's own rule: iCalendar events for each turn, expanded by dateutil.

After `CustomOnCallShift.convert_to_ical` of its engine (engine/apps/schedules/models/custom_on_call_shift.py): each
turn is an event whose interval is that of the shift times the number of turns; it begins one rotation after the one
before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from dateutil.rrule import DAILY, FR, HOURLY, MO, SA, SU, TH, TU, WE, WEEKLY, rrule, weekday

DAYS: dict[str, weekday] = {"MO": MO, "TU": TU, "WE": WE, "TH": TH, "FR": FR, "SA": SA, "SU": SU}
_FREQ = {"hourly": HOURLY, "daily": DAILY, "weekly": WEEKLY}


def on_duty(shift: Mapping[str, Any], at: datetime) -> frozenset[str]:
    """People of the shift at the local time `at`."""
    length = timedelta(seconds=shift["duration"])
    return frozenset(
        user for users, begin in _events(shift, at) if begin <= at < begin + length for user in users
    )


def _events(shift: Mapping[str, Any], at: datetime) -> Iterator[tuple[list[str], datetime]]:
    """Who, and the begin of each occurrence until `at`."""
    start, days = datetime.fromisoformat(shift["start"]), shift.get("by_day")
    if shift["type"] == "single_event":
        yield shift["users"], start
    elif shift["type"] == "recurrent_event":
        yield from ((shift["users"], begin) for begin in _rule(shift, start, shift["interval"], at))
    elif shift["frequency"] == "daily" and days:
        yield from _day_by_day(shift, start, at)
    else:
        turns = _queue(shift)
        for turn, begin in zip(turns, _first_of_each(shift, start), strict=False):
            yield from ((turn, each) for each in _rule(shift, begin, shift["interval"] * len(turns), at))


def _queue(shift: Mapping[str, Any]) -> list[list[str]]:
    first = shift["start_rotation_from_user_index"]
    queue: list[list[str]] = shift["rolling_users"][first:] + shift["rolling_users"][:first]
    return queue


def _rule(shift: Mapping[str, Any], start: datetime, interval: int, at: datetime) -> Iterator[datetime]:
    days = [DAYS[day] for day in shift.get("by_day") or ()]
    week = DAYS[shift.get("week_start") or "SU"]
    freq = _FREQ[shift["frequency"]]
    yield from rrule(freq, dtstart=start, interval=interval, byweekday=days or None, wkst=week, until=at)


def _first_of_each(shift: Mapping[str, Any], start: datetime) -> Iterator[datetime]:
    """When each turn begins for the first time."""
    step = timedelta(hours=1) if shift["frequency"] == "hourly" else timedelta(days=1)
    if shift["frequency"] != "weekly":
        yield from (start + step * shift["interval"] * number for number in count())
        return
    yield start
    week = start - timedelta(days=(start.weekday() - DAYS[shift["week_start"]].weekday) % 7)
    for number in count(1):
        begin = week + timedelta(weeks=shift["interval"] * number)
        days = {DAYS[day].weekday for day in shift.get("by_day") or ()} or {start.weekday()}
        yield next(day for after in range(7) if (day := begin + timedelta(days=after)).weekday() in days)


def _day_by_day(
    shift: Mapping[str, Any], start: datetime, at: datetime
) -> Iterator[tuple[list[str], datetime]]:
    """Each selected day is the next one's, in runs as long as the interval."""
    turns = _queue(shift)
    days = rrule(DAILY, dtstart=start, byweekday=[DAYS[day] for day in shift["by_day"]], until=at)
    for number, begin in enumerate(islice(days, 2000)):
        yield turns[number // shift["interval"] % len(turns)], begin
