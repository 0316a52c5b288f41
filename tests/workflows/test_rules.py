"""Whom a page reaches when the configuration has changed since its incident opened."""

from __future__ import annotations

from dataclasses import replace

from incidentd.domain.notification import Notice
from incidentd.domain.routing import Route
from tests.workflows.world import World, fires, remembered


def told_after_a_reload(notice: Notice, *channels: str) -> list[str]:
    with remembered() as world:
        world.post(fires("a", 0, "critical"))
        incident = world.incident(1)
        after = replace(
            world.rules, route=Route(notify=("new",)), targets={name: (name,) for name in channels}
        )
        return [row.channel for row in after.deliveries(incident, notice, "alice", "", world.now)]


def opened_for() -> tuple[str, ...]:
    with remembered() as world:
        world.post(fires("a", 0, "critical"))
        return incident_channels(world)


def incident_channels(world: World) -> tuple[str, ...]:
    return world.incident(1).notify


def test_a_page_whose_channels_are_all_gone_goes_where_the_route_says_now() -> None:
    assert told_after_a_reload(Notice.ESCALATED, "new") == ["new"]


def test_a_page_goes_where_its_incident_opened_while_one_of_those_channels_exists() -> None:
    frozen = opened_for()
    assert told_after_a_reload(Notice.ESCALATED, "new", frozen[0]) == list(frozen)


def test_a_close_stays_with_the_channels_that_were_paged() -> None:
    assert told_after_a_reload(Notice.RESOLVED, "new") == list(opened_for())
