"""The closed sets of words of a status page, as Atlassian Statuspage has them, and their order."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Status(enum.StrEnum):
    """How a component fares, best first."""

    OPERATIONAL = "operational"
    UNDER_MAINTENANCE = "under_maintenance"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"

    @property
    def rank(self) -> int:
        """0 for operational; higher is worse."""
        return _STATUS[self]


class Level(enum.StrEnum):
    """How bad an incident or the whole page is, best first."""

    NONE = "none"
    MAINTENANCE = "maintenance"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for none; higher is worse."""
        return _LEVEL[self]


class Phase(enum.StrEnum):
    """Where a public incident stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"

    @property
    def over(self) -> bool:
        """Nothing is wrong any more."""
        return self in {Phase.RESOLVED, Phase.POSTMORTEM}


class Stage(enum.StrEnum):
    """Where a scheduled maintenance stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"

    @property
    def active(self) -> bool:
        """It takes place now."""
        return self in {Stage.IN_PROGRESS, Stage.VERIFYING}


class Policy(enum.StrEnum):
    """Who decides that an incident becomes public, the most cautious first."""

    NEVER = "never"
    APPROVE = "approve"
    """A person does."""
    DELAYED = "delayed"
    """It does by itself after a while, unless a person discards it."""
    AUTO = "auto"
    """It does at once."""

    @property
    def rank(self) -> int:
        """0 for the most cautious."""
        return _POLICY[self]


class State(enum.StrEnum):
    """Whether the public sees a publication."""

    DRAFT = "draft"
    PUBLISHED = "published"
    DISCARDED = "discarded"


_STATUS = {status: rank for rank, status in enumerate(Status)}
_LEVEL = {level: rank for rank, level in enumerate(Level)}
_POLICY = {policy: rank for rank, policy in enumerate(Policy)}

WORDS = {
    Status.OPERATIONAL: "operational",
    Status.UNDER_MAINTENANCE: "under maintenance",
    Status.DEGRADED: "degraded performance",
    Status.PARTIAL: "partial outage",
    Status.MAJOR: "major outage",
}
"""How texts say it."""


def worst(found: Iterable[Status]) -> Status:
    """The worst of them; operational if there is none."""
    return max(found, key=lambda status: status.rank, default=Status.OPERATIONAL)


def highest(found: Iterable[Level]) -> Level:
    """The worst of them; none if there is none."""
    return max(found, key=lambda level: level.rank, default=Level.NONE)
