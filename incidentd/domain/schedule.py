"""Who is on duty: layers of rotations, and overrides over them.

Every instant has exactly one answer. A layer cuts all time into spans in which one turn is on duty, or nobody is; so
does an override. The highest one that has somebody answers, and what is above it says how long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from incidentd.domain.schedule_layer import Absence, Away, Holiday, Layer, Span, span


class Why(StrEnum):
    """What says who is on duty."""

    LAYER = "layer"
    OVERRIDE = "override"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it is configured; a later layer wins over an earlier one."""

    name: str
    time_zone: str
    """Name in the IANA database, in which all local times of the layers are meant."""
    layers: tuple[Layer, ...]
    absences: tuple[Absence, ...] = ()
    """Leave of its users."""
    holidays: tuple[Holiday, ...] = ()
    """When layers of it do not hold."""


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody is on duty in a schedule from `starts_at` until just before `ends_at`, whatever its layers say."""

    id: int
    schedule: str
    user: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on duty at an instant, and for how long that holds; a shift is the same seen as a period."""

    people: tuple[str, ...]
    """Names of `users`; empty in a gap."""
    why: Why
    by: str
    """The layer's name, the override's id, or empty in a gap."""
    since: datetime | None
    """When this began (UTC); None for a gap before everything began."""
    until: datetime | None
    """The next hand-off, and so the first instant at which this no longer holds (UTC); None if there is none."""


Shift = Duty
"""A period of a schedule; `since` and `until` are never None in what `shifts` returns."""


def on_duty(schedule: Schedule, overrides: Iterable[Override], at: datetime) -> Duty:
    """Who is on duty in `schedule` at `at`. Overrides of other schedules are passed over; of two the newer one wins."""
    holds = Span(())
    for why, by, said in _answers(schedule, overrides, at):
        holds = said.within(holds)
        if said.people:
            return Duty(said.people, why, by, holds.since, holds.until)
    return Duty((), Why.NOBODY, "", holds.since, holds.until)


def shifts(
    schedule: Schedule, overrides: Iterable[Override], start: datetime, end: datetime
) -> tuple[Shift, ...]:
    """The shifts and gaps from `start` to `end`: in order, without overlap, cut at both ends."""
    known, found, at = tuple(overrides), [], start
    while at < end:
        duty = on_duty(schedule, known, at)
        until = end if duty.until is None else min(duty.until, end)
        found.append(replace(duty, since=at, until=until))
        at = until
    return tuple(found)


def gaps(
    schedule: Schedule, overrides: Iterable[Override], start: datetime, end: datetime
) -> tuple[Shift, ...]:
    """The parts of `shifts` in which nobody is on duty."""
    return tuple([each for each in shifts(schedule, overrides, start, end) if not each.people])


def _answers(
    schedule: Schedule, overrides: Iterable[Override], at: datetime
) -> Iterator[tuple[Why, str, Span]]:
    """What each override and layer says, the highest first."""
    mine = [each for each in overrides if each.schedule == schedule.name]
    for override in sorted(mine, key=lambda each: each.id, reverse=True):
        yield Why.OVERRIDE, str(override.id), _overridden(override, at)
    zone = ZoneInfo(schedule.time_zone)
    for layer in reversed(schedule.layers):
        away: tuple[Away, ...] = (
            *schedule.absences,
            *[each for each in schedule.holidays if each.layer == layer.name],
        )
        yield Why.LAYER, layer.name, span(layer, zone, away, at)


def _overridden(override: Override, at: datetime) -> Span:
    if at < override.starts_at:
        return Span((), None, override.starts_at)
    if at >= override.ends_at:
        return Span((), override.ends_at, None)
    return Span((override.user,), override.starts_at, override.ends_at)
