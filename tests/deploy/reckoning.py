"""Figures worked out by hand, from what was posted and what the alerts say: what daemon and Prometheus must show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.client import Client

LEAD = timedelta(hours=2)
"""From the commit to the end of the deployment."""
TOOK = timedelta(seconds=30)
PER_DAY = 1 / 30
"""One in the report's window of 30 days."""


@dataclass(frozen=True)
class Deployed:
    """A deployment that a pipeline told of."""

    finished: datetime


async def deploy(pipeline: Client) -> Deployed:
    """The shop is deployed; it ends now."""
    # Whole seconds: what is worked out by hand is then exact.
    finished = datetime.now(UTC).replace(microsecond=0)
    body = {
        "id": "4711",
        "service": "shop",
        "environment": "production",
        "version": "1.2",
        "commit_time": (finished - LEAD).isoformat(),
        "started_at": (finished - TOOK).isoformat(),
        "finished_at": finished.isoformat(),
        "status": "success",
    }
    # Another that no figure counts: it went elsewhere.
    trial = {**body, "id": "4710", "environment": "staging"}
    for each in (trial, body):
        answer = await pipeline.post(json.dumps(each).encode(), "/api/v1/deployments")
        assert answer.status == 200, answer.text
    return Deployed(finished)


def seconds(later: str, earlier: str) -> float:
    """Between two instants of the API."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


async def check_the_report(client: Client) -> float:
    """MTTR and DORA of the one incident and the one deployment; MTTR in seconds."""
    [incident] = [await client.incident(each["id"]) for each in await client.incidents(service="shop")]
    [alert] = incident["alerts"]
    outage = seconds(alert["ends_at"], alert["starts_at"])
    report = await client.get("/api/v1/report?service=shop")
    assert (report["total"]["opened"], report["total"]["resolved"]) == (1, 1)
    every = {
        "count": 1,
        **dict.fromkeys(("mean_seconds", "p50_seconds", "p90_seconds", "p95_seconds"), outage),
    }
    assert report["total"]["mttr"] == every
    assert report["total"]["mttd"]["mean_seconds"] == seconds(incident["opened_at"], alert["starts_at"])
    recovery = seconds(alert["ends_at"], incident["opened_at"])
    check_dora(report["dora"], recovery)
    lines = [
        entry["text"] for entry in await client.timeline(incident["id"]) if entry["kind"] == "deployment"
    ]
    assert len(lines) == 1
    assert lines[0].startswith("shop 1.2 to production: deployed ")
    return outage


def check_dora(dora: dict[str, Any], recovery: float) -> None:
    """One deployment, which an incident followed that is over."""
    assert (dora["deployments"], dora["successful"], dora["class"]) == (1, 1, "low")
    assert dora["deployment_frequency"] == {"per_day": PER_DAY, "class": "medium"}
    assert (dora["lead_time"]["count"], dora["lead_time"]["mean_seconds"]) == (1, LEAD.total_seconds())
    assert dora["lead_time"]["class"] == "elite"
    failed = {"ratio": 1.0, "failure": 0, "rolled_back": 0, "incident": 1, "class": "low"}
    assert dora["change_failure_rate"] == failed
    assert (dora["recovery_time"]["mean_seconds"], dora["recovery_time"]["unrecovered"]) == (recovery, 0)
    assert dora["recovery_time"]["class"] == "elite"


def asked_of_prometheus(outage: float) -> dict[str, float]:
    """PromQL and what it must come to."""
    # As the dashboard chooses environments: those that the daemon counts.
    counted = "* on (environment) group_left () max by (environment) (incidentd_figures_environment)"
    production = '{environment="production"}'
    return {
        'sum(mttr_seconds_sum{incident_type="critical"})': outage,
        f"sum(deployment_frequency_total{production})": 1,
        f"sum(deployment_lead_time_seconds_sum{production})": LEAD.total_seconds(),
        'sum(change_failure_rate_total{environment="production", failure_type="incident"})': 1,
        'sum(deployment_frequency_total{environment="staging"})': 1,
        f"sum(deployment_frequency_total {counted})": 1,
    }
