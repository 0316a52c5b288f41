"""Occurrences of a shift -> layers of ours: exactly where layers can say it, else with what differs, else not at all.

A layer is a rotation that somebody always has, held to days and hours of the week. So what skips weeks or months cannot
be said, and is refused rather than put on duty at other times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from incidentd.importing.checks import DAYS
from incidentd.importing.shift import DAY, HOUR, WEEK, Shift, begins, ends, first, plain, week_of

_MAX_TURNS = 200
ALL = frozenset(range(7))


class Refused(Exception):
    """A shift that no layer can say; the reason says why and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A layer to be: the turns of a rotation from `start` on, on some days from `opens` for `length`."""

    turns: tuple[tuple[str, ...], ...]
    rotation: str
    start: datetime
    days: frozenset[int] = ALL
    opens: timedelta = timedelta()
    length: timedelta = DAY
    """At most a day; a day on all days is around the clock."""
    since: datetime | None = None
    until: datetime | None = None
    suffix: str = ""

    @property
    def begins(self) -> datetime:
        """Local: nobody is on duty before."""
        return self.since or self.start


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a shift becomes."""

    pieces: tuple[Piece, ...]
    differs: tuple[str, ...] = ()
    """What is not quite the same."""


@dataclass(slots=True)
class _Draft:
    differs: list[str] = field(default_factory=list)


def pieces_of(shift: Shift) -> Pieces:
    """The layers of a shift. Raises Refused."""
    if not shift.turns:
        raise Refused("it names nobody")
    if shift.duration <= timedelta():
        raise Refused("it lasts less than a minute")
    if shift.frequency is None:
        end = shift.start + shift.duration
        return Pieces((Piece(shift.turns[:1], "1d", shift.start, until=end),))
    shift, draft = plain(shift), _Draft()
    if shift.frequency == "monthly":
        raise Refused(
            "layers repeat by hours, days and weeks, not by months; use overrides for the days in question"
        )
    found = tuple(_rolling(shift, draft) if shift.rolling else _steady(shift))
    return Pieces(tuple(_lived(shift, found)), tuple(draft.differs))


def _lived(shift: Shift, pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    """The pieces, from the first occurrence that counts until the end of the last one."""
    since, until = first(shift), ends(shift)
    if since is None or (until is not None and until <= since):
        raise Refused("it ends before it begins")
    for piece in pieces:
        late = since if since > piece.start else None
        yield replace(piece, since=late, until=until)


def _steady(shift: Shift) -> Iterator[Piece]:
    """One turn for ever."""
    start, opens = begins(shift), _clock(shift)
    piece = Piece(shift.turns[:1], "1w", start)
    if shift.duration >= _longest_pause(shift):
        yield piece
    elif shift.frequency == "hourly" or shift.interval > 1:
        raise Refused(_pauses(shift))
    else:
        yield from _held(piece, shift.by_day or ALL, opens, shift.duration)


def _longest_pause(shift: Shift) -> timedelta:
    """Between the beginnings of two occurrences."""
    if shift.frequency == "hourly":
        return HOUR * shift.interval if not shift.by_day else timedelta.max
    if shift.frequency == "daily" and not shift.by_day:
        return DAY * shift.interval
    if shift.frequency == "daily" and shift.interval > 1:
        return timedelta.max
    offsets = sorted((day - shift.week_start) % 7 for day in shift.by_day)
    weeks = shift.interval if shift.frequency == "weekly" else 1
    return DAY * max(b - a for a, b in zip(offsets, [*offsets[1:], 7 * weeks + offsets[0]], strict=True))


def _pauses(shift: Shift) -> str:
    every = f"every {shift.interval} {_UNITS[str(shift.frequency)]}"
    return f"{every}, and nobody in between: layers have no turn of nobody; write the turns out, or use overrides"


_UNITS = {"hourly": "hours", "daily": "days", "weekly": "weeks"}


def _held(piece: Piece, days: frozenset[int], opens: timedelta, length: timedelta) -> Iterator[Piece]:
    """The piece on those days for that long: whole days in one layer, what is left of a day in another."""
    whole, rest = divmod(length, DAY)
    covered = frozenset((day + after) % 7 for day in days for after in range(whole))
    if covered:
        yield replace(piece, days=covered, opens=opens)
    left = frozenset((day + whole) % 7 for day in days) - covered
    if rest and left:
        name = piece.suffix + (" (rest)" if covered else "")
        yield replace(piece, days=left, opens=opens, length=rest, suffix=name)


def _clock(shift: Shift) -> timedelta:
    return timedelta(hours=shift.start.hour, minutes=shift.start.minute)


def _rolling(shift: Shift, draft: _Draft) -> Iterator[Piece]:
    if shift.by_day and shift.start.weekday() not in shift.by_day and shift.rotation_start != shift.start:
        draft.differs.append("start is on none of its days: compare whose turn it is, it may be one off")
    if shift.frequency == "weekly":
        return _weekly(shift, draft)
    if shift.frequency == "daily" and shift.by_day:
        return _day_by_day(shift, draft)
    return _daily_or_hourly(shift, draft)


def _weekly(shift: Shift, draft: _Draft) -> Iterator[Piece]:
    start, n = begins(shift), shift.interval
    offsets = sorted((day - shift.week_start) % 7 for day in shift.by_day)
    # Turns change where the first occurrence of a week begins, so that none is cut in two.
    change = week_of(start, shift.week_start) + DAY * offsets[0] + _clock(shift)
    piece = Piece(shift.turns, f"{n}w", change)
    if DAY * (offsets[-1] - offsets[0]) + shift.duration > WEEK * n:
        draft.differs.append("one turn runs into the next: OnCall tells both, here the next one takes over")
    if shift.duration >= _longest_pause(shift):
        yield piece
    elif n > 1:
        raise Refused(_pauses(shift))
    else:
        yield from _held(piece, shift.by_day, _clock(shift), shift.duration)


def _daily_or_hourly(shift: Shift, draft: _Draft) -> Iterator[Piece]:
    hourly = shift.frequency == "hourly"
    length = (HOUR if hourly else DAY) * shift.interval
    piece = Piece(shift.turns, f"{shift.interval}{'h' if hourly else 'd'}", begins(shift))
    if hourly and shift.by_day:
        raise Refused("hourly turns on some days only; write a layer for each part of the day instead")
    if hourly and shift.zone not in {"UTC", "Etc/UTC", "GMT"}:
        draft.differs.append(
            "its hand-offs move by the hour when clocks are changed: turns of hours count hours that pass"
        )
    if shift.duration > length:
        draft.differs.append("one turn runs into the next: OnCall tells both, here the next one takes over")
    if shift.duration >= length:
        yield piece
    elif hourly or shift.interval > 1:
        raise Refused(_pauses(shift))
    else:
        yield from _held(piece, ALL, _clock(shift), shift.duration)


def _day_by_day(shift: Shift, draft: _Draft) -> Iterator[Piece]:
    """OnCall gives each selected day to the next turn, other days do not count: here a layer for each weekday."""
    start, selected = begins(shift), len(shift.by_day)
    period = math.lcm(shift.interval * len(shift.turns), selected)
    if period // selected > _MAX_TURNS:
        raise Refused(
            f"its turns repeat only after {period // selected} weeks; a layer has at most {_MAX_TURNS}"
        )
    if shift.duration > DAY:
        draft.differs.append("one turn runs into the next: OnCall tells both, here one of them")
    days = [start + DAY * after for after in range(7) if (start + DAY * after).weekday() in shift.by_day]
    for number, day in enumerate(days):
        order = [(number + week * selected) // shift.interval for week in range(period // selected)]
        turns = tuple(shift.turns[each % len(shift.turns)] for each in order)
        piece = Piece(turns[:1] if len(set(turns)) == 1 else turns, "1w", day)
        named = replace(piece, suffix=f" {DAYS[day.weekday()].lower()}")
        yield from _held(named, frozenset({day.weekday()}), _clock(shift), min(shift.duration, WEEK))


def interleaved(shifts: list[Shift]) -> list[tuple[Shift, tuple[str, ...]]]:
    """Shifts, those joined to one rotation that take turns by skipping days or weeks; with the IDs of what they were.

    Terraform users write "every second week" for each of two people. That nobody is on duty in between cannot be said
    of one of them; of all together it need not be.
    """
    groups: dict[tuple[object, ...], list[Shift]] = {}
    for shift in map(plain, shifts):
        skips = (
            shift.type == "recurrent_event" and shift.interval > 1 and shift.frequency in {"daily", "weekly"}
        )
        alone = skips and (shift.frequency == "weekly" or not shift.by_day) and shift.turns
        key = (shift.level, shift.zone, shift.start.time(), shift.duration, shift.frequency, shift.interval)
        what = (*key, shift.by_day, shift.week_start, shift.until) if alone else (shift.id,)
        groups.setdefault(what, []).append(shift)
    found: list[tuple[Shift, tuple[str, ...]]] = []
    for group in groups.values():
        joined = _joined(group)
        found += (
            [(joined, tuple(s.id for s in group))] if joined else [(shift, (shift.id,)) for shift in group]
        )
    return found


def _joined(group: list[Shift]) -> Shift | None:
    """One rotation of all, if somebody has each of its turns and all begin within the first round."""
    group = sorted(group, key=lambda shift: shift.start)
    one = group[0]
    if len(group) == 1:
        return None
    weekly = one.frequency == "weekly"
    origin = week_of(one.start, one.week_start) if weekly else one.start
    turns: dict[int, list[str]] = {}
    for shift in group:
        if shift.by_day and shift.start.weekday() not in shift.by_day:
            return None
        at = week_of(shift.start, one.week_start) if weekly else shift.start
        number = (at - origin) // (WEEK if weekly else DAY)
        if number >= one.interval:
            return None
        turns.setdefault(number, []).extend(shift.turns[0])
    if len(turns) < one.interval:
        return None
    order = tuple(tuple(dict.fromkeys(turns[number])) for number in range(one.interval))
    name = " / ".join(shift.name for shift in group)
    return replace(one, name=name, type="rolling_users", interval=1, turns=order)
