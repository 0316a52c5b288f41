"""What people ask of an escalation: the next step now, and somebody by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from incidentd.domain.incident import ActionRefusedError
from incidentd.store import schema
from incidentd.workflows.escalate import Assignment, UnknownUserError, assign, escalate
from tests.workflows.test_escalate import CRITICAL, PAGING, personal, tick
from tests.workflows.world import RULES, World, fires, stored


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=PAGING)) as world:
        yield world


def asked(world: World, incident_id: int = 1) -> str:
    rules, now = world.rules, world.now
    done = world.write(lambda tx: escalate(tx, incident_id, "zoe", rules, now))
    entry = done.changes[0].entry
    assert entry is not None
    return entry.text


def test_a_person_may_have_the_next_step_at_once_and_again_from_the_beginning(world: World) -> None:
    world.post(CRITICAL)
    assert asked(world) == "escalated by zoe to alice, step 1 of 2, round 1 of 2"
    assert asked(world) == "escalated by zoe to bob, channel phone, step 2 of 2, round 1 of 2"
    assert tick(world, 4) == []
    for minute in range(5, 40, 5):
        tick(world, minute)
    assert asked(world).startswith("escalated by zoe to alice")


def test_what_does_not_escalate_says_so(world: World) -> None:
    world.post(fires(severity="warning"))
    with pytest.raises(ActionRefusedError, match="no escalation policy"):
        asked(world)
    world.acknowledge()
    with pytest.raises(ActionRefusedError, match="is acknowledged: it does not escalate"):
        asked(world)


def assigned(world: World, user: str = "bob", comment: str = "") -> int:
    rules, now = world.rules, world.now
    wanted = Assignment(user, "zoe", comment)
    return len(world.write(lambda tx: assign(tx, 1, wanted, rules, now)).changes)


def test_an_assignment_pages_while_nobody_has_it_and_tells_quietly_afterwards(world: World) -> None:
    world.post(fires(severity="warning"))
    assert assigned(world, comment="yours") == 1
    assert personal(world, "escalated") == [("chat", "U0B0B", "bob")]
    assert assigned(world) == 0
    world.acknowledge()
    assert assigned(world, "alice") == 1
    assert ("mail", "alice@example.com", "alice") in personal(world, "updated")
    assert world.incident().assigned_to == "alice"
    assert world.timeline().count("assigned") == 2


def test_only_users_can_be_assigned_to_what_is_open(world: World) -> None:
    world.post(fires(severity="warning"))
    with pytest.raises(UnknownUserError):
        assigned(world, "mallory")
    world.resolve()
    with pytest.raises(ActionRefusedError, match="nothing to assign"):
        assigned(world)


def test_who_cannot_be_reached_is_assigned_all_the_same_and_that_is_said(world: World) -> None:
    world.post(fires(severity="warning"))
    assigned(world, "dave")
    last = world.rows(schema.timeline, "incident_id", "seq")[-1]
    assert last.text == "assigned to dave by zoe; not told: dave has no way to be reached"


def test_who_is_asked_for_what_interrupts_nobody_is_told_as_of_low_urgency(world: World) -> None:
    world.post(fires(severity="info"))
    assigned(world)
    assert personal(world, "escalated") == [("chat", "U0B0B", "bob")]
    assigned(world, "carol")
    last = world.rows(schema.timeline, "incident_id", "seq")[-1]
    assert last.text == "assigned to carol by zoe; not told: carol, who is told nothing of low urgency"
