"""Runs of steps on both databases: once each, within the limits, by whom, and what time and the switch do to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.domain.automation import RunState
from incidentd.domain.incident import ActionRefusedError
from incidentd.domain.runbook_match import Shelf
from incidentd.domain.runbook_steps import StepState
from incidentd.store import automation as store
from incidentd.store import schema
from incidentd.store.schema_automation import step_runs
from incidentd.workflows import automation, automation_switch
from incidentd.workflows.automation import RunAsk
from incidentd.workflows.automation_acts import Act, perform
from incidentd.workflows.automation_tidy import Look, due
from incidentd.workflows.runbooks import StepAsk, mark_step
from tests.workflows.automating import BOOK, FINE, POLICY, ask, finish, look, policy, runs, states, take
from tests.workflows.world import RULES, World, fires, over, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world whose runbook has steps for machines, on both databases."""
    with stored(database_url, replace(RULES, runbooks=Shelf((BOOK,)), automation=POLICY)) as world:
        yield world


def test_first_looks_begin_with_the_incident_once_and_repeats_change_nothing(world: World) -> None:
    world.post(fires("a"))
    assert runs(world) == {1: "queued", 2: "queued", 3: "offered"}
    world.minute = 1
    world.post(fires("a"), fires("b"))
    world.post(over("a", end=1), over("b", end=1))
    world.minute = 3
    world.post(fires("a", 3))
    assert (world.incident().reopen_count, len(world.rows(step_runs))) == (1, 3)


def test_of_one_runbook_and_in_total_only_so_many_run_at_once(world: World) -> None:
    policy(world, per_runbook=2, at_once=3)
    world.post(fires("a"), fires("a", service="web"))
    first = take(world)
    assert [(each.incident.id, each.run.number) for each in first] == [(1, 1), (1, 2)]
    assert take(world) == []
    finish(world, first[0])
    assert [(each.incident.id, each.run.number) for each in take(world)] == [(2, 1)]


def test_what_came_of_it_is_in_step_timeline_and_audit(world: World) -> None:
    world.post(fires("a"))
    finish(world, take(world)[0])
    assert states(world)[1] == "done"
    [entry] = [row for row in world.rows(schema.timeline) if row.kind == "step_done"]
    assert (entry.actor, entry.text) == ("incidentd", "step 1 done: Look: all is well")
    assert '"output":"line\\n"' in entry.data
    [noted] = [
        row.entry
        for row in world.rows(schema.metadata.tables["audit_events"], "seq")
        if "runbook.step" in row.entry
    ]
    for part in (
        '"argv":["/bin/true"]',
        '"exit_code":0',
        '"outcome":"succeeded"',
        '"runbook":"hash"',
        '"output_sha256"',
    ):
        assert part in noted
    assert world.told() == ["triggered chat"]


def test_what_changes_something_waits_for_a_person_and_is_told(world: World) -> None:
    world.post(fires("a"))
    assert 3 not in [each.run.number for each in take(world)]
    assert ask(world, 3).run is not None
    assert ask(world, 3, "bob").changes == ()
    policy(world, per_runbook=5)
    [restart] = take(world)
    assert (restart.run.asked_by, states(world)[3]) == ("alice", "running")
    finish(world, restart, replace(FINE, state=RunState.FAILED, summary="exit code 1"))
    assert states(world)[3] == "failed"
    assert world.told()[-1] == "updated chat"


def test_a_second_person_is_another_one(world: World) -> None:
    policy(world, two_people=True)
    world.post(fires("a"))
    assert (ask(world, 3).run or FINE).state == "asked"
    assert ask(world, 3).changes == ()
    assert [each.run.number for each in take(world)] == [1, 2]
    approved = ask(world, 3, "bob").run
    assert approved is not None
    assert (approved.state, approved.asked_by, approved.approved_by) == ("queued", "alice", "bob")


def test_a_request_that_nobody_agrees_to_ends(world: World) -> None:
    policy(world, two_people=True, fresh=timedelta(hours=9))
    world.post(fires("a"))
    ask(world, 3)
    world.minute = 61
    look(world)
    assert runs(world)[3] == "withdrawn"
    assert "run_withdrawn" in world.timeline()
    assert (ask(world, 3).run or FINE).state == "asked"


def test_a_command_rests_between_two_runs_and_never_runs_twice_at_once(world: World) -> None:
    policy(world, per_runbook=9, at_once=9)
    world.post(fires("a"), fires("a", service="web"))
    rules = world.rules
    ask(world, 3)
    wanted = RunAsk(2, 3, "bob")
    world.write(lambda tx: automation.ask(tx, wanted, rules, world.now))
    restarts = [each for each in take(world) if each.run.number == 3]
    assert [each.incident.id for each in restarts] == [1]
    finish(world, restarts[0])
    assert [each.run.number for each in take(world)] == []
    assert runs(world, 2)[3] == "refused"
    with pytest.raises(
        ActionRefusedError, match="restart ran at 12:00:00 UTC and rests until 12:05:00"
    ) as refused:
        world.write(lambda tx: automation.ask(tx, wanted, rules, world.now))
    assert refused.value.refusal == "cooldown"
    world.minute = 5
    assert world.write(lambda tx: automation.ask(tx, wanted, rules, world.now)).changes


def test_an_interrupted_look_begins_again_and_a_change_never_does(world: World) -> None:
    policy(world, per_runbook=9)
    world.post(fires("a"))
    ask(world, 3)
    claimed = take(world)
    assert look(world, *[each.run.id for each in claimed]) is False
    look(world, alone=True)
    assert (runs(world), states(world)[3]) == ({1: "queued", 2: "queued", 3: "interrupted"}, "failed")
    for each in claimed:
        finish(world, each)  # the dead one's results come too late
    assert runs(world) == {1: "queued", 2: "queued", 3: "interrupted"}
    for _ in range(2):
        take(world)
        look(world, alone=True)
    assert runs(world)[1] == "interrupted"
    assert states(world) == {1: "failed", 2: "failed", 3: "failed"}


def test_another_replica_s_run_is_believed_whatever_the_time_until_it_is_silent(world: World) -> None:
    world.post(fires("a"))
    take(world)
    world.minute = 600
    assert look(world) is False
    signs = {run.id: (run.generation, run.lease_until) for run in world.write(store.running)}
    world.write(lambda tx: store.renew(tx, {1: 1}, world.now))
    rules, late = world.rules, Look(world.now, silent={1: signs[1]})
    assert world.write(lambda tx: due(tx, rules, late)) is False  # it gave one after it had been looked for
    assert look(world, silent=(1,)) is True
    assert runs(world)[1] == "queued"


def test_the_switch_and_the_configuration_end_everything(world: World) -> None:
    policy(world, per_runbook=1)
    world.post(fires("a"))
    take(world)
    now = world.now
    world.write(lambda tx: automation_switch.throw(tx, "bob", "enough", now, stop=True))
    assert take(world) == []
    look(world)
    assert runs(world) == {1: "running", 2: "withdrawn", 3: "offered"}
    assert world.write(lambda tx: store.stops(tx, [1])) == {1: "automation was stopped by bob: enough"}
    with pytest.raises(ActionRefusedError, match="stopped by bob: enough"):
        ask(world, 3)
    world.write(lambda tx: automation_switch.throw(tx, "alice", "", now, stop=False))
    assert (ask(world, 3).run or FINE).state == "queued"
    policy(world, enabled=False)
    look(world)
    assert runs(world)[3] == "withdrawn"


def test_a_first_look_that_came_too_late_is_given_up(world: World) -> None:
    policy(world, per_runbook=1)
    world.post(fires("a"))
    take(world)
    world.minute = 6
    look(world, 1)
    assert runs(world) == {1: "running", 2: "withdrawn", 3: "offered"}


def test_a_storm_begins_what_the_limit_lets_wait_and_offers_the_rest(world: World) -> None:
    policy(world, waiting=3)
    world.post(*[fires("a", service=f"s{n}") for n in range(5)])
    found = [row.state for row in world.rows(step_runs) if row.number < 3]
    assert (found.count("queued"), found.count("offered")) == (3, 7)


def test_offers_end_with_the_incident_and_people_may_still_ask(world: World) -> None:
    world.post(fires("a"))
    world.resolve()
    assert set(runs(world).values()) == {"withdrawn"}
    assert take(world) == []
    assert (ask(world, 3).run or FINE).state == "queued"


def test_a_person_who_marks_a_step_takes_it_from_the_machine(world: World) -> None:
    world.post(fires("a"))
    marked, rules, now = StepAsk(1, 2, StepState.DONE, "alice"), world.rules, world.now
    world.write(lambda tx: mark_step(tx, marked, rules, now))
    assert runs(world)[2] == "withdrawn"
    assert ask(world, 2).changes == ()
    wanted = RunAsk(1, 1, "alice", "no need")
    world.write(lambda tx: automation.end(tx, wanted, rules, now))
    assert runs(world)[1] == "withdrawn"
    assert take(world) == []


@pytest.mark.parametrize(
    ("number", "changes", "said"),
    [
        (6, {}, "step 6 is for a person"),
        (3, {"commands": {}}, "automation.commands has no restart"),
        (3, {"enabled": False}, "automation.enabled is not set"),
    ],
)
def test_what_a_machine_cannot_do_is_refused_with_the_reason(
    world: World, number: int, changes: dict[str, Any], said: str
) -> None:
    world.post(fires("a"))
    policy(world, **changes)
    with pytest.raises(ActionRefusedError, match=said) as refused:
        ask(world, number)
    assert refused.value.refusal == "automation"


def test_a_message_reaches_its_channels_and_names_those_that_are_missing(world: World) -> None:
    world.post(fires("a"))
    policy(world, per_runbook=9)
    ask(world, 5)
    [claimed] = [each for each in take(world) if each.run.number == 5]
    rules, now = world.rules, world.now
    act = Act(claimed, world.incident(), "fresh", "https://x.example")
    result = world.write(lambda tx: perform(tx, act, rules, now))
    assert (result.state, result.summary) == (
        RunState.FAILED,
        "no channel is called gone; told phone: INC-1 of API",
    )
    finish(world, claimed, result)
    assert world.told()[1] == "escalated phone"
    assert world.incident().notify == ("chat", "phone")


def test_a_silence_without_alertmanagers_is_refused_and_the_step_fails(world: World) -> None:
    world.post(fires("a"))
    policy(world, per_runbook=9)
    ask(world, 4)
    [claimed] = [each for each in take(world) if each.run.number == 4]
    rules, now = world.rules, world.now
    act = Act(claimed, world.incident(), "fresh", "")
    result = world.write(lambda tx: perform(tx, act, rules, now))
    assert (result.state, "has no Alertmanagers" in result.summary) == (RunState.REFUSED, True)
    finish(world, claimed, result)
    assert states(world)[4] == "failed"


def test_runs_are_forgotten_with_their_incident(world: World) -> None:
    from incidentd.store import retention

    world.post(fires("a"))
    world.resolve()
    late = world.now + timedelta(days=500)
    assert world.write(lambda tx: retention.delete_incidents(tx, late, 10)) == 1
    assert world.rows(step_runs) == []
