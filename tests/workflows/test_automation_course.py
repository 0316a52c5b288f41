"""Whose turn it is however many wait, what an interruption leaves behind, and what a worse severity begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from incidentd.automation.base import Result
from incidentd.domain.automation import RunState, StepRun
from incidentd.domain.runbook import Kind, Run, Step
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.runbook_steps import StepState
from incidentd.domain.severity import Severity
from incidentd.store import automation as store
from incidentd.store import schema
from incidentd.store.schema_automation import step_runs
from incidentd.workflows.automation_course import begun, chosen
from incidentd.workflows.automation_tidy import handed_back
from incidentd.workflows.runbooks import StepAsk, mark_step
from tests.workflows.automating import (
    BOOK,
    FINE,
    POLICY,
    ask,
    command,
    finish,
    look,
    policy,
    runs,
    states,
    take,
)
from tests.workflows.world import RULES, World, fires, over, stored

RISEN = replace(
    BOOK,
    steps=(
        Step(1, "Look", command("look", Run.AUTO)),
        Step(2, "Look closer", command("look", Run.AUTO, when=(Severity.CRITICAL,))),
        Step(3, "Restart", command("restart", Run.APPROVE, when=(Severity.CRITICAL,))),
        Step(4, "Look again", command("look", Run.AUTO, when=(Severity.CRITICAL,))),
    ),
)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world whose runbook has steps for machines, on both databases."""
    rules = replace(RULES, runbooks=Shelf((BOOK,)), automation=replace(POLICY, per_runbook=9, at_once=9))
    with stored(database_url, rules) as world:
        yield world


def _run(world: World, number: int, book: str, state: RunState, asked_by: str = "") -> StepRun:
    known = (0, 1000 + number, 1, book, Kind.COMMAND, "look", False, state, world.now)
    return StepRun(*known, asked_by=asked_by, turn_at=world.now)


def test_however_many_wait_the_limits_hold_and_nobody_behind_them_is_forgotten(world: World) -> None:
    waiting = [_run(world, n, "busy", RunState.QUEUED) for n in range(410)]
    running = _run(world, 410, "busy", RunState.RUNNING)
    last = _run(world, 411, "free", RunState.QUEUED)
    person = _run(world, 412, "other", RunState.QUEUED, "alice")
    world.write(lambda tx: store.add(tx, [*waiting, running, last, person]))
    limits = replace(POLICY, per_runbook=1, at_once=4)
    turn = world.write(lambda tx: chosen(tx, limits))
    assert [each.incident_id for each in turn] == [1412, 1411]
    limits = replace(limits, per_runbook=2)
    turn = world.write(lambda tx: chosen(tx, limits))
    assert [each.incident_id for each in turn] == [1412, 1000, 1411]
    world.minute = 6
    look(world)
    left = [row.incident_id for row in world.rows(step_runs) if row.ended_at is None]
    assert left == [1410, 1412]


def _audited(world: World) -> str:
    rows = world.rows(schema.metadata.tables["audit_events"], "seq")
    return str([row.entry for row in rows if "runbook.step_ended" in row.entry][-1])


def _restarting(world: World) -> Any:
    world.post(fires("a"))
    ask(world, 3)
    [restart] = [each for each in take(world) if each.run.number == 3]
    now = world.now
    world.write(lambda tx: begun(tx, restart, ["/bin/restart", "shop"], now))
    return restart


def test_the_audit_log_says_what_was_interrupted_and_that_nothing_more_is_known(world: World) -> None:
    _restarting(world)
    look(world, alone=True)
    said = _audited(world)
    assert '"argv":["/bin/restart","shop"]' in said
    assert '"interrupted":"the daemon stopped; whether it took effect is unknown"' in said
    assert '"outcome":"interrupted"' in said
    assert "output_sha256" not in said
    [row] = [row for row in world.rows(step_runs) if row.number == 3]
    assert '"argv":["/bin/restart","shop"]' in row.data.replace(" ", "")


def test_an_orderly_stop_keeps_what_is_known_by_then(world: World) -> None:
    restart = _restarting(world)
    rules, now = world.rules, world.now
    broken_off = Result(
        RunState.STOPPED, "the daemon is stopping", "half\n", {"argv": ["/bin/restart", "shop"], "signal": 15}
    )
    world.write(lambda tx: handed_back(tx, restart, broken_off, rules, now))
    said = _audited(world)
    for part in (
        '"argv":["/bin/restart","shop"]',
        '"signal":15',
        '"output_sha256"',
        "whether it took effect",
    ):
        assert part in said
    [row] = [row for row in world.rows(step_runs) if row.number == 3]
    assert (row.state, row.output) == ("interrupted", "half\n")


def test_a_result_that_comes_after_the_interruption_is_told_once(world: World) -> None:
    restart = _restarting(world)
    look(world, alone=True)
    for _ in range(2):
        finish(world, restart)
    assert world.timeline().count("run_late") == 1
    assert (runs(world)[3], states(world)[3]) == ("interrupted", "failed")
    [row] = [row for row in world.rows(step_runs) if row.number == 3]
    assert (row.output, row.summary.endswith("; but it ended, succeeded: all is well")) == ("line\n", True)
    assert '"outcome":"succeeded"' in _audited(world)


def test_secrets_in_what_came_of_a_run_are_not_kept(world: World) -> None:
    world.post(fires("a"))
    leaking = replace(
        FINE,
        summary="token=abcdefghijkl",
        data={
            "query": 'up{password="abcdefghijkl"}',
            "series": [{"name": "x?token=abcdefghijkl", "points": [[1, "2"]]}],
        },
    )
    finish(world, take(world)[0], leaking)
    everything = str(world.everything()) + _audited(world)
    assert "abcdefghijkl" not in everything
    assert "[secret]" in everything


def test_a_worse_severity_begins_what_is_due_by_then_and_nothing_twice(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((RISEN,)))
    world.post(fires("a"))
    assert runs(world) == {1: "queued"}
    marked, rules, now = StepAsk(1, 4, StepState.DONE, "alice"), world.rules, world.now
    world.write(lambda tx: mark_step(tx, marked, rules, now))
    world.post(fires("b", severity="critical"))
    assert runs(world) == {1: "queued", 2: "queued", 3: "offered"}
    for each in take(world):
        finish(world, each)
    _comes_back(world, "critical")
    assert len(world.rows(step_runs)) == 3


def _comes_back(world: World, severity: str) -> None:
    world.minute = 1
    world.post(over("a", end=1), over("b", end=1, severity="critical"))
    world.minute = 3
    world.post(fires("c", 3, severity=severity))
    assert (world.incident().reopen_count, world.incident().open) == (1, True)


def test_so_does_one_that_comes_back_worse_than_it_ever_was(world: World) -> None:
    world.rules = replace(world.rules, runbooks=Shelf((RISEN,)))
    world.post(fires("a"))
    _comes_back(world, "critical")
    assert runs(world) == {1: "withdrawn", 2: "queued", 3: "offered", 4: "queued"}


def test_a_worse_severity_begins_nothing_that_the_opening_did_not_wait_for(world: World) -> None:
    policy(world, enabled=False)
    world.rules = replace(world.rules, runbooks=Shelf((RISEN,)))
    world.post(fires("a"))
    world.post(fires("b", severity="critical"))
    policy(world, enabled=True)
    world.post(fires("c", severity="critical"))
    assert runs(world) == {}
