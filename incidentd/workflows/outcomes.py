"""What decisions mean for the daemon's own figures: counted after the commit, never before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import structlog

from incidentd.domain.deployment import DeploymentStatus
from incidentd.domain.dora import FailureType
from incidentd.domain.figures import Counting, IncidentFacts, time_to_acknowledge, time_to_resolve
from incidentd.domain.incident import Change, Entry, Incident, State
from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Guidance
from incidentd.domain.runbook_steps import StepState
from incidentd.domain.severity import Severity
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.metrics import Metrics
from incidentd.workflows.deployment_links import DEPLOYMENT

_ESCALATION = frozenset({"escalated", "escalation_failed", "escalation_exhausted"})
_FAULTS = frozenset({"escalation_failed", "escalation_exhausted", "escalation_stuck"})
"""Kinds of entries that mean that somebody may not know of something."""

log = structlog.get_logger()


class Outcomes:
    """Turns committed changes into metrics and log lines."""

    def __init__(
        self,
        metrics: Metrics,
        environments: Iterable[str] = (),
        counting: Callable[[], Counting] = Counting,
    ) -> None:
        """`environments`: whose deployments make the figures. `counting`: which incidents are outages, as it is now."""
        self._metrics, self._counting = metrics, counting
        # From the start: an `increase()` over a series that begins with its first event misses that one.
        for state in StepState:
            metrics.runbook_steps.labels(state.value)
        for guidance in Guidance:
            metrics.guided_acknowledge.labels(guidance.value)
            metrics.guided_resolve.labels(guidance.value)
        for severity in Severity:
            metrics.incidents_opened.labels(severity.value, metrics.service(""))
            metrics.without_runbook.labels(severity.value)
            for family in (metrics.acknowledge_seconds, metrics.resolve_seconds, metrics.mttr_seconds):
                family.labels(severity.value)
        for name in environments:
            where = metrics.environment(name)
            metrics.lead_time_seconds.labels(where)
            for status in DeploymentStatus:
                metrics.deployments.labels(where, status.value)
            for kind in FailureType:
                metrics.change_failures.labels(where, kind.value)

    def count(self, changes: Iterable[Change]) -> None:
        """Count and log each change that stands in a timeline."""
        for change in changes:
            if change.entry is None:
                continue
            incident = change.incident
            uncounted = incident.drill is not None or incident.source == OBJECTIVES
            if uncounted and change.entry.kind not in _ESCALATION:
                pass  # no figure counts a drill, nor what only tells of incidents that were counted
            elif change.entry.kind == "triggered":
                self._opened(incident, change.entry)
            elif change.notice is Notice.ACKNOWLEDGED:
                self._acknowledged(change)
            elif change.entry.kind == "resolved":
                self._resolved(change)
            elif change.entry.kind in _ESCALATION:
                self._escalated(change.entry)
            elif change.entry.kind.startswith("step_"):
                self._metrics.runbook_steps.labels(str(change.entry.data["state"])).inc()
            elif change.entry.kind == DEPLOYMENT and change.entry.data["failed_by_it"]:
                self._deployment_failed(str(change.entry.data["environment"]))
            log.log(
                logging.ERROR if change.entry.kind in _FAULTS else logging.INFO,
                "incident",
                kind=change.entry.kind,
                incident=incident.id,
                severity=incident.severity.value,
                state=incident.state.value,
                actor=change.entry.actor,
            )

    def _opened(self, incident: Incident, entry: Entry) -> None:
        service = self._metrics.service(incident.service)
        self._metrics.incidents_opened.labels(incident.severity.value, service).inc()
        runbook = entry.data.get("runbook")
        if isinstance(runbook, dict):
            self._metrics.runbook_attached.labels(str(runbook["name"])).inc()
        elif incident.runbook_url is None:
            self._metrics.without_runbook.labels(incident.severity.value).inc()

    def _acknowledged(self, change: Change) -> None:
        facts, at = self._facts(change), change.incident.acknowledged_at
        took = time_to_acknowledge(facts)
        # Only the first acknowledgement is a time to acknowledge.
        if took is not None and facts.outage and facts.first_acknowledged_at == at:
            self._metrics.acknowledge_seconds.labels(facts.severity).observe(took.total_seconds())
            if change.guidance is not None:
                guided = self._metrics.guided_acknowledge.labels(change.guidance.value)
                guided.observe(took.total_seconds())

    def _escalated(self, entry: Entry) -> None:
        policy, step = str(entry.data["policy"]), str(entry.data["step"])
        if entry.kind == "escalation_exhausted":
            self._metrics.escalations_exhausted.labels(policy).inc()
        else:
            self._metrics.escalations.labels(policy, step).inc()

    def _deployment_failed(self, environment: str) -> None:
        where = self._metrics.environment(environment)
        self._metrics.change_failures.labels(where, FailureType.INCIDENT.value).inc()

    def _resolved(self, change: Change) -> None:
        facts, incident = self._facts(change), change.incident
        took = time_to_resolve(facts)
        # What came back was observed at its first end: twice would make two incidents of one.
        repair = facts.counts and facts.outage and incident.reopen_count == 0
        if took is not None and repair and incident.state is State.RESOLVED:
            for family in (self._metrics.resolve_seconds, self._metrics.mttr_seconds):
                family.labels(facts.severity).observe(took.total_seconds())
            if change.guidance is not None:
                self._metrics.guided_resolve.labels(change.guidance.value).observe(took.total_seconds())

    def _facts(self, change: Change) -> IncidentFacts:
        i = change.incident
        return IncidentFacts(
            severity=i.severity.value,
            service=i.service,
            started_at=i.began_at,
            opened_at=i.opened_at,
            first_acknowledged_at=i.first_acknowledged_at,
            resolved_at=i.resolved_at,
            ended_at=i.ended_at,
            counts=i.counts,
            gaps=change.gaps,
            outage=self._counting().outage(i.severity.value, i.labels),
        )
