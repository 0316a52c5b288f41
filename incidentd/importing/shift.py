"""An on-call shift of Grafana OnCall as its engine reads it: occurrences of an iCalendar rule, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.schedule_time import instant, wall
from incidentd.importing.checks import DAYS, moment
from incidentd.importing.report import Account

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_REACH = 40_000
"""Days looked through for an occurrence: more than a century."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Times without a zone are local to `zone`."""

    id: str
    name: str
    type: str
    zone: str
    level: int
    start: datetime
    rotation_start: datetime
    duration: timedelta
    frequency: str | None
    interval: int
    until: datetime | None
    """No occurrence begins after it. OnCall reads it as UTC; here it is local already."""
    week_start: int
    by_day: frozenset[int]
    turns: tuple[tuple[str, ...], ...]
    """IDs of users, in order; of a shift without turns all its users are one."""
    web: bool
    """Made on OnCall's web page: what runs when the rotation begins counts too."""

    @property
    def rolling(self) -> bool:
        """True if there are turns."""
        return self.type == "rolling_users" and len(self.turns) > 1


def parse(account: Account, schedule_zone: str, *, web: bool) -> Shift:
    """The shift as a schedule with that zone reads it; whole minutes."""
    zone = str(account.get("time_zone") or schedule_zone)
    start = _minute(moment(account.get("start")))
    until = moment(account.get("until"))
    wide = account.get("type") == "rolling_users"
    rotation = moment(account.get("rotation_start")) if wide else None
    return Shift(
        id=account.id,
        name=account.name or account.id,
        type=str(account.get("type")),
        zone=zone,
        level=int(account.get("level") or 0),
        start=start,
        rotation_start=_minute(rotation) if rotation is not None else start,
        duration=timedelta(seconds=int(account.get("duration"))) // _MINUTE * _MINUTE,
        frequency=account.get("frequency"),
        interval=int(account.get("interval") or 1),
        until=wall(instant(until, ZoneInfo("UTC")), ZoneInfo(zone)) if until is not None else None,
        week_start=DAYS.index(account.get("week_start") or "SU"),
        by_day=frozenset(DAYS.index(day) for day in account.get("by_day") or ()),
        turns=_turns(account, wide=wide),
        web=web,
    )


def _turns(account: Account, *, wide: bool) -> tuple[tuple[str, ...], ...]:
    if not wide:
        users = tuple(dict.fromkeys(account.get("users") or ()))
        return (users,) if users else ()
    turns = [tuple(dict.fromkeys(turn)) for turn in account.get("rolling_users") or ()]
    first = int(account.get("start_rotation_from_user_index") or 0)
    return tuple(turn for turn in (*turns[first:], *turns[:first]) if turn)


def _minute(at: datetime | None) -> datetime:
    if at is None:
        raise ValueError("a shift without a start; checked before")
    return at.replace(second=0, microsecond=0)


def week_of(at: datetime, week_start: int) -> datetime:
    """Midnight of the day on which the week around `at` began."""
    day = at.replace(hour=0, minute=0)
    return day - DAY * ((day.weekday() - week_start) % 7)


def plain(shift: Shift) -> Shift:
    """The same with the simplest frequency: hours that make days, days that make weeks; weekly names its days."""
    if shift.frequency == "hourly" and shift.interval % 24 == 0 and not shift.by_day:
        shift = replace(shift, frequency="daily", interval=shift.interval // 24)
    if shift.frequency == "daily" and shift.interval % 7 == 0 and not shift.by_day:
        day = shift.start.weekday()
        shift = replace(shift, frequency="weekly", interval=shift.interval // 7, week_start=day)
    if shift.type == "rolling_users" and shift.frequency == "daily" and shift.by_day and not shift.rolling:
        shift = replace(shift, interval=1)
    if shift.frequency == "weekly" and not shift.by_day:
        shift = replace(shift, by_day=frozenset({shift.start.weekday()}))
    return shift


def begins(shift: Shift) -> datetime:
    """When the first turn begins: a rotation whose start is on none of its days waits for the first of a week."""
    weekday = shift.start.weekday()
    if shift.type != "rolling_users" or not shift.by_day or weekday in shift.by_day:
        return shift.start
    first = min(shift.by_day, key=lambda day: (day - shift.week_start) % 7)
    return shift.start + DAY * ((first - weekday) % 7)


def occurs(shift: Shift, at: datetime) -> bool:
    """True if an occurrence begins on the day of `at`. Not for hourly shifts."""
    if shift.by_day and at.weekday() not in shift.by_day:
        return False
    first = begins(shift)
    if shift.frequency == "daily":
        by_turns = shift.rolling and bool(shift.by_day)
        return by_turns or not (at.date() - first.date()).days % shift.interval
    weeks = (week_of(at, shift.week_start) - week_of(first, shift.week_start)) // WEEK
    return weeks % shift.interval == 0


def _steps(shift: Shift, start: datetime, step: timedelta) -> Iterator[datetime]:
    at = start
    for _ in range(_REACH):
        if shift.frequency == "hourly" or occurs(shift, at):
            yield at
        at += step
        if at.year < 1970 or at.year > 2199:  # noqa: PLR2004 - the years that our calendar knows
            return


def first(shift: Shift) -> datetime | None:
    """When the first occurrence begins that counts, by `rotation_start`; None if there is none."""
    step = HOUR * shift.interval if shift.frequency == "hourly" else DAY
    start = begins(shift)
    late = shift.duration if shift.web else timedelta()
    for at in _steps(shift, start, step):
        if at >= shift.rotation_start or (shift.web and at + late > shift.rotation_start):
            return at
    return None


def ends(shift: Shift) -> datetime | None:
    """When the last occurrence is over; None if there is no last one, the start if there is none at all."""
    if shift.until is None:
        return None
    start = begins(shift)
    if shift.until < start:
        return start
    if shift.frequency == "hourly":
        step = HOUR * shift.interval
        return start + (shift.until - start) // step * step + shift.duration
    day = start + DAY * ((shift.until - start) // DAY)
    last = next((at for at in _steps(shift, day, -DAY) if at >= start), None)
    return start if last is None else last + shift.duration
