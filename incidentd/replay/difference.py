"""Two outcomes side by side: who would have been paged more, less, earlier, later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.replay.run import Key, Outcome, Told


class Kind(StrEnum):
    """How somebody's pages about one incident differ."""

    MORE = "more"
    LESS = "less"
    EARLIER = "earlier"
    """As many, and the first that differs leaves sooner."""
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Line:
    """One recipient and one incident that differ."""

    key: Key
    title: str
    who: str
    """``user:NAME``, or ``channel:NAME`` for whoever reads it."""
    kind: Kind
    before: tuple[datetime, ...]
    """When pages left under the old configuration."""
    after: tuple[datetime, ...]


@dataclass(slots=True)
class Total:
    """One recipient over the whole period: pages, and incidents that differ, by how they do."""

    who: str
    before: int = 0
    after: int = 0
    more: int = 0
    less: int = 0
    earlier: int = 0
    later: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes; both in a fixed order."""

    totals: tuple[Total, ...]
    """Of everybody who is paged at all."""
    lines: tuple[Line, ...]

    @property
    def differs(self) -> bool:
        """Somebody is paged more, less, earlier or later."""
        return bool(self.lines)


Times = Mapping[tuple[Key, str], list[datetime]]


def compare(outcome: Outcome) -> Difference:
    """The difference between the two sides of `outcome`."""
    before, after = _times(outcome.before), _times(outcome.after)
    titles = {**outcome.after.titles, **outcome.before.titles}
    totals: dict[str, Total] = {}
    lines: list[Line] = []
    for key, who in sorted(before.keys() | after.keys(), key=lambda each: (each[0][1], each[0][0], each[1])):
        old, new = tuple(before.get((key, who), ())), tuple(after.get((key, who), ()))
        total = totals.setdefault(who, Total(who))
        total.before += len(old)
        total.after += len(new)
        if old == new:
            continue
        line = Line(key, titles[key], who, _kind(old, new), old, new)
        setattr(total, line.kind.value, getattr(total, line.kind.value) + 1)
        lines.append(line)
    return Difference(tuple(totals[who] for who in sorted(totals)), tuple(lines))


def _times(told: Told) -> Times:
    found: dict[tuple[Key, str], list[datetime]] = defaultdict(list)
    for page in told.pages:
        who = f"user:{page.person}" if page.person is not None else f"channel:{page.channel}"
        found[told.keys[page.incident_id], who].append(page.at)
    return found


def _kind(old: tuple[datetime, ...], new: tuple[datetime, ...]) -> Kind:
    if len(old) != len(new):
        return Kind.MORE if len(new) > len(old) else Kind.LESS
    shift = next((b - a for a, b in zip(old, new, strict=True) if a != b), timedelta())
    return Kind.EARLIER if shift < timedelta() else Kind.LATER
