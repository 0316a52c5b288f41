"""The layers of one schedule: shifts of all levels in one stack, in one time zone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidentd.domain.schedule_time import instant, wall
from incidentd.importing.names import Names
from incidentd.importing.recurrence import ALL, Piece, Pieces, Refused, pieces_of
from incidentd.importing.shift import DAY, WEEK, Shift

_MINUTE = timedelta(minutes=1)
_YEARS_AHEAD = 3
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NEVER = datetime(9999, 1, 1)  # noqa: DTZ001 - local, as all of it
MAX_LAYERS = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """A layer to be, and where it comes from."""

    level: int
    piece: Piece
    name: str
    sources: tuple[str, ...]
    """IDs of the shifts."""


def home(zones: list[str], otherwise: str) -> str:
    """The zone in which most of the shifts are meant."""
    counted = Counter(zones)
    best = max(counted.values(), default=0)
    return otherwise if counted[otherwise] == best else next(zone for zone in zones if counted[zone] == best)


def placed(
    shift: Shift, sources: tuple[str, ...], zone: str, now: datetime
) -> tuple[list[Placed], tuple[str, ...]]:
    """The layers of a shift in that zone, and what differs. Raises Refused."""
    there, moved = _moved(shift, zone, now)
    found: Pieces = pieces_of(there)
    life = [each for each in found.pieces if not _over(each, ZoneInfo(zone), now)]
    if not life:
        raise Refused("it is over: nobody is on duty by it any more")
    made = [Placed(shift.level, each, f"{shift.name}{each.suffix}", sources) for each in life]
    return made, (*moved, *found.differs)


def _over(piece: Piece, zone: ZoneInfo, now: datetime) -> bool:
    return piece.until is not None and instant(piece.until, zone) <= now


def _moved(shift: Shift, zone: str, now: datetime) -> tuple[Shift, tuple[str, ...]]:
    """The shift by the clocks of `zone`, and what differs."""
    if shift.zone == zone or _same_clocks(shift.zone, zone, now):
        return replace(shift, zone=zone), ()
    old, new = ZoneInfo(shift.zone), ZoneInfo(zone)
    if shift.frequency is None:
        start, end = (wall(instant(at, old), new) for at in (shift.start, shift.start + shift.duration))
        return replace(shift, zone=zone, start=start, rotation_start=start, duration=end - start), ()
    at = max(instant(shift.start, old), now)
    shifted = wall(at, new) - wall(at, old)
    start = shift.start + shifted
    days = (start.date() - shift.start.date()).days
    there = replace(
        shift,
        zone=zone,
        start=start,
        rotation_start=shift.rotation_start + shifted,
        until=shift.until + shifted if shift.until is not None else None,
        by_day=frozenset((day + days) % 7 for day in shift.by_day),
        week_start=(shift.week_start + days) % 7,
    )
    why = f"its times are meant in {shift.zone} and written in {zone}, as clocks differ now"
    return there, (f"{why}: they are off by the hour while only one of both has changed its clocks",)


def _same_clocks(one: str, other: str, now: datetime) -> bool:
    hours = (now + timedelta(hours=each) for each in range(0, _YEARS_AHEAD * 366 * 24, 12))
    zones = ZoneInfo(one), ZoneInfo(other)
    return all(at.astimezone(zones[0]).utcoffset() == at.astimezone(zones[1]).utcoffset() for at in hours)


def stacked(layers: list[Placed]) -> list[Placed]:
    """In our order: a later one wins over an earlier one."""
    return sorted(layers, key=lambda each: (each.level, each.piece.begins))


def overlaps(layers: list[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """Layers of one level, the lower first, that hold at the same time: OnCall tells the people of both."""
    for low, high in itertools.combinations(stacked(layers), 2):
        if low.level != high.level or low.sources == high.sources or low.piece.turns == high.piece.turns:
            continue
        begin = max(low.piece.begins, high.piece.begins)
        end = min(low.piece.until or _NEVER, high.piece.until or _NEVER)
        if begin < end and _touch(low.piece, high.piece, begin, end):
            yield low, high


def _touch(low: Piece, high: Piece, begin: datetime, end: datetime) -> bool:
    if end - begin >= WEEK:
        return bool(_mask(low) & _mask(high))
    minutes = (begin + _MINUTE * each for each in range((end - begin) // _MINUTE))
    both = _mask(low) & _mask(high)
    return any(both >> ((at.weekday() * DAY + _since_midnight(at)) // _MINUTE) & 1 for at in minutes)


def _since_midnight(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)


def _mask(piece: Piece) -> int:
    """The minutes of a week, from Monday on, at which somebody is on duty: a bit for each."""
    week = WEEK // _MINUTE
    mask = 0
    for day in piece.days:
        bits = ((1 << piece.length // _MINUTE) - 1) << ((day * DAY + piece.opens) // _MINUTE)
        mask |= (bits | bits >> week) & ((1 << week) - 1)
    return mask


def written(layers: list[Placed], people: Mapping[str, str]) -> list[dict[str, Any]]:
    """As they are configured; `people` by ID."""
    names = Names(frozenset())
    return [_layer(each, names.title(each.name, "layer"), people) for each in layers]


def _layer(placed_: Placed, name: str, people: Mapping[str, str]) -> dict[str, Any]:
    piece = placed_.piece
    turns = [[people[user] for user in turn] for turn in piece.turns]
    layer: dict[str, Any] = {
        "name": name,
        "users": [turn[0] if len(turn) == 1 else turn for turn in turns],
        "rotation": {"1w": "weekly", "1d": "daily"}.get(piece.rotation, piece.rotation),
        "start": _text(piece.start),
    }
    if piece.days != ALL:
        layer["days"] = [_DAYS[day] for day in sorted(piece.days)]
    if piece.length < DAY or (piece.opens and piece.days != ALL):
        layer["hours"] = f"{_clock(piece.opens)}-{_clock((piece.opens + piece.length) % DAY)}"
    if piece.since is not None:
        layer["from"] = _text(piece.since)
    if piece.until is not None:
        layer["until"] = _text(piece.until)
    return layer


def _text(at: datetime) -> str:
    return at.isoformat(timespec="minutes")


def _clock(since_midnight: timedelta) -> str:
    hours, minutes = divmod(since_midnight // _MINUTE, 60)
    return f"{hours:02}:{minutes:02}"


def utc(at: datetime) -> str:
    """An instant as commands take it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
