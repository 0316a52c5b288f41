"""Dry runs, reloads and ends between asking and beginning, on both databases: nothing of a dry run is ever real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain.automation import CommandRule, RunState
from incidentd.domain.drill import LABEL
from incidentd.domain.runbook import Action, Kind, Run, Step
from incidentd.domain.runbook_match import Shelf
from incidentd.store import schema
from incidentd.store.schema_automation import step_runs
from incidentd.workflows import automation
from incidentd.workflows.automation import RunAsk
from incidentd.workflows.automation_tidy import unbegun
from tests.workflows.automating import BOOK, FINE, POLICY, ask, finish, look, policy, runs, states, take
from tests.workflows.world import RULES, World, fires, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world whose first steps do not stand in the way of what people ask for, on both databases."""
    rules = replace(RULES, runbooks=Shelf((BOOK,)), automation=replace(POLICY, per_runbook=9, at_once=9))
    with stored(database_url, rules) as world:
        yield world


def _restart(world: World) -> bool:
    """Run what waits for its turn; True if the restart was a dry run."""
    claimed = take(world)
    for each in claimed:
        finish(world, each)
    [restart] = [each for each in claimed if each.run.number == 3]
    return restart.run.dry_run


@pytest.mark.parametrize("why", ["drill", "configuration"])
def test_no_run_of_a_drill_or_a_dry_configuration_is_real_however_often_it_is_asked_for(
    world: World, why: str
) -> None:
    policy(world, dry_run=why == "configuration")
    world.post(
        replace(fires("a"), labels={**fires("a").labels, **({LABEL: "d-1"} if why == "drill" else {})})
    )
    for _ in range(3):
        ask(world, 3)
        assert _restart(world)
        assert runs(world)[3] == "offered"


def test_a_configuration_that_became_dry_makes_dry_what_was_offered_or_agreed_to_before(world: World) -> None:
    world.post(fires("a"))
    ask(world, 3)
    policy(world, dry_run=True)
    assert _restart(world)
    world.post(fires("b", service="web"))
    policy(world, dry_run=False)
    ask(world, 3)
    policy(world, dry_run=True)
    asked = ask(world, 3).run
    assert asked is not None
    assert _restart(world)


def test_a_dry_run_does_not_take_another_person_s_request(world: World) -> None:
    policy(world, two_people=True)
    world.post(fires("a"))
    ask(world, 3)
    dry = ask(world, 3, "bob", dry_run=True).run
    assert dry is not None
    assert (dry.state, dry.asked_by, dry.approved_by) == ("queued", "bob", "")
    assert _restart(world)
    agreed = ask(world, 3, "bob").run
    assert agreed is not None
    assert (agreed.state, agreed.asked_by, agreed.approved_by) == ("queued", "alice", "bob")
    assert not _restart(world)


def test_a_dry_run_needs_no_rest_and_whatever_ends_it_the_offer_stays(world: World) -> None:
    world.post(fires("a"), fires("a", service="web"))
    rules, now = world.rules, world.now
    world.write(lambda tx: automation.ask(tx, RunAsk(2, 3, "bob"), rules, now))
    for each in take(world):
        finish(world, each)
    ask(world, 3, dry_run=True)
    assert _restart(world)
    ask(world, 3, dry_run=True)
    policy(world, commands={"look": CommandRule(changes=False)})
    assert take(world) == []
    policy(world, commands=POLICY.commands)
    assert runs(world)[3] == "offered"
    ask(world, 3, dry_run=True)
    world.write(lambda tx: automation.end(tx, RunAsk(1, 3, "alice"), rules, now))
    assert runs(world)[3] == "offered"
    world.resolve()
    assert runs(world)[3] == "withdrawn"


def test_what_one_person_agreed_to_needs_a_second_one_if_the_configuration_wants_it_by_then(
    world: World,
) -> None:
    world.post(fires("a"))
    ask(world, 3)
    policy(world, two_people=True)
    assert 3 not in [each.run.number for each in take(world)]
    assert runs(world)[3] == "refused"


def test_a_command_that_changes_something_by_now_is_one_that_does(world: World) -> None:
    world.post(fires("a"))
    for each in take(world):
        finish(world, each, replace(FINE, state=RunState.FAILED))
    ask(world, 1)
    policy(world, commands={**POLICY.commands, "look": CommandRule(changes=True)})
    take(world)
    look(world, alone=True)
    first = [row for row in world.rows(step_runs, "id") if row.number == 1][-1]
    assert (first.state, first.changes) == ("interrupted", 1)


def test_a_look_taken_up_again_does_not_wait_for_itself_and_a_stopped_one_is_not(world: World) -> None:
    policy(world, commands={"look": CommandRule(changes=False, cooldown=timedelta(minutes=5))}, per_runbook=1)
    world.post(fires("a"))
    [claimed] = take(world)
    look(world, alone=True)
    assert [each.run.id for each in take(world)] == [claimed.run.id]
    rules, now = world.rules, world.now
    world.write(lambda tx: automation.end(tx, RunAsk(1, 1, "alice"), rules, now))
    look(world, alone=True)
    assert runs(world)[1] == "interrupted"


def test_offers_end_with_their_incident_though_automation_was_switched_off_since(world: World) -> None:
    world.post(fires("a"))
    policy(world, enabled=False)
    world.resolve()
    assert runs(world)[3] == "withdrawn"


def test_a_change_whose_daemon_stopped_before_it_began_waits_unless_somebody_stopped_it(
    world: World,
) -> None:
    world.post(fires("a"))
    rules, now = world.rules, world.now
    ask(world, 3)
    for state in ("queued", "stopped"):
        [restart] = [each for each in take(world) if each.run.number == 3]
        if state == "stopped":
            world.write(lambda tx: automation.end(tx, RunAsk(1, 3, "alice"), rules, now))
        world.write(lambda tx, restart=restart: unbegun(tx, restart, now))  # type: ignore[misc]
        assert runs(world)[3] == state
    assert states(world)[3] == "failed"


def test_the_audit_log_says_what_was_asked_of_which_address(world: World) -> None:
    asks = Action(Kind.HTTP, Run.AUTO, attributes={"url": "https://api.example/x?token=abcdefghijkl"})
    book = replace(BOOK, steps=(Step(1, "Ask", asks),))
    world.rules = replace(world.rules, runbooks=Shelf((book,)))
    policy(world, hosts=("api.example",))
    world.post(fires("a"))
    [claimed] = take(world)
    finish(world, claimed)
    audited = [row.entry for row in world.rows(schema.metadata.tables["audit_events"], "seq")]
    assert '"method":"GET"' in audited[-1]
    assert "https://api.example/x" in audited[-1]
    assert "abcdefghijkl" not in audited[-1]
