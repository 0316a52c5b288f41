"""`status_page`: what the public sees."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from incidentd.config.section import MatcherField, Section, TimeZone
from incidentd.domain.severity import Severity
from incidentd.fields import BaseUrl


class Effect(enum.StrEnum):
    """How a component fares: Statuspage's words, best first."""

    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"


class Component(Section):
    """One thing the public knows by name."""

    name: str = Field(min_length=1)
    """Its public name."""
    group: str | None = None
    """The heading it stands under."""
    description: str = ""
    """One public sentence about it."""
    match: tuple[MatcherField, ...] = Field(min_length=1)
    """Which incidents affect it; all matchers must hold."""
    effect: Mapping[Severity, Effect] = {
        Severity.CRITICAL: Effect.MAJOR_OUTAGE,
        Severity.WARNING: Effect.DEGRADED_PERFORMANCE,
    }
    """What an open incident of a severity means for it; a severity that is not named means `operational`."""

    def effect_of(self, severity: Severity) -> Effect:
        """How it fares while an incident of that severity affects it."""
        return self.effect.get(severity, Effect.OPERATIONAL)


def _unique(components: tuple[Component, ...]) -> tuple[Component, ...]:
    names = [(component.group, component.name) for component in components]
    twice = next((name for index, (_, name) in enumerate(names) if names[index] in names[:index]), None)
    if twice is not None:
        raise ValueError(f"names {twice!r} twice in one group; accepted: each name once")
    return components


class StatusPage(Section):
    """What the public sees. Only what stands here can ever appear there."""

    name: str = Field(default="Status", min_length=1)
    """Title of the page."""
    time_zone: TimeZone = "Etc/UTC"
    """Time zone of the times it shows."""
    url: BaseUrl | None = None
    """Public address of the page; without one, `server.public_url`."""
    components: Annotated[tuple[Component, ...], AfterValidator(_unique)] = ()
    """The things it reports on, in order."""
