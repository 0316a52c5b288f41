"""The four DORA figures of deployments: how often, how fast, how many fail, how long until that is repaired.

The classes are those of the Accelerate State of DevOps Report 2023 (https://dora.dev/research/2023/dora-report/).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from incidentd.domain.deployment import Deployment, DeploymentStatus
from incidentd.domain.figures import Summary, summarise
from incidentd.domain.severity import Severity

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_MONTH = timedelta(days=365.25 / 12)
_Limit = TypeVar("_Limit")


class Band(enum.StrEnum):
    """How a team does by one figure, best first."""

    ELITE = "elite"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FailureType(enum.StrEnum):
    """Why a deployment counts as failed."""

    FAILURE = "failure"
    """By its own word."""
    ROLLED_BACK = "rolled_back"
    INCIDENT = "incident"
    """An incident of its service opened soon after it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """An incident, as far as deployments may be to blame for it."""

    id: int
    service: str
    severity: Severity
    environment: str
    """Where, if its alerts say so; else empty."""
    opened_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Blame:
    """Which deployments count, and when one is blamed for an incident."""

    environments: frozenset[str] = frozenset({"production", "prod"})
    severities: frozenset[Severity] = frozenset({Severity.CRITICAL, Severity.WARNING})
    window: timedelta = timedelta(hours=1)

    def counts(self, deployment: Deployment) -> bool:
        """It went to an environment whose deployments make the figures."""
        return deployment.environment in self.environments

    def blames(self, deployment: Deployment, outage: Outage) -> bool:
        """`outage` opened while `deployment` ran or within the window after it, in the same place."""
        return (
            self.counts(deployment)
            and bool(outage.service)
            and outage.service == deployment.service
            and outage.severity in self.severities
            and outage.environment in {"", deployment.environment}
            and deployment.started_at <= outage.opened_at <= self.until(deployment)
        )

    def until(self, deployment: Deployment) -> datetime:
        """The last instant at which an incident may open for which `deployment` is blamed."""
        return (deployment.finished_at or deployment.started_at) + self.window


def own_word(deployment: Deployment) -> FailureType | None:
    """The failure that the deployment itself tells of."""
    match deployment.status:
        case DeploymentStatus.FAILURE:
            return FailureType.FAILURE
        case DeploymentStatus.ROLLED_BACK:
            return FailureType.ROLLED_BACK
        case _:
            return None


def lead_time(deployment: Deployment) -> timedelta | None:
    """From the commit to the end of a successful deployment; None where either is unknown. Never negative."""
    if deployment.status is not DeploymentStatus.SUCCESS or None in {
        deployment.commit_time,
        deployment.finished_at,
    }:
        return None
    assert deployment.finished_at is not None  # noqa: S101 - for the type checker: see above
    assert deployment.commit_time is not None  # noqa: S101 - as above
    return max(deployment.finished_at - deployment.commit_time, timedelta())


def said(deployment: Deployment, opened_at: datetime) -> str:
    """What an incident's timeline says of a deployment near it: ``deployed shop 1.2 to production 4 min before``."""
    d = deployment
    what = f"{d.service} {d.version} to {d.environment}"
    if d.finished_at is None or d.finished_at > opened_at:
        return f"{what}: deployment begun {_distance(opened_at - d.started_at)} before"
    verb = {DeploymentStatus.FAILURE: "deployment failed", DeploymentStatus.ROLLED_BACK: "rolled back"}
    ended = _distance(opened_at - d.finished_at)
    return f"{what}: {verb.get(d.status or DeploymentStatus.SUCCESS, 'deployed')} {ended} before"


def _distance(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return f"{int(span.total_seconds())} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Judged:
    """An ended deployment and what became of it."""

    deployment: Deployment
    failure: FailureType | None
    recovery: timedelta | None = None
    """How long its failure lasted; None if it did not fail, or lasts still."""


def judge(
    deployment: Deployment, outages: Sequence[Outage], later: Sequence[Deployment], blame: Blame
) -> Judged:
    """Whether an ended deployment failed, and when that was repaired.

    By its own word: repaired by the end of the next successful deployment among `later`, those of its service and
    environment in order of their end. Rolled back: by the roll-back itself, see `_noticed`. By incidents: when the last
    of them ended.
    """
    blamed = [each for each in outages if blame.blames(deployment, each)]
    failure = own_word(deployment) or (FailureType.INCIDENT if blamed else None)
    ended = deployment.finished_at
    if ended is None or failure is None:
        return Judged(deployment, failure)
    if failure is FailureType.ROLLED_BACK:
        return Judged(deployment, failure, ended - _noticed(blamed, ended, deployment.started_at))
    if failure is FailureType.FAILURE:
        mended = [d.finished_at for d in later if d.status is DeploymentStatus.SUCCESS and d.finished_at]
        after = [at for at in mended if at > ended]
        return Judged(deployment, failure, min(after) - ended if after else None)
    ends = [each.ended_at for each in blamed]
    known = [at for at in ends if at is not None]
    since = min(each.opened_at for each in blamed)
    return Judged(deployment, failure, max(known) - since if len(known) == len(ends) else None)


def _noticed(blamed: Sequence[Outage], back: datetime, started: datetime) -> datetime:
    """When the trouble began that was ended by rolling `back`: one that was good for days has not failed for days.

    With the first incident that lasted until then, else with the last before; without any it `started` failed.
    """
    before = [each for each in blamed if each.opened_at <= back]
    lasting = [each.opened_at for each in before if each.ended_at is None or each.ended_at >= back]
    return min(lasting) if lasting else max([each.opened_at for each in before], default=started)


@dataclass(frozen=True, slots=True)
class Figures:
    """The four figures of a set of deployments, each with its class; None where nothing can be said."""

    deployments: int
    """That ended in the window, however."""
    successful: int
    per_day: float
    """Successful ones."""
    frequency: Band | None
    lead_time: Summary
    lead_time_band: Band | None
    failed: Mapping[FailureType, int]
    failure_rate: float | None
    failure_band: Band | None
    recovery: Summary
    recovery_band: Band | None
    unrecovered: int
    """Failures that last still."""

    @property
    def overall(self) -> Band | None:
        """The lowest class of all that are known."""
        bands = [self.frequency, self.lead_time_band, self.failure_band, self.recovery_band]
        known = [band for band in bands if band is not None]
        return max(known, key=list(Band).index, default=None)


@dataclass(frozen=True, slots=True)
class Dora:
    """The figures of a window, after `since` up to and including `until`."""

    total: Figures
    by_service: Mapping[str, Figures] = field(default_factory=dict)
    """In alphabetical order."""


def dora(
    deployments: Iterable[Deployment],
    outages: Sequence[Outage],
    now: datetime,
    window: timedelta,
    blame: Blame,
) -> Dora:
    """The figures of what ended in the `window` up to `now`. Deployments that ended later mend earlier ones."""
    counted = [d for d in deployments if blame.counts(d) and d.finished_at is not None]
    judged: list[Judged] = []
    lines: dict[tuple[str, str], list[Deployment]] = {}
    troubles: dict[str, list[Outage]] = {}
    for deployment in counted:
        lines.setdefault((deployment.service, deployment.environment), []).append(deployment)
    for outage in outages:
        troubles.setdefault(outage.service, []).append(outage)
    for deployment in counted:
        if deployment.finished_at is not None and now - window < deployment.finished_at <= now:
            line = lines[deployment.service, deployment.environment]
            judged.append(judge(deployment, troubles.get(deployment.service, []), line, blame))
    services = sorted({each.deployment.service for each in judged})
    return Dora(
        figures(judged, window),
        {name: figures([j for j in judged if j.deployment.service == name], window) for name in services},
    )


def figures(judged: Sequence[Judged], window: timedelta) -> Figures:
    """The figures of these deployments."""
    good = [j.deployment for j in judged if j.deployment.status is DeploymentStatus.SUCCESS]
    failed = [j for j in judged if j.failure is not None]
    lead = summarise([span for span in map(lead_time, good) if span is not None])
    recovery = summarise([j.recovery for j in failed if j.recovery is not None])
    rate = len(failed) / len(judged) if judged else None
    return Figures(
        deployments=len(judged),
        successful=len(good),
        per_day=len(good) / (window / _DAY),
        frequency=_often(len(good), window) if judged else None,
        lead_time=lead,
        lead_time_band=_within(lead.p50_seconds, (_DAY, _WEEK, _MONTH)),
        failed={kind: sum(j.failure is kind for j in failed) for kind in FailureType},
        failure_rate=rate,
        failure_band=_first((0.05, 0.10, 0.15), lambda most: len(failed) <= most * len(judged))
        if judged
        else None,
        recovery=recovery,
        recovery_band=_within(recovery.p50_seconds, (timedelta(hours=1), _DAY, _WEEK)),
        unrecovered=sum(j.recovery is None for j in failed),
    )


def _often(successful: int, window: timedelta) -> Band:
    return _first((_DAY, _WEEK, _MONTH), lambda every: successful * every >= window)


def _within(seconds: float | None, limits: Sequence[timedelta]) -> Band | None:
    if seconds is None:
        return None
    return _first(limits, lambda limit: seconds < limit.total_seconds())


def _first(limits: Sequence[_Limit], fits: Callable[[_Limit], bool]) -> Band:
    """The best band whose limit `fits`; the last one has none."""
    for band, limit in zip(Band, limits, strict=False):
        if fits(limit):
            return band
    return Band.LOW
