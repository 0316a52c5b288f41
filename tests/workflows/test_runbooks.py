"""An incident gets its runbook as it opens, in the same transaction, and people go through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from incidentd.config.people import Retention
from incidentd.domain.incident import ActionRefusedError
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Guidance, Runbook, Step
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.runbook_steps import Progress, Standing, StepState
from incidentd.domain.severity import Severity
from incidentd.metrics import Metrics
from incidentd.store import retention, runbooks, schema
from incidentd.store.schema_runbooks import incident_runbooks, runbook_steps, runbook_texts
from incidentd.workflows import respond
from incidentd.workflows.outcomes import Outcomes
from incidentd.workflows.receive import Submission
from incidentd.workflows.respond import Declaration, NotFoundError
from incidentd.workflows.runbooks import Marked, StepAsk, mark_step
from tests.workflows.world import RULES, World, at, fires, over, stored

STEPS = (Step(1, "Look"), Step(2, "Restart"), Step(3, "Tell people"))


def book(name: str, *match: str, text: str = "first", severity: Severity | None = None) -> Runbook:
    matchers = tuple(map(parse_matcher, match))
    severities = (severity,) if severity else ()
    return Runbook(name, name.title(), matchers, STEPS, text, f"{name} {text}", severities=severities)


DOWN, ANY = book("down", 'alertname="a"'), book("any", 'alertname=~".+"', 'severity="warning"')


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world with two runbooks, on both databases."""
    with stored(database_url, replace(RULES, runbooks=Shelf((ANY, DOWN)))) as world:
        yield world


def progress(world: World, incident_id: int = 1) -> Progress | None:
    return world.write(lambda tx: runbooks.of(tx, [incident_id])).get(incident_id)


def mark(world: World, number: int, state: StepState, comment: str = "", incident_id: int = 1) -> Marked:
    ask, rules, now = StepAsk(incident_id, number, state, "alice", comment), world.rules, world.now
    return world.write(lambda tx: mark_step(tx, ask, rules, now))


def test_an_incident_opens_with_the_runbook_that_fits_best_and_says_why(world: World) -> None:
    world.post(fires("a", severity="page"), fires("b", service="web"))
    found = progress(world)
    assert found is not None
    assert (found.name, found.hash, found.reason) == (
        "any",
        ANY.hash,
        "most_specific: 1 equal, 1 regex; also fits: down",
    )
    (entry, *_) = world.rows(schema.timeline, "incident_id", "seq")
    assert entry.text == "a fires; runbook any"
    assert '"name":"any"' in entry.data
    assert '"reason":"most_specific' in entry.data


def test_matchers_see_the_severity_as_it_is_mapped_and_the_one_frozen_stays(world: World) -> None:
    world.rules = replace(
        world.rules, runbooks=Shelf((book("worst", 'severity="critical"', severity=Severity.CRITICAL), DOWN))
    )
    world.post(fires("a", severity="critical"))
    world.post(fires("b", severity="critical", service="web"))
    assert [getattr(progress(world, number), "name", None) for number in (1, 2)] == ["worst", "worst"]
    world.rules = replace(world.rules, runbooks=Shelf((replace(DOWN, text="second", hash="other"),)))
    world.post(fires("a", 5, severity="critical"), fires("c", 5))
    found = progress(world)
    assert found is not None
    assert (found.name, found.title) == ("worst", "Worst")


def test_without_a_fitting_one_there_is_none_and_it_is_counted(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((DOWN,)))
    metrics = Metrics()
    linked = replace(fires("c", service="db"), annotations={"runbook_url": "https://x.example/"})
    alerts = (fires("b"), fires("a", service="web"), linked)
    Outcomes(metrics).count(world.batch(Submission("main", "request", alerts)).changes)
    value = metrics.registry.get_sample_value
    assert value("incidentd_incidents_without_runbook_total", {"severity": "warning"}) == 1
    assert value("incidentd_runbook_attached_total", {"runbook": "down"}) == 1
    assert progress(world, 1) is None


def test_times_are_told_by_what_told_people_what_to_do_also_in_one_batch(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((DOWN,)))
    metrics = Metrics()
    counted = Outcomes(metrics)
    linked = replace(fires("c", service="db"), annotations={"runbook_url": "https://x.example/"})
    world.post(fires("a"), fires("b", service="web"), linked)
    world.minute = 3
    for number in (1, 2, 3):
        counted.count(world.acknowledge(number).changes)
    # What is in force by now is not what they had.
    world.rules = replace(world.rules, runbooks=Shelf())
    ends = (over("a", end=5), over("b", service="web", end=5), over("c", service="db", end=5))
    world.minute = 6
    counted.count(world.batch(Submission("main", "request", ends)).changes)
    value = metrics.registry.get_sample_value
    for guidance in Guidance:
        known = {"guidance": guidance.value}
        assert value("incidentd_guided_acknowledge_seconds_sum", known) == 180, guidance
        assert value("incidentd_guided_resolve_seconds_sum", known) == 300, guidance


def test_a_declared_incident_gets_one_too(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((book("shop", 'service="shop"'),)))
    declared = Declaration("it burns", Severity.CRITICAL, "shop", "", "alice")
    rules, now = world.rules, world.now
    done = world.write(lambda tx: respond.declare(tx, declared, rules, now))
    assert (found := progress(world, done.incident.id)) is not None
    assert found.name == "shop"


def test_repeats_and_joins_change_nothing_and_a_return_keeps_what_was_done(world: World) -> None:
    world.post(fires("a"))
    mark(world, 1, StepState.DONE)
    world.minute = 1
    world.post(fires("a"), fires("b"))
    world.minute = 2
    world.post(over("a", end=2), over("b", end=2))
    world.minute = 3
    world.post(fires("a", 3))
    assert world.incident().reopen_count == 1
    assert len(world.rows(incident_runbooks, "incident_id")) == 1
    found = progress(world)
    assert found is not None
    assert found.over == 1


def test_a_step_is_marked_by_a_person_told_once_and_put_back(world: World) -> None:
    world.post(fires("a"))
    world.minute = 4
    marked = mark(world, 2, StepState.DONE, "two pods")
    assert marked.progress.standing(2) == Standing(2, StepState.DONE, "alice", at(4), "two pods")
    assert [change.notice for change in marked.changes] == ["updated"]
    assert mark(world, 2, StepState.DONE, "again").changes == ()
    mark(world, 1, StepState.SKIPPED)
    assert mark(world, 2, StepState.PENDING, "it came back").progress.over == 1
    entries = [row for row in world.rows(schema.timeline, "seq") if row.kind.startswith("step_")]
    assert [(row.kind, row.actor, row.text) for row in entries] == [
        ("step_done", "alice", "step 2 done: Restart: two pods"),
        ("step_skipped", "alice", "step 1 skipped: Look"),
        ("step_reset", "alice", "step 2 put back: Restart: it came back"),
    ]
    assert world.told() == ["triggered chat", "updated chat"]


def test_a_step_of_a_resolved_incident_is_marked_and_tells_nobody(world: World) -> None:
    world.post(fires("a"))
    world.resolve()
    before = world.told()
    assert mark(world, 3, StepState.DONE).progress.over == 1
    assert world.told() == before


def test_what_is_not_there_is_not_found_and_a_running_step_is_the_machines(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((DOWN,)))
    world.post(fires("a"), fires("b", service="web"))
    for incident_id, number, said in (
        (9, 1, "there is no incident INC-9"),
        (2, 1, "INC-2 has no runbook"),
        (1, 4, "the runbook of INC-1 has steps 1 to 3"),
        (1, 0, "the runbook of INC-1 has steps 1 to 3"),
    ):
        with pytest.raises(NotFoundError, match=said):
            mark(world, number, StepState.DONE, incident_id=incident_id)
    running = Standing(1, StepState.RUNNING, "incidentd", world.now)
    world.write(lambda tx: runbooks.put(tx, 1, running))
    with pytest.raises(ActionRefusedError, match="step 1 is running") as refused:
        mark(world, 1, StepState.DONE)
    assert refused.value.refusal == "step_state"


def test_a_runbook_is_forgotten_with_its_incident_and_the_text_after_the_last(world: World) -> None:
    world.post(fires("a"), fires("a", service="web"))
    mark(world, 1, StepState.DONE)
    world.resolve(1)
    late = at(0) + Retention().incidents
    assert world.write(lambda tx: retention.delete_incidents(tx, late + timedelta(days=1), 10)) == 1
    assert [row.incident_id for row in world.rows(incident_runbooks, "incident_id")] == [2]
    assert world.rows(runbook_steps, "incident_id") == []
    assert world.write(lambda tx: runbooks.delete_unused(tx, late, 10)) == 0
    world.write(lambda tx: tx.conn.execute(sa.delete(incident_runbooks)))
    assert world.write(lambda tx: runbooks.delete_unused(tx, late, 10)) == 1
    assert world.rows(runbook_texts, "hash") == []
