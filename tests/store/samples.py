"""The cast of the store's tests: a few alerts, incidents and rules, and the instant at which it all
happens.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.incident import Incident, State
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity
from incidentd.workflows.receive import Submission
from incidentd.workflows.rules import Rules

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
RULES = Rules(Route(notify=("console",)), {"console": ("standard output",)})


def alert(
    number: int = 1, *, firing: bool = True, starts_at: datetime = NOW, severity: str = "critical"
) -> Alert:
    """Alert `number`, in a group of its own."""
    return Alert(
        source="main",
        fingerprint=f"{number:016x}",
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels={"alertname": f"Alert{number}", "service": "api", "severity": severity},
        annotations={"summary": f"alert {number} ✓"},
        starts_at=starts_at,
        ends_at=None if firing else starts_at + MINUTE,
    )


def post(*alerts: Alert) -> Submission:
    """One webhook post."""
    return Submission("main", "request", alerts)


def incident(number: int = 1, **changes: Any) -> Incident:
    """Incident `number`, open, in a group of its own."""
    plain = Incident(
        id=number,
        source="main",
        group_key=f"main:{{{number}}}",
        title=f"incident {number}",
        state=State.TRIGGERED,
        severity=Severity.CRITICAL,
        service="api",
        labels={"service": "api"},
        notify=("console", "mail"),
        route="root",
        escalation=None,
        opened_at=NOW,
        started_at=NOW,
    )
    return replace(plain, **changes)


def resolved(number: int = 1, at: datetime = NOW, **changes: Any) -> Incident:
    """Incident `number`, ended by its source `at`."""
    return incident(number, state=State.RESOLVED, resolved_at=at, resolved_by="source", **changes)
