"""How many alerts an incident has had: each counts once, however often it leaves and comes back. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from incidentd.store import alerts, schema
from incidentd.workflows.receive import Submission
from tests.workflows.world import RULES, World, at, fires, over, stored

BY_NAME = replace(RULES, grouping=("alertname",))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url) as world:
        yield world


def totals(world: World) -> list[tuple[int, int]]:
    """Firing and total of each incident."""
    return [(i.alerts_firing, i.alerts_total) for i in world.incidents().values()]


def test_an_alert_that_comes_back_to_an_incident_it_left_is_counted_once(world: World) -> None:
    world.post(fires("a"), fires("b"))
    world.resolve(1)
    world.minute = 2
    world.post(fires("a", 2))
    world.resolve(2)
    world.reopen(1)
    world.minute = 4
    world.post(fires("a", 4), fires("c", 4))
    assert totals(world) == [(3, 3), (0, 1)]
    world.minute = 6
    world.post(over("a", 4, 5))
    world.post(fires("a", 6))
    assert totals(world)[0] == (3, 3)


def test_it_is_counted_in_an_incident_that_it_was_never_part_of(world: World) -> None:
    world.post(fires("a"))
    world.post(over("a"))
    world.resolve(1)
    world.minute = 20
    world.post(fires("a", 19))
    world.post(over("a", 19, 20), fires("b", 20))
    world.rules = BY_NAME
    world.post(fires("c", 21))
    world.rules = RULES
    world.minute = 40
    world.post(fires("a", 30), fires("c", 31))
    assert [(i.id, i.alerts_total) for i in world.incidents().values()] == [(1, 1), (2, 3), (3, 1)]


@pytest.mark.parametrize("together", [True, False])
def test_a_batch_counts_as_its_posts_one_by_one(world: World, *, together: bool) -> None:
    world.post(fires("b"))
    world.rules = BY_NAME
    world.post(fires("a"))
    world.rules = RULES
    world.minute = 9
    posts = [Submission("main", "request", (fires("a", since),)) for since in (3, 5)]
    if together:
        world.batch(*posts)
    else:
        for post in posts:
            world.batch(post)
    assert totals(world) == [(2, 2), (0, 1)]


def test_only_occurrences_since_the_incidents_began_are_looked_at(world: World) -> None:
    world.post(fires("a"), fires("b", 3, service="db"))
    numbers = {row.fingerprint: row.id for row in world.rows(schema.alerts)}

    def found(since: float) -> set[tuple[int, int]]:
        ids = sorted(numbers.values())
        return world.write(lambda tx: alerts.members(tx, ids, [1, 2, 9], at(since)))

    first, second = sorted(numbers.values())
    assert found(0) == {(first, 1), (second, 2)}
    assert found(1) == {(second, 2)}
    assert found(4) == set()
