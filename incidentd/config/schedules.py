"""`schedules`: who is on duty when, as layers of rotations, and the leave of those who take turns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from incidentd.config.leave import Calendar, Said
from incidentd.config.section import Section, TimeZone
from incidentd.domain import schedule as domain
from incidentd.domain.schedule_layer import Absence, Holiday, Rotation
from incidentd.domain.schedule_layer import Layer as DomainLayer

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of the week."""
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_HOURS = re.compile(rf"({_CLOCK}) ?- ?({_CLOCK}|24:00)")
_ROTATION = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_WORDS = {"daily": "1d", "weekly": "1w"}
_MIDNIGHT = time()


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or re.fullmatch(_CLOCK, value) is None:
        raise ValueError("is not a time of day; accepted: text such as 09:00 or 17:30")
    hour, minute = value.split(":")
    return time(int(hour), int(minute))


def _rotation(value: object) -> Rotation:
    if isinstance(value, Rotation):
        return value
    match = _ROTATION.fullmatch(_WORDS.get(value, value)) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            "is not a rotation; accepted: daily, weekly, or a number of hours, days or weeks such as 12h, 3d, 2w"
        )
    number, unit = int(match[1]), match[2]
    length = {"h": timedelta(hours=number), "d": timedelta(days=number), "w": timedelta(weeks=number)}[unit]
    return Rotation(length, local=unit != "h")


def _rotation_text(rotation: Rotation) -> str:
    hours = rotation.length // timedelta(hours=1)
    return f"{hours // 24}d" if rotation.local else f"{hours}h"


def _local(value: object) -> date | datetime:
    if isinstance(value, date):
        return value
    accepted = "accepted: a local date such as 2027-01-04, or with its time, 2027-01-04T09:00"
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"is not a date; {accepted}")
    if found.tzinfo is not None:
        raise ValueError(f"has a time zone, but the schedule's counts; {accepted}")
    if not 1970 <= found.year < 2200:  # noqa: PLR2004 - far enough for anybody, and no arithmetic leaves the calendar
        raise ValueError(f"is not between the years 1970 and 2199; {accepted}")
    return found if len(str(value)) > len("2027-01-04") else found.date()


def _hours(value: object) -> tuple[timedelta, timedelta]:
    if isinstance(value, tuple):
        return value
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("are no hours; accepted: text such as 09:00-17:00, or 18:00-08:00 over midnight")
    opens, closes = (_since_midnight(each) for each in match.groups())
    return opens, closes if closes > opens else closes + timedelta(days=1)


def _since_midnight(text: str) -> timedelta:
    hour, minute = text.split(":")
    return timedelta(hours=int(hour), minutes=int(minute))


def _hours_text(hours: tuple[timedelta, timedelta]) -> str:
    minutes = [int(each.total_seconds()) // 60 % 1440 for each in hours]
    return "-".join(f"{each // 60:02}:{each % 60:02}" for each in minutes)


def _turn(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    return (value,) if isinstance(value, str) else value


Clock = Annotated[time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "examples": ["09:00"]})]
RotationText = Annotated[
    Rotation,
    PlainValidator(_rotation),
    PlainSerializer(_rotation_text, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["weekly", "daily", "12h", "3d", "2w"]}),
]
Local = Annotated[
    datetime | date,
    PlainValidator(_local),
    PlainSerializer(lambda at: at.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2027-01-04", "2027-01-04T09:00"]}),
]
Hours = Annotated[
    tuple[timedelta, timedelta],
    PlainValidator(_hours),
    PlainSerializer(_hours_text, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["18:00-08:00"]}),
]
Turn = Annotated[
    tuple[str, ...],
    BeforeValidator(_turn),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Layer(Section):
    """A rotation: who takes turns, for how long, from when on, at which hours."""

    name: str | None = Field(default=None, min_length=1, max_length=63)
    """What it is called where people read why somebody is on duty; absent: `layer 1`, `layer 2`, ..."""
    users: tuple[Turn, ...] = Field(min_length=1, max_length=200)
    """Names of `users` in the order of their turns; a list inside the list is several people on duty together."""
    rotation: RotationText = Field(
        default=Rotation(timedelta(weeks=1), local=True), json_schema_extra={"default": "weekly"}
    )
    """How long a turn is: `daily`, `weekly`, or such as `3d`, `2w` (local days) and `12h` (hours that pass)."""
    start: Local
    """The local date, or date and time, at which the first turn begins. A weekly rotation hands off on its weekday."""
    handoff: Clock | None = None
    """The local time of hand-offs, if `start` is only a date; absent: `00:00`."""
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    """Only on these days; hours over midnight belong to the day on which they begin."""
    hours: Hours | None = None
    """Only at these local hours, such as `18:00-08:00`; absent: all day."""
    from_: Local | None = Field(default=None, alias="from")
    """The layer holds from then on; absent: from `start` on. Turns are counted from `start` all the same."""
    until: Local | None = None
    """The layer holds until then, and no longer; a date means its first moment."""
    holidays: Calendar | None = None
    """The layer does not hold during the events of this calendar: layers before it answer, or it is a gap."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        written = self.start.time() if isinstance(self.start, datetime) else None
        if written is not None and self.handoff not in (None, written):
            says = f"start says {written:%H:%M} and handoff {self.handoff:%H:%M}"
            raise ValueError(f"{says}; accepted: one time, so write only a date in start")
        begins = max(self.begins, _moment(self.from_) if self.from_ is not None else self.begins)
        if self.from_ is not None and _moment(self.from_) < self.begins:
            raise ValueError(
                "from is before start; accepted: the same or later, for nobody has a turn before start"
            )
        if self.until is not None and _moment(self.until) <= begins:
            raise ValueError(
                "until is not after the layer begins, so it would never hold; accepted: a later date"
            )
        for turn in self.users:
            if len(set(turn)) < len(turn):
                raise ValueError(
                    f"users has {', '.join(turn)} in one turn; accepted: each person once in a turn"
                )
        return self

    @property
    def begins(self) -> datetime:
        """Local: when the first turn begins."""
        if isinstance(self.start, datetime):
            return self.start
        return datetime.combine(self.start, self.handoff or _MIDNIGHT)

    def layer(self, number: int) -> DomainLayer:
        """The same for the domain; `number` counts from 1."""
        opens, closes = self.hours or (timedelta(), timedelta(days=1))
        return DomainLayer(
            name=self.name or f"layer {number}",
            users=self.users,
            rotation=self.rotation,
            start=self.begins,
            days=frozenset(DAYS.index(day) for day in self.days),
            opens=opens,
            closes=closes,
            since=_moment(self.from_) if self.from_ is not None else None,
            until=_moment(self.until) if self.until is not None else None,
        )


class Schedule(Section):
    """Who is on duty when."""

    time_zone: TimeZone
    """The IANA time zone in which all its dates and times are meant."""
    layers: tuple[Layer, ...] = Field(default=(), max_length=50)
    """Rotations, later ones over earlier ones: where a later one has nobody, the one before it counts."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [layer.name for layer in self.layers if layer.name is not None]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'has two layers named "{twice}"; accepted: a name of its own for each, or none')
        return self

    @property
    def people(self) -> set[str]:
        """Everybody who has a turn in any layer."""
        return {person for layer in self.layers for turn in layer.users for person in turn}

    def plan(self, name: str, leave: Mapping[str, Calendar], said: Said) -> domain.Schedule:
        """The same for the domain; `leave` by user, `said` by the calendars that are fetched."""
        zone = ZoneInfo(self.time_zone)
        layers = tuple([layer.layer(number) for number, layer in enumerate(self.layers, start=1)])
        people = self.people
        return domain.Schedule(
            name,
            self.time_zone,
            layers,
            tuple(
                [
                    Absence(user, *period)
                    for user, each in leave.items()
                    if user in people
                    for period in each.periods(said, zone)
                ]
            ),
            tuple(
                [
                    Holiday(plan.name, *period)
                    for plan, layer in zip(layers, self.layers, strict=True)
                    if layer.holidays is not None
                    for period in layer.holidays.periods(said, zone)
                ]
            ),
        )


def _moment(local: date) -> datetime:
    return local if isinstance(local, datetime) else datetime.combine(local, _MIDNIGHT)
