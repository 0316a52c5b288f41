"""What is wrong with schedules, or perhaps not as meant: unknown names, gaps, people and layers that never count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidentd.config.document import Document
from incidentd.config.explain import nearest
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.tree import Config
from incidentd.domain.duration import format_duration
from incidentd.domain.schedule import Schedule, Shift, shifts

LOOK_AHEAD = timedelta(days=30)
"""How much of the calendar is judged."""
_SHOWN = 3
"""Gaps told one by one."""
_MINUTE = timedelta(minutes=1)


def unknown_people(document: Document) -> Iterator[Problem]:
    """Users of layers that nobody is. Looks at the raw file, so that other mistakes do not hide these."""
    raw = document.raw
    known = tuple(map(str, _mapping(_mapping(raw).get("users"))))
    for name, schedule in _mapping(_mapping(raw).get("schedules")).items():
        for number, layer in enumerate(_list(_mapping(schedule).get("layers"))):
            path: KeyPath = ("schedules", str(name), "layers", number, "users")
            for place, turn in enumerate(_list(_mapping(layer).get("users"))):
                for where, user in _turn((*path, place), turn):
                    if isinstance(user, str) and user not in known:
                        yield _unknown(document, where, user, known, "user")


def on_call_warnings(config: Config, now: datetime) -> Iterator[str]:
    """What deserves attention in the next 30 days, by the layers and leave alone: overrides are not known here."""
    for name, plan in config.plans.items():
        if plan.layers:
            known = shifts(plan, (), now, now + LOOK_AHEAD)
            yield from _gaps(plan, [shift for shift in known if not shift.people])
            yield from _unheard(plan, known)
        else:
            yield f"schedules.{name}: has no layers, so nobody is on duty unless an override says so"


def _gaps(plan: Schedule, gaps: list[Shift]) -> Iterator[str]:
    zone = ZoneInfo(plan.time_zone)
    for gap in gaps[:_SHOWN]:
        begin, end = (at.astimezone(zone) for at in (gap.since, gap.until) if at is not None)
        length = format_duration((end - begin) // _MINUTE * _MINUTE)
        yield (
            f"schedules.{plan.name}: nobody is on duty from {begin:%a %Y-%m-%d %H:%M} to "
            f"{end:%a %Y-%m-%d %H:%M} ({length})"
        )
    if len(gaps) > _SHOWN:
        yield f"schedules.{plan.name}: and in {len(gaps) - _SHOWN} more gaps of the next 30 days"


def _unheard(plan: Schedule, known: tuple[Shift, ...]) -> Iterator[str]:
    heard = {shift.by for shift in known}
    people = {person for shift in known for person in shift.people}
    for number, layer in enumerate(plan.layers):
        where = f"schedules.{plan.name}.layers.{number}"
        if layer.name not in heard:
            yield f"{where}: puts nobody on duty in the next 30 days: it does not hold, or others are above it"
            continue
        turns = [person for turn in layer.users for person in turn]
        for person in dict.fromkeys(turns):
            if person not in people:
                yield f"{where}.users: {person} is never on duty in the next 30 days"


def _unknown(document: Document, path: KeyPath, name: str, known: tuple[str, ...], what: str) -> Problem:
    accepted = ", ".join(known) or "none, for none is configured"
    text = f'"{name}" is no configured {what}; accepted: {accepted}{nearest(name, known)}'
    return Problem(dotted(path), text, document.line(path))


def _turn(path: KeyPath, turn: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(turn, list):
        for index, user in enumerate(turn):
            yield (*path, index), user
    else:
        yield path, turn


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []
