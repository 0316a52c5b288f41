"""What runbooks are good for: figures that add up to a recount of every incident, and each runbook with its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.figures import IncidentFacts
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Guidance, Runbook, Step
from incidentd.domain.runbook_figures import RunbookReport, Steps, Use, Worked, runbook_report
from incidentd.domain.runbook_steps import StepState

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def fact(runbook: str = "", *, link: bool = False, took: int = 10, opened: datetime = NOW) -> IncidentFacts:
    """An incident that was acknowledged at half of its `took` minutes."""
    return IncidentFacts(
        severity="critical",
        service="shop",
        started_at=opened,
        opened_at=opened,
        first_acknowledged_at=opened + took * MINUTE / 2,
        resolved_at=opened + took * MINUTE,
        link=link,
        runbook=runbook,
    )


def book(name: str, tested: date | None = None) -> Runbook:
    return Runbook(
        name=name,
        title=f"{name} now",
        match=(parse_matcher("a=b"),),
        steps=(Step(1, "look"),),
        text="",
        hash=name,
        owner="team-shop",
        version="2",
        tested=tested,
    )


def made(
    facts: Sequence[IncidentFacts] = (),
    worked: Sequence[Worked] = (),
    books: Sequence[Runbook] = (),
    *,
    idle: bool = True,
) -> RunbookReport:
    return runbook_report(facts, worked, books, NOW + HOUR, DAY, idle=idle)


def by_name(report: RunbookReport) -> Mapping[str, Use]:
    return {use.name: use for use in report.uses}


def test_with_a_link_alone_and_with_neither_stand_side_by_side_even_if_one_is_empty() -> None:
    report = made([fact("down", took=10), fact("down", took=20), fact(took=60)])
    medians = {
        kind: (row.resolved, row.mtta.p50_seconds, row.mttr.p50_seconds)
        for kind, row in report.guidance.items()
    }
    assert medians == {
        Guidance.RUNBOOK: (2, 450.0, 900.0),
        Guidance.LINK: (0, None, None),
        Guidance.NONE: (1, 1800.0, 3600.0),
    }


def test_versions_of_a_runbook_are_one_line_with_the_words_of_its_file() -> None:
    worked = [
        Worked("down", "old", 3, NOW - HOUR, Steps.of(9, {StepState.DONE: 4, StepState.FAILED: 1})),
        Worked("down", "new", 1, NOW, Steps.of(4, {StepState.SKIPPED: 2, StepState.RUNNING: 1})),
    ]
    [use] = made([fact("down")] * 4, worked, [book("down", date(2026, 2, 1))]).uses
    assert (use.title, use.in_force, use.owner, use.version) == ("down now", True, "team-shop", "2")
    assert (use.tested, use.last_at, use.incidents.opened) == (date(2026, 2, 1), NOW, 4)
    assert use.steps == Steps(pending=5, running=1, done=4, skipped=2, failed=1)
    assert use.steps.total == 13


def test_one_without_a_file_keeps_the_words_of_its_last_version() -> None:
    worked = [Worked("gone", "first", 1, NOW - HOUR, Steps(1)), Worked("gone", "second", 1, NOW, Steps(1))]
    [use] = made([fact("gone")], worked).uses
    assert (use.title, use.in_force, use.tested, use.owner) == ("second", False, None, None)


def test_an_older_incident_that_ended_in_the_window_counts_for_its_runbook() -> None:
    [use] = made([fact("slow", opened=NOW - 2 * DAY, took=2 * 24 * 60)]).uses
    assert (use.title, use.incidents.opened, use.incidents.resolved) == ("slow", 0, 1)
    assert (use.last_at, use.steps) == (None, Steps())


def test_idle_ones_are_told_if_asked_for_after_those_that_were_used() -> None:
    books, facts = [book("a"), book("z")], [fact("z")]
    assert [use.name for use in made(facts, [], books).uses] == ["z", "a"]
    assert [use.name for use in made(facts, [], books, idle=False).uses] == ["z"]
    assert by_name(made(facts, [], books, idle=False))["z"].in_force


def test_a_step_that_was_put_back_is_pending() -> None:
    assert Steps.of(3, {StepState.PENDING: 2, StepState.DONE: 1}) == Steps(pending=2, done=1)


names = st.sampled_from(["", "down", "slow", "odd"])
incidents = st.builds(
    lambda name, link, took, hours: fact(name, link=link, took=took, opened=NOW - hours * HOUR),
    names,
    st.booleans(),
    st.integers(0, 5000),
    st.integers(0, 60),
)


@given(st.lists(incidents, max_size=20))
def test_every_incident_counts_once_by_guidance_and_once_by_runbook(facts: list[IncidentFacts]) -> None:
    report = made(facts)
    since, until = NOW + HOUR - DAY, NOW + HOUR
    opened = [fact for fact in facts if since < fact.opened_at <= until]
    assert sum(row.opened for row in report.guidance.values()) == len(opened)
    assert report.guidance[Guidance.NONE].opened == sum(not f.runbook and not f.link for f in opened)
    assert {use.name: use.incidents.opened for use in report.uses if use.incidents.opened} == {
        name: count
        for name in ("down", "slow", "odd")
        if (count := sum(fact.runbook == name for fact in opened))
    }
    assert report.guidance[Guidance.RUNBOOK].mttr.count == sum(
        use.incidents.mttr.count for use in report.uses
    )
