"""What decisions mean for the daemon's own figures: counted after the commit, never before."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from incidentd.domain.figures import IncidentFacts, time_to_acknowledge, time_to_resolve
from incidentd.domain.incident import Change, Incident, State
from incidentd.domain.notification import Notice
from incidentd.metrics import Metrics

log = structlog.get_logger()


class Outcomes:
    """Turns committed changes into metrics and log lines."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def count(self, changes: Iterable[Change]) -> None:
        """Count and log each change that stands in a timeline."""
        for change in changes:
            if change.entry is None:
                continue
            incident = change.incident
            if change.entry.kind == "triggered":
                self._opened(incident)
            elif change.notice is Notice.ACKNOWLEDGED:
                self._acknowledged(incident)
            elif change.entry.kind == "resolved":
                self._resolved(incident)
            log.info(
                "incident",
                kind=change.entry.kind,
                incident=incident.id,
                severity=incident.severity.value,
                state=incident.state.value,
                actor=change.entry.actor,
            )

    def _opened(self, incident: Incident) -> None:
        service = self._metrics.service(incident.service)
        self._metrics.incidents_opened.labels(incident.severity.value, service).inc()

    def _acknowledged(self, incident: Incident) -> None:
        # Only the first acknowledgement is a time to acknowledge.
        if incident.first_acknowledged_at == incident.acknowledged_at:
            took = time_to_acknowledge(_facts(incident))
            if took is not None:
                self._metrics.acknowledge_seconds.labels(incident.severity.value).observe(
                    took.total_seconds()
                )

    def _resolved(self, incident: Incident) -> None:
        took = time_to_resolve(_facts(incident))
        if took is not None and incident.counts and incident.state is State.RESOLVED:
            for family in (self._metrics.resolve_seconds, self._metrics.mttr_seconds):
                family.labels(incident.severity.value).observe(took.total_seconds())


def _facts(i: Incident) -> IncidentFacts:
    return IncidentFacts(
        severity=i.severity.value,
        service=i.service,
        started_at=i.started_at,
        opened_at=i.opened_at,
        first_acknowledged_at=i.first_acknowledged_at,
        resolved_at=i.resolved_at,
        ended_at=i.ended_at,
        counts=i.counts,
    )
