"""`heartbeats`, and those of a source: signs of life whose absence is an incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from incidentd.config.document import Document
from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.config.section import MatcherField, PositiveDuration, Section
from incidentd.domain.heartbeat import Heartbeat as Expected
from incidentd.domain.severity import Severity
from incidentd.fields import Duration, Slug

if TYPE_CHECKING:
    from incidentd.config.tree import Config

_GRACE = timedelta(minutes=1)


class Ping(Section):
    """A sign of life that somebody sends to `/api/v1/heartbeats/NAME`: a backup, a cron job, another monitor."""

    every: PositiveDuration
    """How often it has to come."""
    grace: Duration = _GRACE
    """How much later than that it may come."""
    severity: Severity = Severity.CRITICAL
    """How bad it is if it does not come."""


class Heartbeat(Section):
    """An alert that always fires: it opens no incident, but its absence does."""

    matchers: tuple[MatcherField, ...] = Field(min_length=1)
    """Which alerts are this heartbeat; all of them must hold."""
    every: PositiveDuration
    """How often it has to be seen: longer than Alertmanager's `repeat_interval` for it."""
    grace: Duration = _GRACE
    """How much later than that it may come."""
    severity: Severity = Severity.CRITICAL
    """How bad it is if it does not come."""
    name: Slug | None = None
    """What it is called in incidents and metrics; default: the source's name, and for further ones of the source
    that name with `-2`, `-3`, ..."""


def expected_of(config: Config) -> tuple[Expected, ...]:
    """Every heartbeat whose absence is an incident, those of sources first."""
    found = []
    for source, section in config.sources.items():
        for number, beat in enumerate(section.watched, start=1):
            name = beat.name or (source if number == 1 else f"{source}-{number}")
            found.append(Expected(name, source, beat.matchers, beat.every, beat.grace, beat.severity))
    for name, ping in config.heartbeats.items():
        found.append(Expected(name, "", (), ping.every, ping.grace, ping.severity))
    return tuple(found)


def ambiguous_heartbeats(config: Config, document: Document) -> Iterator[Problem]:
    """Heartbeats that bear the name of another one: their incidents and metrics could not be told apart."""
    seen: set[str] = set()
    places = dict.fromkeys(config.sources, 0)
    for beat in expected_of(config):
        path: KeyPath = ("heartbeats", beat.name)
        if beat.source:
            path = ("sources", beat.source, "heartbeats", places[beat.source], "name")
            places[beat.source] += 1
        if beat.name in seen:
            what = (
                f'is "{beat.name}", which another heartbeat is called; accepted: a name of its own for each'
            )
            yield Problem(dotted(path), what, document.line(path))
        seen.add(beat.name)
