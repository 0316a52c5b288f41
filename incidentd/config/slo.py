"""`slo`: what services promise, and `figures`: how reports are made."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from incidentd.config.escalation import Clock
from incidentd.config.section import MatcherField, PositiveDuration, Section, TimeZone
from incidentd.domain import slo as domain
from incidentd.domain.dora import Blame
from incidentd.domain.figures import Counting
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity
from incidentd.fields import BaseUrl, Secret, Slug

_SHORTEST, _LONGEST = timedelta(days=1), timedelta(days=366)
_TELLS_OF_DEPLOYMENTS = 'alertname=~"NewDeployment|DeploymentFailed"'
"""Those of deploy/service-rules.yml."""


def _with_window(value: str) -> str:
    if "$window" not in value:
        raise ValueError("has no $window; accepted: PromQL such as sum(increase(errors_total[$window]))")
    return value


def _budget_window(value: timedelta) -> timedelta:
    if not _SHORTEST <= value <= _LONGEST:
        raise ValueError("is not from 1d to 366d; accepted: a duration such as 30d")
    return value


Expression = Annotated[str, Field(max_length=4096), AfterValidator(_with_window)]
"""PromQL that has ``$window`` where its range stands."""


class PromqlSource(Section):
    """Errors and their whole, as a Prometheus counts them."""

    prometheus: BaseUrl
    """Its address, with the path prefix if it has one, without `/api/v1`."""
    token: Secret | None = None
    """A bearer token, if it wants one."""
    errors: Expression
    """How much went wrong, such as `sum(increase(http_requests_total{code=~"5.."}[$window]))`."""
    total: Expression
    """How much there was at all, such as `sum(increase(http_requests_total[$window]))`."""


class ServiceLevel(Section):
    """One objective: a share of good time, or of good events, over a window that ends now."""

    name: Slug
    """What it is called."""
    service: str = Field(min_length=1)
    """Whose incidents count, and what its burn alerts bear as label `service`."""
    target: float = Field(gt=0, lt=100)
    """Per cent, such as `99.9`."""
    window: Annotated[PositiveDuration, AfterValidator(_budget_window)] = timedelta(days=30)
    """Over which time."""
    severities: tuple[Severity, ...] = Field(default=(Severity.CRITICAL,), min_length=1)
    """While an incident of one of these is open, the service counts as away. Not with `promql`."""
    promql: PromqlSource | None = None
    """Take the errors from a Prometheus in place of incidents."""
    burn_alerts: bool = True
    """Open an incident while the budget burns too fast."""

    @property
    def objective(self) -> domain.Objective:
        """The same for the domain."""
        source = self.promql
        return domain.Objective(
            name=self.name,
            service=self.service,
            target=self.target / 100,
            window=self.window,
            severities=frozenset(self.severities),
            promql=domain.Promql(source.prometheus, source.errors, source.total) if source else None,
            burn_alerts=self.burn_alerts,
        )


class MonthlyReport(Section):
    """The report of a month, mailed when the next one has begun."""

    channel: Slug
    """The `email` channel over which it goes, to all its mailboxes."""
    time_zone: TimeZone = "Etc/UTC"
    """The IANA time zone in which months begin."""
    at: Clock = Field(default=time(8), json_schema_extra={"default": "08:00"})
    """When it leaves on the first day."""


class FigureRules(Section):
    """How reports are made."""

    environments: tuple[str, ...] = Field(default=("production", "prod"), min_length=1)
    """Deployments to these make the DORA figures; others are only listed."""
    failure_window: PositiveDuration = timedelta(hours=1)
    """A deployment counts as failed if an incident of its service opens while it runs or within this time after it."""
    failure_severities: tuple[Severity, ...] = (Severity.CRITICAL, Severity.WARNING)
    """Severities of such incidents."""
    mttr_objective: PositiveDuration = timedelta(hours=2)
    """Incidents that take longer are listed as breaches."""
    no_outage: tuple[MatcherField, ...] = Field(
        default_factory=lambda: (parse_matcher(_TELLS_OF_DEPLOYMENTS),),
        json_schema_extra={"default": [_TELLS_OF_DEPLOYMENTS]},
    )
    """Incidents that any of these matchers fits only tell of something, and so do those of severity `info`: they are
    counted, and are in no time (MTTD, MTTA, MTTR, breaches)."""
    time_zone: TimeZone = "Etc/UTC"
    """The IANA time zone in which night (22:00 to 07:00) and weekend are meant."""
    monthly_report: MonthlyReport | None = None
    """Mail the report each month. Absent: it is not."""

    @property
    def blame(self) -> Blame:
        """Which deployments count, for the domain."""
        return Blame(frozenset(self.environments), frozenset(self.failure_severities), self.failure_window)

    @property
    def counting(self) -> Counting:
        """Which incidents are outages, for the domain."""
        return Counting(self.no_outage)


def named_once(objectives: tuple[ServiceLevel, ...]) -> tuple[ServiceLevel, ...]:
    """The same. Raises ValueError if two bear one name."""
    names = [each.name for each in objectives]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two are called {twice[0]}; accepted: a name for each")
    return objectives
