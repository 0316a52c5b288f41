"""What the templates show, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from incidentd.domain.status_page.page import PublicComponent, PublicEvent
from incidentd.domain.status_page.words import Level, Status
from incidentd.public import bars

LEVEL_LETTERS: Final[Mapping[Level, str]] = {
    Level.NONE: "o",
    Level.MAINTENANCE: "m",
    Level.MINOR: "d",
    Level.MAJOR: "p",
    Level.CRITICAL: "x",
}
"""The page's state -> the letter of its colour and shape."""
STATUS_LETTERS: Final[Mapping[Status, str]] = {
    Status.OPERATIONAL: "o",
    Status.UNDER_MAINTENANCE: "m",
    Status.DEGRADED: "d",
    Status.PARTIAL: "p",
    Status.MAJOR: "x",
}
"""A component's state -> the same."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant for people and machines."""

    text: str
    stamp: str


@dataclass(frozen=True, slots=True)
class BadDay:
    """A day of a component that was not all well."""

    day: str
    said: str
    events: tuple[PublicEvent, ...]


@dataclass(frozen=True)
class ComponentView:
    """One component, or a group with its members."""

    row: PublicComponent
    letter: str
    word: str
    uptime: str = ""
    """In words; empty: not shown."""
    label: str = ""
    """What the bars say to who does not see them."""
    bars: tuple[bars.Path, ...] = ()
    bad_days: tuple[BadDay, ...] = ()
    bad_summary: str = ""
    windows: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpdateView:
    """One text of an event."""

    status: str
    at: Moment
    body: Markup
    postmortem: bool


@dataclass(frozen=True)
class EventView:
    """An incident or a maintenance."""

    event: PublicEvent
    letter: str
    impact: str
    status: str
    components: str
    facts: tuple[tuple[str, Moment | str, str], ...]
    """Label, value, and what stands behind it."""
    updates: tuple[UpdateView, ...]
    postmortem: tuple[UpdateView, ...]


@dataclass(frozen=True)
class DayView:
    """Days of the past: one with events, or a run of days without."""

    title: str
    events: tuple[EventView, ...] = ()
