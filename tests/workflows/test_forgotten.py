"""Acknowledged and forgotten: it comes back, and who holds it is reminded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain.contact import Contact, Person
from incidentd.domain.incident import State
from incidentd.domain.severity import Severity
from incidentd.store import schema
from incidentd.workflows.forgotten import forgotten_due, run_forgotten
from incidentd.workflows.paging import Paging
from tests.workflows.world import RULES, World, fires, over, stored

PAGING = Paging(
    people={"alice": Person("alice", (Contact("mail", ("alice@example.com",)),))},
    ack_timeout={Severity.CRITICAL: timedelta(hours=1)},
    remind_after=timedelta(minutes=40),
)
CRITICAL = fires(severity="critical")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, replace(RULES, paging=PAGING)) as world:
        yield world


def tick(world: World, minute: float) -> list[str]:
    """What the tick of that minute writes into timelines."""
    world.minute = minute
    rules, now = world.rules, world.now
    if not world.write(lambda tx: forgotten_due(tx, now)):
        return []
    return [c.entry.text for c in world.write(lambda tx: run_forgotten(tx, rules, now)) if c.entry]


def test_an_acknowledgement_runs_out_and_people_are_paged_again(world: World) -> None:
    world.post(CRITICAL)
    world.acknowledge()
    tick(world, 40)
    assert tick(world, 59) == []
    text = "acknowledged by alice, but still open: the acknowledgement has run out"
    assert tick(world, 60) == [text]
    incident = world.incident()
    assert (incident.state, incident.acknowledged_by) == (State.TRIGGERED, None)
    assert (incident.ack_expires_at, incident.remind_at) == (None, None)
    paged = [row for row in world.rows(schema.deliveries) if row.notice == "unacknowledged"]
    assert [(row.channel, row.actor, row.comment) for row in paged] == [
        ("phone", "incidentd", text),
        ("chat", "incidentd", text),
    ]


def test_who_holds_it_and_its_channels_are_reminded_each_time_that_long(world: World) -> None:
    world.rules = replace(world.rules, paging=replace(PAGING, ack_timeout={}))
    world.post(CRITICAL)
    world.acknowledge()
    assert tick(world, 39) == []
    assert tick(world, 40) == ["acknowledged by alice 40m ago and still open"]
    assert tick(world, 79) == []
    assert tick(world, 80) == ["acknowledged by alice 1h20m ago and still open"]
    told = [row for row in world.rows(schema.deliveries) if row.notice == "updated"]
    assert [(row.channel, row.person) for row in told] == [
        ("phone", None),
        ("chat", None),
        ("mail", "alice"),
    ] * 2
    assert {getattr(row, "class") for row in told} == {"state"}


def test_an_update_that_waits_does_not_swallow_the_reminder(world: World) -> None:
    world.rules = replace(world.rules, paging=replace(PAGING, ack_timeout={}))
    world.post(CRITICAL)
    world.acknowledge()
    world.minute = 40
    world.post(fires("more", 40, "critical"))
    tick(world, 40)
    told = [row.comment for row in world.rows(schema.deliveries) if row.channel == "chat"]
    assert "acknowledged by alice 40m ago and still open" in told


def test_what_is_over_given_back_or_snoozed_is_not_forgotten(world: World) -> None:
    world.post(CRITICAL)
    world.acknowledge()
    world.snooze(600)
    assert tick(world, 61) == []
    world.unacknowledge()
    assert tick(world, 130) == []
    world.acknowledge()
    world.post(over(severity="critical"))
    assert tick(world, 500) == []


def test_a_severity_without_a_timeout_stays_acknowledged(world: World) -> None:
    world.rules = replace(world.rules, paging=replace(PAGING, remind_after=None))
    world.post(fires(severity="warning"))
    world.acknowledge()
    assert tick(world, 6000) == []
