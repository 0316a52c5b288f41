"""What a window covers is recorded and tells nobody, until it ends; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from incidentd.domain.incident import Change, State
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matcher
from incidentd.workflows import maintenance
from tests.workflows.world import MINUTE, RULES, START, World, fires, over, stored

UPGRADE = Window("upgrade", (parse_matcher('alertname="a"'),), plan(START, 60 * MINUTE, "Etc/UTC", None))
QUIET = replace(RULES, maintenance=(UPGRADE,))
A, B = fires("a"), fires("b")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, QUIET) as world:
        yield world


def look(world: World) -> tuple[Change, ...]:
    """What the job does, if there is anything to do."""
    rules, now = world.rules, world.now
    if not world.write(lambda tx: maintenance.end_due(tx, rules, now)):
        return ()
    return world.write(lambda tx: maintenance.end(tx, rules, now))


def test_what_still_fires_when_the_window_ends_is_told_then(world: World) -> None:
    world.post(A)
    assert world.incident().suppressed_by == "upgrade"
    assert world.told() == []
    world.minute = 59.9
    assert look(world) == ()
    world.minute = 60
    look(world)
    assert (world.incident().suppressed_by, world.told()) == (None, ["triggered chat"])
    assert world.timeline() == ["triggered", "suppression_ended"]
    assert look(world) == ()


def test_what_ends_within_the_window_was_never_told(world: World) -> None:
    world.post(A)
    world.minute = 5
    world.post(over("a", end=5))
    assert world.incident().state is State.RESOLVED
    assert world.told() == []
    world.minute = 10
    world.post(fires("a", 10))
    assert (world.incident().suppressed_by, world.incident().reopen_count, world.told()) == ("upgrade", 1, [])
    world.minute = 60
    look(world)
    assert world.told() == ["reopened chat"]


def test_an_alert_that_is_not_covered_brings_the_incident_back(world: World) -> None:
    world.post(A)
    world.post(B)
    assert (world.incident().suppressed_by, world.told()) == (None, ["triggered chat"])
    world.minute = 60
    assert look(world) == ()


def test_a_covered_alert_that_joins_an_incident_people_know_changes_nothing_for_it(world: World) -> None:
    world.post(B)
    world.post(A)
    assert (world.incident().suppressed_by, world.told()) == (None, ["triggered chat", "updated chat"])


def test_neither_a_worse_severity_nor_the_end_of_a_snooze_pages_within_the_window(world: World) -> None:
    world.post(A)
    world.snooze(3)
    world.minute = 4
    world.timers()
    world.post(fires("a", 4, "critical"))
    assert (world.incident().severity, world.told()) == ("critical", [])
    world.minute = 60
    look(world)
    assert world.told() == ["triggered chat,phone"]


def test_a_person_who_acknowledged_it_is_not_paged_when_the_window_ends(world: World) -> None:
    world.post(A)
    world.acknowledge()
    assert world.told() == []
    world.minute = 60
    look(world)
    assert world.incident().suppressed_by is None
    assert world.told() == ["acknowledged chat"]


def test_what_a_person_resolves_within_the_window_was_never_told(world: World) -> None:
    world.post(A)
    world.acknowledge()
    world.minute = 5
    world.resolve(force=True)
    assert (world.incident().state, world.told()) == (State.RESOLVED, [])
    world.minute = 60
    assert (look(world), world.told()) == ((), [])


def test_of_what_is_snoozed_channels_hear_when_the_window_ends_and_then_of_its_end(world: World) -> None:
    world.post(A)
    world.snooze(90)
    world.minute = 60
    look(world)
    world.minute = 65
    world.resolve(force=True)
    assert world.told() == ["updated chat", "resolved chat"]


def test_another_window_takes_over(world: World) -> None:
    world.post(A)
    longer = replace(UPGRADE, name="longer", plan=replace(UPGRADE.plan, duration=90 * MINUTE))
    world.rules = replace(QUIET, maintenance=(UPGRADE, longer))
    world.minute = 60
    assert look(world) == ()
    world.minute = 90
    assert len(look(world)) == 1


def test_one_that_a_person_makes_holds_until_it_is_cancelled(world: World) -> None:
    world.rules = RULES
    made = world.write(lambda tx: maintenance.add(tx, UPGRADE, "CHG-7", "alice", START))
    world.post(A)
    assert world.told() == []
    world.minute = 10
    now = world.now
    cancelled = world.write(lambda tx: maintenance.cancel(tx, made.id, "bob", now))
    assert (cancelled.cancelled_at, cancelled.cancelled_by) == (now, "bob")
    again = world.write(lambda tx: maintenance.cancel(tx, made.id, "carol", now + MINUTE))
    assert again == cancelled
    look(world)
    assert world.told() == ["triggered chat"]


def test_one_that_is_over_cannot_be_made(world: World) -> None:
    with pytest.raises(ValueError, match="over already"):
        world.write(lambda tx: maintenance.add(tx, UPGRADE, "", "alice", START + 60 * MINUTE))
