"""What is counted of committed changes: each incident once, and none that only tells of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain.alert import Alert
from incidentd.domain.figures import Counting, report, time_to_resolve
from incidentd.domain.incident import Change
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.domain.slo import Objective, debits
from incidentd.metrics import Metrics
from incidentd.store import figures, schema
from incidentd.workflows.outcomes import Outcomes
from incidentd.workflows.receive import Submission
from tests.workflows.world import MINUTE, RULES, World, at, fires, over


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


def test_what_only_tells_of_something_is_counted_and_is_in_no_time(world: World) -> None:
    events = Counting((parse_matcher('alertname="NewDeployment"'),))
    for name, severity in (("NewDeployment", "warning"), ("b", "info")):
        metrics = Metrics()
        world.rules = replace(RULES, grouping=("alertname",))
        made = list(world.batch(Submission("main", "r", (fires(name, 0, severity),))).changes)
        made += world.batch(Submission("main", "r", (over(name, 0, 1, severity),))).changes
        Outcomes(metrics, (), lambda: events).count(made)
        value = metrics.registry.get_sample_value
        assert value("incidentd_incidents_opened_total", {"severity": severity, "service": "api"}) == 1
        assert value("mttr_seconds_count", {"incident_type": severity}) == 0
        assert value("incidentd_incident_resolve_seconds_count", {"severity": severity}) == 0
    since = world.now - timedelta(days=1)
    facts = world.write(lambda tx: figures.facts_since(tx, since, None, events))
    row = report(facts, world.now + timedelta(minutes=5), timedelta(days=1)).total
    assert (row.opened, row.resolved, row.mttr.count, row.mttd.count) == (2, 2, 0, 0)


OPENS = (0, (fires("a", 0, "critical"),))
ENDS = (11, (over("a", 0, 10, "critical"),))
HEALTHY: dict[str, tuple[Sequence[tuple[float, Sequence[Alert]]], float, float]] = {
    "between an end and a newer start": (
        [OPENS, ENDS, (18, [fires("a", 17, "critical")]), (30, [over("a", 17, 29, "critical")])], 22, 22,
    ),
    "between an end and the same start again": (
        [OPENS, ENDS, (18, [fires("a", 0, "critical")]), (30, [over("a", 0, 29, "critical")])], 21, 21,
    ),
    "before an old start joins what is new": (
        [OPENS, ENDS, (60, [fires("b", 60, "critical")]), (61, [fires("a", 0, "critical")]),
         (80, [over("a", 0, 70, "critical"), over("b", 60, 70, "critical")])], 10, 20,
    ),
    "before a lesser alert joins that was there before": (
        [(0, [fires("b", 0, "critical")]), (1, [fires("w", -500, "warning")]),
         (20, [over("b", 0, 10, "critical"), over("w", -500, 10, "warning")])], 10, 10,
    ),
}  # fmt: skip
"""What happens -> minutes that the last incident took, and that the objective is charged with."""


@pytest.mark.parametrize("case", HEALTHY, ids=str)
def test_no_healthy_time_is_charged(world: World, case: str) -> None:
    story, took, charged = HEALTHY[case]
    for world.minute, alerts in story:
        world.post(*alerts)
    since = world.now - timedelta(days=1)
    facts = world.write(lambda tx: figures.facts_since(tx, since))
    assert time_to_resolve(facts[-1]) == took * MINUTE
    goal = Objective("o", "api", 0.99, timedelta(days=1))
    spells = world.write(lambda tx: figures.spells(tx, since, "api"))
    assert sum(debit.seconds for debit in debits(goal, spells, world.now)) == charged * 60


def test_an_acknowledgement_after_a_pause_took_the_time_in_trouble(world: World) -> None:
    for world.minute, alert in ((0, fires("a")), (6, over("a", end=5)), (8, fires("a", 8))):
        world.post(alert)
    metrics = Metrics()
    Outcomes(metrics).count(world.acknowledge().changes)
    value = metrics.registry.get_sample_value
    assert value("incidentd_incident_acknowledge_seconds_sum", {"severity": "warning"}) == 300


def test_a_timeline_tells_of_the_severity_with_which_an_incident_comes_back(world: World) -> None:
    for world.minute, alert in ((0, fires("a")), (6, over("a", end=5)), (8, fires("b", 8, "critical"))):
        world.post(alert)
    [text] = [row.text for row in world.rows(schema.timeline) if row.kind == "reopened"]
    assert text == "fires again: b; severity critical, was warning"
    found = world.write(lambda tx: figures.spells(tx, at(-1), "api"))
    assert [(s.severity, s.started_at, s.ended_at) for s in found] == [
        (Severity.WARNING, at(0), at(5)),
        (Severity.CRITICAL, at(8), None),
    ]
