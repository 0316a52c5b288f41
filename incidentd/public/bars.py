"""The bars of a component: one for each day, merged into one path for each state so that they weigh next to nothing.

A run of days in one state is a dashed line as thick as its bars are high; dashes begin anew with every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from incidentd.domain.status_page.page import PublicDay
from incidentd.domain.status_page.words import Status

DAYS: Final = 90
"""Bars of a component."""
PITCH: Final = 4
"""Units from one bar to the next; a bar is one unit narrower."""
HEIGHT: Final = 34
_HEIGHTS: Final = {
    "o": HEIGHT,
    "m": 30,
    "d": 26,
    "p": 19,
    "x": 12,
    "n": HEIGHT,
}
"""State -> height of its bars: whoever does not see colours sees how bad a day was. `n` is drawn hollow."""
_LETTERS: Final = {
    None: "n",
    Status.OPERATIONAL: "o",
    Status.UNDER_MAINTENANCE: "m",
    Status.DEGRADED: "d",
    Status.PARTIAL: "p",
    Status.MAJOR: "x",
}


@dataclass(frozen=True, slots=True)
class Path:
    """All bars of one state."""

    letter: str
    line: str
    """The `d` of an SVG path."""
    thick: int


def worst_of(day: PublicDay | None) -> Status | None:
    """The worst state of a day; None: nobody watched. A day of nothing but maintenance is one of maintenance."""
    if day is None:
        return None
    for seconds, status in (
        (day.major, Status.MAJOR),
        (day.partial, Status.PARTIAL),
        (day.degraded, Status.DEGRADED),
        (day.maintenance, Status.UNDER_MAINTENANCE),
        (day.observed, Status.OPERATIONAL),
    ):
        if seconds > 0:
            return status
    return None


def last_days(today: date) -> list[date]:
    """The days that have a bar, the oldest first."""
    return [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]


def paths(days: Iterable[PublicDay], today: date) -> list[Path]:
    """What is to be drawn, in the order of the letters."""
    known: Mapping[date, PublicDay] = {day.day: day for day in days}
    letters = [_LETTERS[worst_of(known.get(day))] for day in last_days(today)]
    lines: dict[str, list[str]] = {}
    begin = 0
    for place in range(1, DAYS + 1):
        if place < DAYS and letters[place] == letters[begin]:
            continue
        letter = letters[begin]
        middle = HEIGHT - _HEIGHTS[letter] / 2
        lines.setdefault(letter, []).append(f"M{PITCH * begin} {middle:g}h{PITCH * (place - begin) - 1}")
        begin = place
    return [Path(letter, "".join(found), _HEIGHTS[letter]) for letter, found in sorted(lines.items())]
