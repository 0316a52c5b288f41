"""One layer of a schedule: a rotation, the hours it holds for, and when it begins and ends.

Everything that can be counted in local days is: a hand-off at 09:00 stays at 09:00 when clocks are changed. A rotation
of hours counts hours that pass, so that its turns stay equally long and its hand-offs move by the change.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.schedule_time import instant, wall

EVERY_DAY = frozenset(range(7))
DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_REACH = 16
"""Days looked at before and after a week. Restrictions repeat weekly; one opening may fall into a skipped hour."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How long a turn is: whole local days, or hours that pass."""

    length: timedelta
    """Above zero."""
    local: bool
    """True: `length` is a number of local days, and hand-offs keep their local time."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Who takes turns, from when on, and at which hours. Times without a zone are local to the schedule."""

    name: str
    users: tuple[tuple[str, ...], ...]
    """The turns in order; several people in one turn are on duty together."""
    rotation: Rotation
    start: datetime
    """Local: when the first turn begins."""
    days: frozenset[int] = EVERY_DAY
    """Monday is 0; the day on which the hours begin."""
    opens: timedelta = timedelta()
    """Since local midnight, below a day."""
    closes: timedelta = DAY
    """Since the same midnight; at most a day after `opens`."""
    since: datetime | None = None
    """Local: nobody is on duty by this layer before; None: `start`."""
    until: datetime | None = None
    """Local: nobody is on duty by this layer from then on."""

    @property
    def restricted(self) -> bool:
        """True if it does not hold around the clock."""
        return self.days != EVERY_DAY or self.closes - self.opens != DAY


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is on leave from `starts_at` until just before `ends_at`: no layer puts them on duty."""

    user: str
    starts_at: datetime
    ends_at: datetime

    def concerns(self, people: tuple[str, ...]) -> bool:
        """True if any of `people` is away by it."""
        return self.user in people

    def left(self, people: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `people` who are there all the same."""
        return tuple([each for each in people if each != self.user])


@dataclass(frozen=True, slots=True)
class Holiday:
    """A layer does not hold from `starts_at` until just before `ends_at`: by it nobody is on duty."""

    layer: str
    starts_at: datetime
    ends_at: datetime

    def concerns(self, people: tuple[str, ...]) -> bool:
        """True: it is everybody's."""
        return bool(people)

    def left(self, people: tuple[str, ...]) -> tuple[str, ...]:
        """None of `people`."""
        return people[:0]


Away = Absence | Holiday


@dataclass(frozen=True, slots=True)
class Span:
    """The longest period around an instant in which one answer holds; None is for ever."""

    people: tuple[str, ...]
    """Empty: nobody is on duty by this layer."""
    since: datetime | None = None
    until: datetime | None = None

    def within(self, other: Span) -> Span:
        """The same answer, for as long as `other` holds too."""
        sinces = [each for each in (self.since, other.since) if each is not None]
        untils = [each for each in (self.until, other.until) if each is not None]
        return replace(self, since=max(sinces, default=None), until=min(untils, default=None))


_NOBODY = Span(())


def span(layer: Layer, zone: ZoneInfo, absences: Iterable[Away], at: datetime) -> Span:
    """What the layer says at `at`; `absences` has holidays of this layer alone.

    Its turns do not run together; times with nobody do.
    """
    away = tuple(absences)
    found = _piece(layer, zone, away, at)
    if found.people:
        return found
    since, until = found.since, found.until
    while since is not None and not (before := _piece(layer, zone, away, since - _MOMENT)).people:
        since = before.since
    while until is not None and not (after := _piece(layer, zone, away, until)).people:
        until = after.until
    return Span((), since, until)


def _piece(layer: Layer, zone: ZoneInfo, absences: tuple[Away, ...], at: datetime) -> Span:
    begin = instant(max(layer.start, layer.since or layer.start), zone)
    end = instant(layer.until, zone) if layer.until is not None else None
    if at < begin:
        return Span((), None, begin)
    if end is not None and at >= end:
        return Span((), end, None)
    life = Span((), begin, end)
    opening = _opening(layer, zone, at) if layer.restricted else _NOBODY
    if isinstance(opening, _Closed):
        return Span((), opening.since, opening.until).within(life)
    found = _turn(layer, zone, at).within(opening).within(life)
    for absence in absences:
        if absence.concerns(found.people):
            found = _without(found, absence, at)
    return found


def _without(found: Span, absence: Away, at: datetime) -> Span:
    if at < absence.starts_at:
        return found.within(Span((), None, absence.starts_at))
    if at >= absence.ends_at:
        return found.within(Span((), absence.ends_at, None))
    return replace(found, people=absence.left(found.people)).within(
        Span((), absence.starts_at, absence.ends_at)
    )


def _turn(layer: Layer, zone: ZoneInfo, at: datetime) -> Span:
    """Whose turn it is, whatever the hours. `at` is not before the start."""
    if len(layer.users) == 1:
        return Span(layer.users[0])
    length, start = layer.rotation.length, instant(layer.start, zone)
    if not layer.rotation.local:
        number = (at - start) // length
        since, until = start + number * length, start + (number + 1) * length
    else:
        number = (wall(at, zone) - layer.start) // length
        # In autumn clocks show a time again that was before a hand-off, and the hand-off has happened all the same.
        while instant(layer.start + (number + 1) * length, zone) <= at:
            number += 1
        since = instant(layer.start + number * length, zone)
        until = instant(layer.start + (number + 1) * length, zone)
    return Span(layer.users[number % len(layer.users)], since, until)


@dataclass(frozen=True, slots=True)
class _Closed:
    """Outside the hours of a layer."""

    since: datetime
    until: datetime


def _opening(layer: Layer, zone: ZoneInfo, at: datetime) -> Span | _Closed:
    """The opening hours around `at`, or the time between two."""
    local = wall(at, zone).date()
    openings = _openings(layer, zone, local - timedelta(days=local.weekday()))
    index = bisect_right(openings, at, key=lambda opening: opening[0])
    since, until = openings[index - 1]
    return Span((), since, until) if at < until else _Closed(until, openings[index][0])


@functools.lru_cache(maxsize=1024)
def _openings(layer: Layer, zone: ZoneInfo, monday: date) -> tuple[tuple[datetime, datetime], ...]:
    """The times at which the layer holds in the weeks around `monday`, in order; those that touch are one."""
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in _days(layer, zone, monday):
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        elif begin < end:
            joined.append((begin, end))
    return tuple(joined)


def _days(layer: Layer, zone: ZoneInfo, monday: date) -> Iterator[tuple[datetime, datetime]]:
    for offset in range(-_REACH, 7 + _REACH):
        day = monday + timedelta(days=offset)
        if day.weekday() in layer.days:
            midnight = datetime.combine(day, time())
            yield instant(midnight + layer.opens, zone), instant(midnight + layer.closes, zone)
