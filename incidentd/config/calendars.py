"""Which addresses the configuration wants to be asked for calendars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incidentd.config.leave import Asked, Calendar, Place
from incidentd.config.people import User
from incidentd.config.schedules import Schedule


def asked(users: Mapping[str, User], schedules: Mapping[str, Schedule]) -> tuple[Asked, ...]:
    """Each address once, however many places have it."""
    found: dict[str, Asked] = {}
    for place, calendar in (*_leave(users, schedules), *_holidays(schedules)):
        if calendar is None or calendar.url is None or calendar.key is None:
            continue
        known = found.get(calendar.key) or Asked(calendar.key, calendar.url, calendar.refresh, ())
        refresh = min(known.refresh, calendar.refresh)
        found[calendar.key] = Asked(known.key, known.url, refresh, (*known.places, place))
    return tuple(found.values())


def calendar_notes(asked: tuple[Asked, ...]) -> Iterator[str]:
    """What check-config cannot know, for it asks nobody."""
    for each in asked:
        for place in each.places:
            yield f"{place.path}.url: is not asked here, so gaps are judged without the {place.what}"


def _leave(
    users: Mapping[str, User], schedules: Mapping[str, Schedule]
) -> Iterator[tuple[Place, Calendar | None]]:
    for name, user in users.items():
        concerned = [schedule for schedule, each in schedules.items() if name in each.people]
        yield Place(f"users.{name}.leave", f"leave of {name}", frozenset(concerned)), user.leave


def _holidays(schedules: Mapping[str, Schedule]) -> Iterator[tuple[Place, Calendar | None]]:
    for name, schedule in schedules.items():
        for index, layer in enumerate(schedule.layers):
            words = f"holidays of {name}, {layer.layer(index + 1).name}"
            path = f"schedules.{name}.layers.{index}.holidays"
            yield Place(path, words, frozenset([name])), layer.holidays
