"""The report as the API answers it: plain values with instants, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from incidentd.domain.dora import Figures
from incidentd.domain.duration import format_duration
from incidentd.domain.figures import IncidentFacts, Point, Row
from incidentd.domain.runbook_figures import RunbookReport, Steps, Use
from incidentd.domain.toil import LISTED, Breach, Noise
from incidentd.workflows.reporting import Compiled

Json = dict[str, Any]


def document(made: Compiled) -> Json:
    """All of it."""
    report, toil = made.report, made.toil
    return {
        "window": format_duration(made.window),
        "from": report.since,
        "to": report.until,
        "service": made.service,
        "total": row_json(report.total),
        "by_severity": [{"severity": name, **row_json(row)} for name, row in report.by_severity.items()],
        "by_service": [{"service": name, **row_json(row)} for name, row in report.by_service.items()],
        "by_alertname": [{"alertname": name, **row_json(row)} for name, row in report.by_alertname.items()],
        "over_time": [_point(point) for point in report.over_time],
        "responders": [asdict(load) for load in made.load],
        "noisiest": _noise(toil.noisiest),
        "flappers": _noise(toil.flappers),
        "never_acknowledged": {
            "count": toil.never_acknowledged_count,
            "items": [_incident(incident) for incident in toil.never_acknowledged],
        },
        "without_runbook": _noise(toil.without_runbook),
        "mttr_objective": {
            "objective_seconds": made.objective.total_seconds(),
            "breaches": len(made.breaches),
            "items": [_breach(each) for each in made.breaches[:LISTED]],
        },
        "runbooks": _runbooks(made.runbooks),
        "dora": {
            **dora_json(made.dora.total),
            "by_service": [{"service": name, **dora_json(f)} for name, f in made.dora.by_service.items()],
        },
    }


def _point(point: Point) -> Json:
    return {
        "from": point.since,
        "to": point.until,
        "opened": point.opened,
        "resolved": point.resolved,
        "mttr_seconds": point.mttr_seconds,
    }


def row_json(row: Row) -> Json:
    """The figures of one group of incidents."""
    return asdict(row)


def dora_json(made: Figures) -> Json:
    """The four figures of a set of deployments."""
    return {
        "deployments": made.deployments,
        "successful": made.successful,
        "deployment_frequency": {"per_day": made.per_day, "class": made.frequency},
        "lead_time": {**asdict(made.lead_time), "class": made.lead_time_band},
        "change_failure_rate": {
            "ratio": made.failure_rate,
            **{kind.value: count for kind, count in made.failed.items()},
            "class": made.failure_band,
        },
        "recovery_time": {
            **asdict(made.recovery),
            "unrecovered": made.unrecovered,
            "class": made.recovery_band,
        },
        "class": made.overall,
    }


def _runbooks(made: RunbookReport) -> Json:
    return {
        "by_guidance": [{"guidance": kind.value, **row_json(row)} for kind, row in made.guidance.items()],
        "steps": _steps(made.steps),
        "items": [_use(use) for use in made.uses],
    }


def _use(use: Use) -> Json:
    return {
        **{name: getattr(use, name) for name in ("name", "title", "in_force", "owner", "version", "tested")},
        "last_used_at": use.last_at,
        **row_json(use.incidents),
        "steps": _steps(use.steps),
    }


def _steps(steps: Steps) -> Json:
    return {"total": steps.total, **asdict(steps)}


def _noise(found: Sequence[Noise]) -> list[Json]:
    return [asdict(each) for each in found]


def _incident(incident: IncidentFacts) -> Json:
    return {
        "id": incident.id,
        "ref": f"INC-{incident.id}",
        "title": incident.title,
        "severity": incident.severity,
        "service": incident.service,
        "opened_at": incident.opened_at,
    }


def _breach(breach: Breach) -> Json:
    return {**_incident(breach.incident), "seconds": breach.took.total_seconds(), "over": breach.over}
