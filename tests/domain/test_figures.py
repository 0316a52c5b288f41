"""MTTA and MTTR: what is counted, from when to when, and what is left out."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.figures import (
    IncidentFacts,
    Summary,
    report,
    summarise,
    time_to_acknowledge,
    time_to_resolve,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def incident(
    *,
    severity: str = "critical",
    service: str = "api",
    started: float = 0,
    opened: float = 1,
    acknowledged: float | None = None,
    resolved: float | None = None,
    ended: float | None = None,
    counts: bool = True,
) -> IncidentFacts:
    """An incident in minutes after noon."""
    return IncidentFacts(
        severity=severity,
        service=service,
        started_at=at(started),
        opened_at=at(opened),
        first_acknowledged_at=None if acknowledged is None else at(acknowledged),
        resolved_at=None if resolved is None else at(resolved),
        ended_at=None if ended is None else at(ended),
        counts=counts,
    )


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        ([], Summary(0, None, None, None, None)),
        (seconds(7), Summary(1, 7, 7, 7, 7)),
        (seconds(20, 10), Summary(2, 15, 15, 19, 19.5)),
        (seconds(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), Summary(11, 6, 6, 10, 10.5)),
        (seconds(0, 0, 0, 100), Summary(4, 25, 0, 70, 85)),
    ],
)
def test_durations_are_summarised_by_mean_and_interpolated_percentiles(
    durations: list[timedelta], expected: Summary
) -> None:
    assert summarise(iter(durations)) == expected


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=400)), min_size=2, max_size=200))
def test_the_figures_are_those_of_the_statistics_module(durations: list[timedelta]) -> None:
    values = [duration.total_seconds() for duration in durations]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    summary = summarise(durations)
    assert summary.count == len(values)
    assert summary.mean_seconds == pytest.approx(statistics.fmean(values))
    assert summary.p50_seconds == pytest.approx(cuts[49])
    assert summary.p90_seconds == pytest.approx(cuts[89])
    assert summary.p95_seconds == pytest.approx(cuts[94])


@pytest.mark.parametrize(
    ("facts", "minutes"),
    [
        (incident(), None),
        (incident(acknowledged=5), 5),
        (incident(started=-10, acknowledged=5), 15),
        (incident(started=10, acknowledged=5), 0),
    ],
)
def test_time_to_acknowledge_runs_from_the_alerts_own_start(
    facts: IncidentFacts, minutes: float | None
) -> None:
    assert time_to_acknowledge(facts) == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("facts", "minutes"),
    [
        (incident(), None),
        (incident(resolved=30), 30),
        (incident(resolved=30, ended=25), 25),
        (incident(resolved=30, ended=40), 40),
        (incident(started=-10, resolved=30, ended=25), 35),
        (incident(started=50, resolved=30), 0),
    ],
)
def test_time_to_resolve_runs_to_the_alerts_own_end_or_else_to_the_resolve(
    facts: IncidentFacts, minutes: float | None
) -> None:
    assert time_to_resolve(facts) == (None if minutes is None else timedelta(minutes=minutes))


def test_a_reopened_incident_has_no_time_to_resolve_though_its_first_episode_ended() -> None:
    assert time_to_resolve(incident(ended=25)) is None


def test_the_report_has_a_total_and_a_row_per_severity_and_per_service() -> None:
    facts = [
        incident(acknowledged=2, resolved=10),
        incident(severity="warning", service="db", acknowledged=4, resolved=20),
        incident(severity="warning", service=""),
    ]
    made = report(iter(facts), at(60), DAY)
    assert (made.since, made.until) == (at(60) - DAY, at(60))
    assert (made.total.opened, made.total.resolved) == (3, 2)
    assert made.total.mtta == summarise(seconds(120, 240))
    assert made.total.mttr == summarise(seconds(600, 1200))
    assert list(made.by_severity) == ["critical", "warning"]
    assert (made.by_severity["warning"].opened, made.by_severity["warning"].resolved) == (2, 1)
    assert made.by_severity["warning"].mttr == summarise(seconds(1200))
    assert list(made.by_service) == ["", "api", "db"]
    assert made.by_service[""].mtta == Summary(0)
    assert made.by_service["db"].mtta == summarise(seconds(240))


def test_an_incident_whose_end_repaired_nothing_counts_everywhere_but_in_mttr() -> None:
    row = report([incident(acknowledged=2, resolved=10, counts=False)], at(60), DAY).total
    assert (row.opened, row.resolved) == (1, 1)
    assert row.mtta.count == 1
    assert row.mttr == Summary(0)


def test_each_event_counts_in_the_window_in_which_it_happened() -> None:
    long_outage = incident(opened=1, acknowledged=70, resolved=130)
    hours = [report([long_outage], at(60 * hour), timedelta(hours=1)) for hour in (1, 2, 3, 4)]
    assert [hour.total.opened for hour in hours] == [1, 0, 0, 0]
    assert [hour.total.mtta.count for hour in hours] == [0, 1, 0, 0]
    assert [hour.total.resolved for hour in hours] == [0, 0, 1, 0]
    assert hours[2].total.mttr == summarise([timedelta(minutes=130)])
    assert [list(hour.by_service) for hour in hours] == [["api"], ["api"], ["api"], []]


def test_the_border_between_two_windows_belongs_to_the_earlier_one() -> None:
    facts = [incident(opened=60)]
    assert report(facts, at(60), timedelta(hours=1)).total.opened == 1
    assert report(facts, at(120), timedelta(hours=1)).total.opened == 0


def test_a_report_of_nothing_is_zeros_and_no_figures() -> None:
    made = report([], NOON, DAY)
    assert (made.total.opened, made.total.resolved) == (0, 0)
    assert made.total.mtta == made.total.mttr == Summary(0)
    assert (made.by_severity, made.by_service) == ({}, {})


minutes_or_none = st.none() | st.integers(-500, 500)
incidents = st.builds(
    incident,
    severity=st.sampled_from(["critical", "warning", "info"]),
    service=st.sampled_from(["", "api", "db"]),
    started=st.integers(-500, 500),
    opened=st.integers(-500, 500),
    acknowledged=minutes_or_none,
    resolved=minutes_or_none,
    ended=minutes_or_none,
    counts=st.booleans(),
)


@given(st.lists(incidents, max_size=20))
def test_the_rows_add_up_to_the_total_and_no_time_is_negative(facts: list[IncidentFacts]) -> None:
    made = report(facts, at(400), timedelta(minutes=800))
    for rows in (made.by_severity, made.by_service):
        assert sum(row.opened for row in rows.values()) == made.total.opened
        assert sum(row.resolved for row in rows.values()) == made.total.resolved
        assert sum(row.mtta.count for row in rows.values()) == made.total.mtta.count
        assert sum(row.mttr.count for row in rows.values()) == made.total.mttr.count
    for facts_of_one in facts:
        for elapsed in (time_to_acknowledge(facts_of_one), time_to_resolve(facts_of_one)):
            assert elapsed is None or elapsed >= timedelta(0)


@given(st.lists(incidents, max_size=20), st.integers(1, 100 * 24 * 60), st.integers(-500, 500))
def test_the_steps_of_a_window_cover_it_once_and_add_up_to_its_report(
    facts: list[IncidentFacts], minutes: int, until: int
) -> None:
    window = timedelta(minutes=minutes)
    made = report(facts, at(until), window)
    steps = made.over_time
    assert (steps[0].since, steps[-1].until) == (made.since, made.until)
    assert all(one.until == other.since for one, other in pairwise(steps))
    assert len({step.until - step.since for step in steps[1:]}) <= 1
    for step in steps:
        alone = report(facts, step.until, step.until - step.since).total
        assert (step.opened, step.resolved) == (alone.opened, alone.resolved)
        assert step.mttr_seconds == alone.mttr.mean_seconds


@pytest.mark.parametrize(
    ("window", "step", "count"),
    [
        (timedelta(minutes=5), timedelta(minutes=5), 1),
        (timedelta(days=2), timedelta(hours=1), 48),
        (timedelta(days=30), timedelta(days=1), 30),
        (timedelta(days=1100), timedelta(weeks=1), 158),
    ],
)
def test_a_window_is_cut_into_few_enough_steps_to_look_at(
    window: timedelta, step: timedelta, count: int
) -> None:
    steps = report([], NOON, window).over_time
    assert len(steps) == count
    assert steps[-1].until - steps[-1].since == step
