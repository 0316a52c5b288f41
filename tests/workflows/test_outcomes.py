"""What is counted of committed changes: each incident once, and none that only tells of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.domain.incident import Change
from incidentd.domain.severity import Severity
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.metrics import Metrics
from incidentd.store import figures
from incidentd.workflows.outcomes import Outcomes
from incidentd.workflows.receive import Submission
from tests.workflows.world import World, at, fires, over


def story(world: World) -> list[Change]:
    """An incident that opens, ends, comes back and ends again."""
    made = list(world.batch(Submission("main", "request", (fires("a"),))).changes)
    for minute, alert in ((6, over("a", end=5)), (8, fires("a", 8)), (20, over("a", 8, end=19))):
        world.minute = minute
        made += world.batch(Submission("main", "request", (alert,))).changes
    return made


def test_an_incident_that_came_back_is_one_time_to_repair(world: World) -> None:
    metrics = Metrics()
    changes = story(world)
    assert [c.entry.kind for c in changes if c.entry].count("resolved") == 2
    Outcomes(metrics).count(changes)
    value = metrics.registry.get_sample_value
    assert value("mttr_seconds_count", {"incident_type": "warning"}) == 1
    assert value("mttr_seconds_sum", {"incident_type": "warning"}) == 300


def test_budgets_that_burn_are_no_incidents_of_the_figures(world: World) -> None:
    metrics = Metrics()
    burning = [replace(c, incident=replace(c.incident, source=OBJECTIVES)) for c in story(world)]
    Outcomes(metrics).count(burning)
    value = metrics.registry.get_sample_value
    assert value("mttr_seconds_count", {"incident_type": "warning"}) == 0
    assert value("incidentd_incidents_without_runbook_total", {"severity": "warning"}) == 0


def test_series_with_closed_labels_are_there_before_their_first_event() -> None:
    metrics = Metrics()
    Outcomes(metrics, ["production"])
    value = metrics.registry.get_sample_value
    for severity in Severity:
        assert value("mttr_seconds_count", {"incident_type": severity.value}) == 0
        assert value("incidentd_incident_acknowledge_seconds_count", {"severity": severity.value}) == 0
        assert value("incidentd_incidents_opened_total", {"severity": severity.value, "service": "none"}) == 0
    there = {"environment": "production"}
    assert value("deployment_frequency_total", there | {"status": "failure"}) == 0
    assert value("change_failure_rate_total", there | {"failure_type": "incident"}) == 0
    assert value("deployment_lead_time_seconds_count", there) == 0


def test_a_budget_is_charged_from_when_it_became_that_bad_and_not_between_two_episodes(world: World) -> None:
    story = (
        (0, (fires("a"),)),
        (10, (fires("b", 10, "critical"),)),
        (16, (over("a", end=15), over("b", 10, 15, "critical"))),
        (18, (fires("b", 18, "critical"),)),
    )
    for world.minute, alerts in story:
        world.post(*alerts)
    since = world.now - timedelta(days=1)
    found = world.write(lambda tx: figures.spells(tx, since, "api"))
    assert [(s.incident, s.severity, s.started_at, s.ended_at) for s in found] == [
        (1, Severity.WARNING, at(0), at(10)),
        (1, Severity.CRITICAL, at(10), at(15)),
        (1, Severity.CRITICAL, at(18), None),
    ]
