"""A firing alert is never lost, whatever its start: clocks are set back, replicas differ, posts are stale."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incidentd.domain.correlate import Sighting
from incidentd.domain.incident import State
from incidentd.store import schema
from tests.workflows.world import World, at, fires, over

A30, ENDED30 = fires("a", 30), over("a", 30, 31)
"""By a clock that runs half an hour ahead."""
A10, ENDED10 = fires("a", 10), over("a", 10, 15)


def sightings(world: World) -> dict[Sighting, int]:
    return dict(world.batch(*world.last).receipts[0].sightings)


@pytest.fixture
def corrected(world: World) -> World:
    """The clock of the sender was ahead; it was set right while nothing fired."""
    world.post(A30)
    world.minute = 2
    world.post(ENDED30)
    return world


def test_an_alert_of_a_sender_whose_clock_was_set_back_is_told_after_the_hold(corrected: World) -> None:
    corrected.minute = 10
    receipt = corrected.post(A10)
    assert dict(receipt.sightings) == {Sighting.EARLIER: 1}
    assert (corrected.incident().state, corrected.incident().held_until) == (State.TRIGGERED, at(15))
    corrected.minute = 15
    corrected.timers()
    assert corrected.told() == ["triggered chat", "resolved chat", "reopened chat"]


def test_its_end_is_its_own_though_it_lies_before_the_start_known_first(corrected: World) -> None:
    corrected.minute = 10
    corrected.post(A10)
    corrected.minute = 15
    corrected.timers()
    corrected.post(ENDED10)
    assert (corrected.incident().state, corrected.incident().alerts_firing) == (State.RESOLVED, 0)
    rows = {r.starts_at: r.ends_at for r in corrected.rows(schema.occurrences, "starts_at")}
    assert len(rows) == 2


def test_it_repeats_as_cheaply_as_any_other(corrected: World) -> None:
    corrected.minute = 10
    corrected.post(A10)
    assert sightings(corrected) == {Sighting.REPEAT: 1}


def test_a_stale_post_of_the_occurrence_known_first_is_no_new_one(corrected: World) -> None:
    corrected.minute = 10
    corrected.post(A10)
    corrected.minute = 12
    corrected.post(ENDED10)
    corrected.post(A30)
    assert corrected.incident().held_until == at(17)
    assert corrected.told() == ["triggered chat", "resolved chat"]
    corrected.post(ENDED30)
    assert corrected.incident().state is State.RESOLVED
    assert len(corrected.rows(schema.occurrences, "starts_at")) == 2


def test_while_it_fires_the_occurrence_known_first_changes_nothing(corrected: World) -> None:
    corrected.minute = 10
    corrected.post(A10)
    assert dict(corrected.post(A30).sightings) == {Sighting.REPEAT: 1}
    assert corrected.incident().alerts_firing == 1


def test_what_is_newer_than_both_pages_at_once(corrected: World) -> None:
    corrected.minute = 10
    corrected.post(A10)
    corrected.post(ENDED10)
    corrected.minute = 40
    receipt = corrected.post(fires("a", 40))
    assert dict(receipt.sightings) == {Sighting.NEW: 1}
    assert corrected.told(2) == ["triggered chat"]


@pytest.mark.parametrize(
    ("before", "held"),
    [
        (lambda world: world.post(A30) and world.resolve(), None),
        (lambda world: world.post(A30) and world.post(ENDED30) and world.resolve(), 1),
        (lambda world: world.post(ENDED30), 1),
    ],
    ids=["closed while it fired", "ended", "never seen firing"],
)
def test_it_opens_held_unless_the_alert_is_known_to_fire(
    world: World, before: Callable[[World], object], held: int | None
) -> None:
    before(world)
    world.minute = 10
    world.post(A10)
    assert [i.id for i in world.incidents().values() if i.held_until] == ([held] if held else [])


def test_after_a_persons_resolve_it_is_a_new_incident_held(world: World) -> None:
    world.post(A30)
    world.resolve()
    world.post(ENDED30)
    world.minute = 10
    world.post(A10)
    assert (world.incident(1).state, world.incident(2).held_until) == (State.RESOLVED, at(15))
    assert world.told(2) == []


def test_two_alertmanagers_that_disagree_about_the_start_lose_nothing(world: World) -> None:
    """One still sees the first occurrence fire when the other says that its newer one is over."""
    world.post(fires("a", 0))
    world.post(fires("a", 5))
    world.minute = 6
    world.post(over("a", 5, 6))
    world.minute = 8
    world.post(fires("a", 0))
    assert world.incident().held_until == at(13)
    world.minute = 13
    world.timers()
    assert world.told()[-1] == "reopened chat"
