"""Deployments: what a pipeline tells of one, in several posts that may come twice, late or out of order."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime


class DeploymentStatus(enum.StrEnum):
    """How a deployment ended; a closed set."""

    SUCCESS = "success"
    FAILURE = "failure"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, as far as it is known."""

    source: str
    """Whose names for deployments: two pipelines may both have a number 7."""
    id: str
    """The sender's name for it."""
    service: str
    environment: str
    version: str
    status: DeploymentStatus | None
    """None while it runs, and then alone."""
    commit_time: datetime | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def finished(self) -> bool:
        """It has ended, one way or the other."""
        return self.finished_at is not None


class Filing(enum.StrEnum):
    """What a post about a deployment meant."""

    NEW = "new"
    SAME = "same"
    """It says nothing new."""
    UPDATED = "updated"
    LATE = "late"
    """It tells of an earlier state than the known one: a retry that was overtaken."""
    CONFLICT = "conflict"
    """It is about another deployment that bears the same id."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A deployment after a post, and what the post meant."""

    deployment: Deployment
    filing: Filing
    finished_now: bool = False
    """It was not known to have ended before: told and counted once in its life."""
    failed_now: bool = False
    """It was not known to have failed before, or to have been rolled back."""


def file(known: Deployment | None, posted: Deployment) -> Filed:
    """What is known after `posted`; `known` bears the same id. Only its end, and an unknown commit time, may change."""
    if known is None:
        return Filed(posted, Filing.NEW, posted.finished, _failed(posted))
    if _identity(known) != _identity(posted) or _contradicts(known, posted):
        return Filed(known, Filing.CONFLICT)
    merged = replace(
        posted if _is_newer(known, posted) else known, commit_time=known.commit_time or posted.commit_time
    )
    if merged != known:
        finished_now = merged.finished and not known.finished
        return Filed(merged, Filing.UPDATED, finished_now, _failed(merged) and not _failed(known))
    return Filed(known, Filing.SAME if _end(known) == _end(posted) else Filing.LATE)


def _failed(d: Deployment) -> bool:
    return d.status in {DeploymentStatus.FAILURE, DeploymentStatus.ROLLED_BACK}


def _identity(d: Deployment) -> tuple[object, ...]:
    return d.service, d.environment, d.version, d.started_at


def _contradicts(known: Deployment, posted: Deployment) -> bool:
    return None not in {known.commit_time, posted.commit_time} and known.commit_time != posted.commit_time


def _end(d: Deployment) -> tuple[object, ...]:
    return d.status, d.finished_at


def _is_newer(known: Deployment, posted: Deployment) -> bool:
    if known.finished_at is None or posted.finished_at is None:
        return known.finished_at is None
    if known.finished_at == posted.finished_at:
        # A rollback follows what it takes back: without a time of its own only that tells which came later.
        return known.status is not DeploymentStatus.ROLLED_BACK
    return posted.finished_at > known.finished_at


@dataclass(frozen=True, slots=True)
class Announcement:
    """A deployment that has ended, as a vendor is told of it."""

    deployment: Deployment
    url: str
    """Where this daemon shows it."""

    @property
    def sentence(self) -> str:
        """What happened, in one line of unchecked words."""
        d = self.deployment
        match d.status:
            case DeploymentStatus.FAILURE:
                return f"Deployment of {d.service} {d.version} to {d.environment} failed"
            case DeploymentStatus.ROLLED_BACK:
                return f"Deployment of {d.service} {d.version} to {d.environment} was rolled back"
            case _:
                return f"Deployed {d.service} {d.version} to {d.environment}"
