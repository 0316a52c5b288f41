"""An incident that comes and goes: one page says so, and the rest is recorded; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain.flapping import Flapping
from incidentd.domain.incident import Change, State
from incidentd.store import schema
from incidentd.workflows import flapping
from tests.workflows.world import MINUTE, RULES, World, fires, over, stored

FEW = replace(RULES, flapping=Flapping(refires=2, window=60 * MINUTE, hold=15 * MINUTE))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, FEW) as world:
        yield world


def look(world: World) -> tuple[Change, ...]:
    """What the job does, if there is anything to do."""
    rules, now = world.rules, world.now
    if not world.write(lambda tx: flapping.settle_due(tx, rules, now)):
        return ()
    return world.write(lambda tx: flapping.settle(tx, rules, now))


def come_and_go(world: World, times: int, start: float = 0) -> None:
    """Fire and end: `times` times, four minutes each."""
    for time in range(times):
        world.minute = start + 4 * time
        world.post(fires("a", world.minute))
        world.minute += 2
        world.post(over("a", world.minute - 2, world.minute))


def test_the_page_that_is_one_too_many_says_so_and_is_the_last(world: World) -> None:
    come_and_go(world, 6)
    assert list(world.incidents()) == [1]
    pages = [row for row in world.rows(schema.deliveries) if row._mapping["class"] == "page"]
    assert [row.notice for row in pages] == ["triggered", "reopened", "reopened", "reopened"]
    assert [row.comment for row in pages] == ["", "", "", "flapping 3 times in 8 minutes"]
    incident = world.incident()
    assert (incident.state, incident.resolve_withheld_for) == (State.TRIGGERED, "flapping")
    assert world.timeline().count("refired") == 2


def test_it_is_resolved_when_it_has_been_quiet(world: World) -> None:
    come_and_go(world, 4)
    world.minute = 28.9
    assert look(world) == ()
    world.minute = 29
    look(world)
    incident = world.incident()
    assert (incident.state, incident.flapping_since) == (State.RESOLVED, None)
    assert incident.ended_at == incident.resolved_at - 15 * MINUTE if incident.resolved_at else False
    assert world.told()[-1] == "resolved chat"
    assert look(world) == ()


def test_it_flaps_no_more_when_it_fires_without_a_break(world: World) -> None:
    come_and_go(world, 4)
    world.post(fires("a", 14))
    world.minute = 73.9
    assert look(world) == ()
    world.minute = 74
    look(world)
    assert (world.incident().flapping_since, world.timeline()[-1]) == (None, "flapping_ended")
    world.post(over("a", 14, 74))
    assert world.incident().state is State.RESOLVED


def test_few_times_or_slow_ones_are_no_flapping(world: World) -> None:
    come_and_go(world, 3)
    assert world.incident().flapping_since is None
    world.rules = replace(FEW, flapping=replace(FEW.flapping, window=timedelta(minutes=5)))
    come_and_go(world, 3, 12)
    assert world.incident().flapping_since is None
    assert world.incident().state is State.RESOLVED


def test_an_acknowledged_one_stays_acknowledged_while_it_flaps(world: World) -> None:
    come_and_go(world, 4)
    world.acknowledge()
    come_and_go(world, 2, 16)
    assert world.incident().state is State.ACKNOWLEDGED


def test_a_worse_severity_pages_although_it_flaps(world: World) -> None:
    come_and_go(world, 4)
    world.post(fires("b", 14, "critical"))
    assert world.told()[-1] == "escalated chat,phone"


def test_a_person_can_resolve_it_at_once(world: World) -> None:
    come_and_go(world, 4)
    world.resolve(force=False)
    assert (world.incident().state, world.incident().flapping_since) == (State.RESOLVED, None)
    world.minute = 100
    assert look(world) == ()
