"""Acknowledging by link, on both databases: looking writes nothing, replicas that race acknowledge once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from incidentd.domain.ack_link import LIFETIME, AckLink, AckLinks, Standing
from incidentd.domain.incident import State
from incidentd.store.engine import Store
from incidentd.workflows.ack_link import Seen, actor_of, look, use
from incidentd.workflows.secrets import ack_secret
from tests.workflows.world import START, World, fires, stored

WHO = "bob@example.com via e-mail link"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world on each kind of database, where service `api` has one incident."""
    with stored(database_url) as world:
        world.post(fires("a"))
        yield world


def link_of(incident_id: int = 1, episode: int = 1, delivery: str = "d-1") -> AckLink:
    links = AckLinks(b"k" * 32, "http://127.0.0.1:8650")
    url = links.url(incident_id, episode, "bob@example.com", START, delivery)
    read = links.read(url.rpartition("/")[2])
    assert read is not None
    return read


def used(world: World, link: AckLink) -> Seen:
    rules, now = world.rules, world.now
    return world.write(lambda tx: use(tx, link, WHO, rules, now))


def looked(world: World, link: AckLink) -> Standing:
    now = world.now
    return world.write(lambda tx: look(tx, link, now)).standing


def test_a_link_acknowledges_once_and_the_timeline_says_by_whom(world: World) -> None:
    link = link_of()
    assert looked(world, link) is Standing.OPEN
    assert world.timeline() == ["triggered"]
    first, second = used(world, link), used(world, link)
    assert (first.standing, len(first.changes)) == (Standing.OPEN, 1)
    assert (second.standing, second.changes) == (Standing.ACKNOWLEDGED, ())
    assert world.incident().acknowledged_by == WHO
    assert world.timeline() == ["triggered", "acknowledged"]
    assert world.told() == ["triggered chat", "acknowledged chat"]


def test_after_it_was_taken_back_only_a_new_link_acknowledges(world: World) -> None:
    used(world, link_of())
    world.unacknowledge()
    assert looked(world, link_of()) is used(world, link_of()).standing is Standing.USED
    assert world.incident().state is State.TRIGGERED
    assert used(world, link_of(delivery="d-2")).standing is Standing.OPEN


def test_a_use_is_remembered_however_much_happened_since(world: World) -> None:
    used(world, link_of())
    for _ in range(105):
        world.unacknowledge()
        world.acknowledge()
    world.unacknowledge()
    assert used(world, link_of()).standing is Standing.USED


def test_a_link_meets_what_is_resolved_reopened_gone_or_too_old(world: World) -> None:
    world.resolve()
    assert looked(world, link_of()) is used(world, link_of()).standing is Standing.RESOLVED
    world.reopen()
    assert looked(world, link_of()) is used(world, link_of()).standing is Standing.REOPENED
    assert looked(world, link_of(99)) is used(world, link_of(99)).standing is Standing.GONE
    world.minute = LIFETIME / timedelta(minutes=1)
    late = link_of(episode=2)
    assert looked(world, late) is used(world, late).standing is Standing.EXPIRED
    assert world.incident().state is State.TRIGGERED


def test_two_replicas_pressed_at_the_same_time_acknowledge_once(world: World, database_url: str) -> None:
    async def race() -> list[Seen]:
        replicas = [Store(database_url), Store(database_url)]
        press = [
            each.write(lambda tx: use(tx, link_of(), WHO, world.rules, world.now)) for each in replicas * 2
        ]
        try:
            return await asyncio.gather(*press)
        finally:
            for each in replicas:
                await each.close()

    assert sorted(len(seen.changes) for seen in asyncio.run(race())) == [0, 0, 0, 1]
    assert world.timeline() == ["triggered", "acknowledged"]


def test_the_key_is_made_once(world: World) -> None:
    first = world.write(lambda tx: ack_secret(tx, world.now))
    assert len(first) == 32
    assert world.write(lambda tx: ack_secret(tx, world.now)) == first


def test_a_user_is_named_for_the_address_in_any_case() -> None:
    users = [("carol", None), ("bob", "Bob@Example.com")]
    assert actor_of("bob@example.com", users) == "bob via e-mail link"
    assert actor_of("dave@example.com", users) == "dave@example.com via e-mail link"
