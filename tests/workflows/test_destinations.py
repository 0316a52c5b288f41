"""Incidents about incidentd's own channels: one for each that cannot deliver, over when it can."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain import response
from incidentd.domain.destination import Destination, after
from incidentd.domain.incident import Change, Incident, State
from incidentd.domain.notification import Outcome, Verdict
from incidentd.domain.severity import Severity
from incidentd.store import destinations, figures, schema
from incidentd.workflows.destinations import PATIENCE, watch, watch_due
from incidentd.workflows.rules import Rules
from tests.workflows.world import RULES, World

BROKEN = Outcome(Verdict.DESTINATION_BROKEN, "invalid_auth")
OK = Outcome(Verdict.OK, "200")
RETRY = Outcome(Verdict.RETRY, "http_503")
SLOW = Outcome(Verdict.THROTTLED, "http_429")
SECOND = timedelta(seconds=1)


def hears(world: World, channel: str, *outcomes: Outcome) -> Destination:
    """The channel answers like this now."""
    found = world.write(lambda tx: destinations.of(tx, channel, world.now))
    for outcome in outcomes:
        found = after(found, outcome, f"{outcome.code}: as it said", world.now, only_target=True)
    world.write(lambda tx: destinations.save(tx, found))
    return found


def looks(world: World, rules: Rules = RULES) -> tuple[Change, ...]:
    """The daemon looks after its channels; what it has to do is seen by a read before."""
    due = world.write(lambda tx: watch_due(tx, rules, world.now))
    changes = world.write(lambda tx: watch(tx, rules, world.now))
    assert due == bool(changes)
    assert not world.write(lambda tx: watch_due(tx, rules, world.now))
    return changes


def open_ones(world: World) -> dict[str, Incident]:
    return {i.labels["channel"]: i for i in world.incidents().values() if i.open}


def test_a_channel_that_refuses_us_is_one_incident_told_over_the_others(world: World) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    assert looks(world) == ()
    [found] = world.incidents().values()
    assert (found.source, found.service, found.labels["channel"]) == ("incidentd", "incidentd", "chat")
    assert found.title == "Channel chat cannot deliver: invalid_auth: as it said"
    assert "chat" not in found.notify
    rows = world.rows(schema.deliveries)
    assert {row.channel for row in rows} == set(found.notify)
    assert {row._mapping["class"] for row in rows} == {"meta"}
    assert world.timeline() == ["triggered"]


@pytest.mark.parametrize(
    ("channel", "severity"),
    [
        ("phone", Severity.CRITICAL),
        ("chat", Severity.CRITICAL),
        ("console", Severity.CRITICAL),
        ("mail", Severity.WARNING),
    ],
)
def test_it_is_critical_if_critical_alerts_may_be_told_there(
    world: World, channel: str, severity: Severity
) -> None:
    rules = replace(RULES, targets={**RULES.targets, "mail": ("ann",)})
    hears(world, channel, BROKEN)
    looks(world, rules)
    assert world.incident().severity is severity


def test_when_all_that_would_be_told_is_broken_itself_every_other_channel_is(world: World) -> None:
    rules = replace(RULES, route=replace(RULES.route, notify=("chat",), routes=()))
    hears(world, "chat", BROKEN)
    looks(world, rules)
    assert set(world.incident().notify) == {"phone", "console"}


def test_it_is_over_when_the_channel_delivers_again(world: World) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    world.minute = 7
    hears(world, "chat", OK)
    looks(world)
    found = world.incident()
    assert (found.state, found.counts) == (State.RESOLVED, False)
    assert world.timeline() == ["triggered", "resolved"]
    assert [line.split()[0] for line in world.told()] == ["triggered", "resolved"]
    assert {row._mapping["class"] for row in world.rows(schema.deliveries)} == {"meta"}
    assert {row.channel for row in world.rows(schema.deliveries)} == set(found.notify)


@pytest.mark.parametrize(
    ("forgotten", "targets", "why"),
    [
        (True, {"phone": ("1",)}, "resolved: it is not configured any more"),
        (False, {"phone": ("1",)}, "resolved: it is not configured any more"),
        (True, RULES.targets, "resolved: its configuration was changed"),
    ],
)
def test_it_is_over_when_the_channel_is_removed_or_changed(
    world: World, forgotten: bool, targets: dict[str, tuple[str, ...]], why: str
) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    if forgotten:
        world.write(lambda tx: destinations.forget(tx, ["chat"]))
    looks(world, replace(RULES, targets=targets))
    assert world.incident().state is State.RESOLVED
    assert [row.text for row in world.rows(schema.timeline)][-1] == why


def test_what_is_not_configured_is_nobodys_incident(world: World) -> None:
    hears(world, "gone", BROKEN)
    assert looks(world) == ()


@pytest.mark.parametrize("outcome", [RETRY, SLOW])
def test_one_that_is_slow_or_fails_is_an_incident_after_five_minutes_of_it(
    world: World, outcome: Outcome
) -> None:
    hears(world, "chat", *[outcome] * 5)
    for minute in (1, 2, 3, 4):
        world.minute = minute
        hears(world, "chat", outcome)
        assert looks(world) == ()
    world.minute = 5
    hears(world, "chat", outcome)
    looks(world)
    assert set(open_ones(world)) == {"chat"}


def test_slow_and_failing_in_turn_is_one_incident_after_five_minutes(world: World) -> None:
    hears(world, "chat", *[RETRY] * 5)
    for half_minute in range(1, 12):
        world.minute = half_minute / 2
        hears(world, "chat", (RETRY, SLOW)[half_minute % 2])
        looks(world)
    assert set(open_ones(world)) == {"chat"}


@pytest.mark.parametrize("outcomes", [[SLOW], [RETRY] * 6])
def test_a_channel_that_nothing_was_sent_to_since_is_not_called_down(
    world: World, outcomes: list[Outcome]
) -> None:
    hears(world, "chat", *outcomes)
    world.minute = 600
    assert looks(world) == ()


def test_a_long_pause_on_the_vendors_word_is_an_incident(world: World) -> None:
    hears(world, "chat", Outcome(Verdict.THROTTLED, "http_429", retry_after=timedelta(hours=1)))
    world.minute = PATIENCE / timedelta(minutes=1)
    looks(world)
    assert set(open_ones(world)) == {"chat"}


def test_four_failures_are_no_incident(world: World) -> None:
    hears(world, "chat", *[RETRY] * 4)
    world.minute = 60
    assert looks(world) == ()


def test_two_broken_channels_are_two_incidents_and_a_hundred_rounds_later_still(world: World) -> None:
    for _ in range(100):
        # What is told of each goes over the other, and fails there.
        hears(world, "chat", BROKEN, RETRY)
        hears(world, "phone", BROKEN)
        hears(world, "console", *[RETRY] * 3)
        looks(world)
        world.minute += 1
    assert set(open_ones(world)) == {"chat", "phone", "console"}
    assert len(world.incidents()) == 3
    assert len(world.rows(schema.timeline)) == 3


def test_what_a_person_closed_opens_again_only_when_it_fails_anew(world: World) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    world.minute = 1
    world.act(1, lambda i: response.resolve(i, "alice", "known", world.now, force=True))
    for minute in (2, 3):
        world.minute = minute
        hears(world, "chat", BROKEN)
        assert looks(world) == ()
    world.minute = 4
    hears(world, "chat", OK)
    assert looks(world) == ()
    world.minute = 5
    hears(world, "chat", BROKEN)
    looks(world)
    assert set(open_ones(world)) == {"chat"}
    assert len(world.incidents()) == 2


def test_an_acknowledged_one_ends_by_itself_too(world: World) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    world.acknowledge(1)
    hears(world, "chat", OK)
    looks(world)
    assert world.incident().state is State.RESOLVED


def test_it_is_left_out_of_the_figures(world: World) -> None:
    hears(world, "chat", BROKEN)
    looks(world)
    world.minute = 10
    hears(world, "chat", OK)
    looks(world)
    [fact] = world.write(lambda tx: figures.facts_since(tx, world.now - timedelta(days=1)))
    assert not fact.counts
