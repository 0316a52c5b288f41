"""Heartbeats from the first beat to the incident about their absence, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.domain.heartbeat import Heartbeat, PulseState
from incidentd.domain.incident import Change, State
from incidentd.domain.maintenance import Window, plan
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity
from incidentd.store import heartbeats as store
from incidentd.store import schema
from incidentd.workflows import heartbeats
from incidentd.workflows.heartbeats import Listening
from tests.workflows.world import MINUTE, RULES, START, World, at, fires, over, stored

FITS = (parse_matcher('alertname="Watchdog"'),)
MAIN = Heartbeat("main", "main", FITS, 5 * MINUTE, MINUTE, Severity.CRITICAL)
BACKUP = Heartbeat("backup", "", (), 60 * MINUTE, MINUTE, Severity.WARNING)
WATCHED = replace(
    RULES,
    heartbeats={"main": (FITS,)},
    expected={"main": MAIN, "backup": BACKUP},
    mass_resolve={"main": 2},
)
WATCHDOG = fires("Watchdog", severity="none")
GROUPS = [fires("a", service=f"s{n}") for n in range(4)]
ENDED = [over("a", end=4, service=f"s{n}") for n in range(4)]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    with stored(database_url, WATCHED) as world:
        yield world


def look(world: World, listening_minute: float = -1000) -> tuple[Change, ...]:
    """What the job does, if there is anything to do."""
    rules, now, since = world.rules, world.now, at(listening_minute)
    if not world.write(lambda tx: heartbeats.watch_due(tx, rules, since, now)):
        return ()
    return world.write(lambda tx: heartbeats.watch(tx, rules, since, now))


def beat(world: World, minute: float) -> None:
    world.minute = minute
    world.post(WATCHDOG)


def test_one_that_stops_opens_one_incident_and_its_return_resolves_it(world: World) -> None:
    beat(world, 0)
    look(world)
    world.minute = 5.9
    assert look(world) == ()
    world.minute = 6
    assert len(look(world)) == 1
    assert look(world) == ()
    incident = world.incident()
    assert (incident.group_key, incident.source, incident.severity) == ("heartbeat:main", "main", "critical")
    assert world.told() == ["triggered phone,chat"]
    world.minute = 30
    assert look(world) == ()
    beat(world, 31)
    look(world)
    assert world.incident().state is State.RESOLVED
    assert world.told() == ["triggered phone,chat", "resolved phone,chat"]


def test_one_that_goes_again_reopens_its_incident(world: World) -> None:
    beat(world, 0)
    world.minute = 6
    look(world)
    beat(world, 7)
    look(world)
    world.minute = 13
    look(world)
    assert list(world.incidents()) == [1]
    assert world.timeline() == ["triggered", "resolved", "reopened"]


def test_nobody_is_missing_while_nobody_could_hear(world: World) -> None:
    beat(world, 0)
    world.minute = 100
    assert look(world, listening_minute=99) == ()
    world.minute = 104.9
    assert look(world, listening_minute=99) == ()
    world.minute = 105
    assert len(look(world, listening_minute=99)) == 1


def test_one_that_never_came_is_missing_after_its_time_from_the_first_look(world: World) -> None:
    assert look(world) == ()
    world.minute = 5.9
    assert look(world) == ()
    world.minute = 6
    assert [change.incident.labels["heartbeat"] for change in look(world)] == ["main"]
    world.minute = 61
    assert [change.incident.labels["heartbeat"] for change in look(world)] == ["backup"]
    assert [row.state for row in world.rows(schema.heartbeats, "name")] == ["missing", "missing"]


def test_a_person_who_resolves_it_is_not_told_again_while_it_stays_away(world: World) -> None:
    look(world)
    world.minute = 6
    look(world)
    world.resolve()
    world.minute = 30
    assert look(world) == ()
    beat(world, 31)
    [change] = look(world)  # a line in the timeline, no more
    assert (change.notice, change.incident.state) == (None, State.RESOLVED)
    assert world.write(store.all_of)["main"].state is PulseState.BEATING


def test_the_end_of_its_alert_says_at_once_that_it_is_missing_unless_another_one_beats(world: World) -> None:
    other = fires("Watchdog", severity="none", replica="b")
    world.post(WATCHDOG, other)
    look(world)
    world.minute = 1
    world.post(over("Watchdog", end=1, severity="none"))
    assert look(world) == ()
    world.post(over("Watchdog", end=1, severity="none", replica="b"))
    assert len(look(world)) == 1
    assert world.timeline() == ["triggered"]


def test_a_late_word_about_an_older_end_is_no_end(world: World) -> None:
    world.minute = 6
    world.post(fires("Watchdog", 5, severity="none"))
    world.post(over("Watchdog", 0, 1, severity="none"))
    look(world)
    assert look(world) == ()


def test_a_ping_is_a_beat(world: World) -> None:
    look(world)
    world.post(WATCHDOG)
    world.minute = 61
    world.post(WATCHDOG)
    assert len(look(world)) == 1
    now = world.now
    assert world.write(lambda tx: heartbeats.ping(tx, BACKUP, now)).state is PulseState.BACK
    look(world)
    assert world.incident().state is State.RESOLVED


def test_one_that_is_not_configured_any_more_is_forgotten_with_its_incident(world: World) -> None:
    look(world)
    world.minute = 6
    look(world)
    world.rules = replace(WATCHED, expected={"backup": BACKUP})
    look(world)
    assert world.incident().state is State.RESOLVED
    assert not world.incident().counts
    assert [row.name for row in world.rows(schema.heartbeats, "name")] == ["backup"]


def test_maintenance_covers_the_incident_about_a_heartbeat_too(world: World) -> None:
    hour = plan(START, 60 * MINUTE, "Etc/UTC", None)
    planned = Window("upgrade", (parse_matcher('alertname="HeartbeatMissing"'),), hour)
    world.rules = replace(WATCHED, maintenance=(planned,))
    beat(world, 0)
    world.minute = 6
    look(world)
    beat(world, 7)
    look(world)
    world.minute = 13
    look(world)
    incident = world.incident()
    assert (incident.state, incident.suppressed_by, world.told()) == (State.TRIGGERED, "upgrade", [])


def test_a_beat_costs_one_statement_and_no_timeline(world: World) -> None:
    for minute in range(3):
        beat(world, minute)
    assert world.write(store.all_of)["main"].last_beat_at == at(2)
    assert world.rows(schema.timeline) == []


def lose_the_source(world: World, ends: int) -> None:
    """Incidents open, the heartbeat goes missing, and `ends` of them are said to be over."""
    world.post(*GROUPS, WATCHDOG)
    look(world)
    world.minute = 6
    look(world)
    world.post(*ENDED[:ends])


def resolved(world: World) -> list[int]:
    return [i for i, incident in world.incidents().items() if not incident.open]


def test_a_few_resolves_of_a_silent_source_are_believed_a_minute_later(world: World) -> None:
    lose_the_source(world, 2)
    assert (resolved(world), world.timeline(1)[-1]) == ([], "resolve_withheld")
    world.minute = 6.9
    assert look(world) == ()
    world.minute = 7
    look(world)
    assert resolved(world) == [1, 2]
    assert world.incident(1).ended_at == at(4)


def test_a_mass_resolve_of_a_silent_source_resolves_nothing_until_it_is_back(world: World) -> None:
    lose_the_source(world, 2)
    world.minute = 6.5
    world.post(*ENDED[2:])
    look(world)
    assert look(world) == ()
    world.minute = 50
    assert look(world) == ()
    assert resolved(world) == []
    assert world.timeline(3)[-1] == "resolve_distrusted"
    # What the source said is not lost.
    assert {row.ends_at is None for row in world.rows(schema.alerts)} == {True, False}
    assert [world.incident(n).alerts_firing for n in (1, 2, 3, 4)] == [0, 0, 0, 0]
    beat(world, 51)
    look(world)
    # The fourth fires again, as after a restart of Prometheus.
    world.minute = 54
    world.post(fires("a", 53, service="s3"), WATCHDOG)
    world.minute = 56
    world.post(WATCHDOG)
    look(world)
    assert resolved(world) == [1, 2, 3, 5]
    assert world.timeline(4)[-2:] == ["alerts_joined", "resolve_dropped"]
    assert world.told(4) == ["triggered chat", "updated chat"]
    world.post(over("a", 53, 56, service="s3"))
    assert not world.incident(4).open


def test_a_person_can_resolve_what_is_distrusted(world: World) -> None:
    lose_the_source(world, 4)
    look(world)
    world.resolve(2)
    incident = world.incident(2)
    assert (incident.resolve_withheld_at, incident.resolve_withheld_for) == (None, None)
    world.minute = 60
    look(world)
    assert resolved(world) == [2]


def test_the_end_of_the_watchdog_and_of_everything_else_in_one_body_is_distrusted(world: World) -> None:
    world.post(*GROUPS, WATCHDOG)
    look(world)
    world.minute = 5
    world.post(*ENDED, over("Watchdog", end=4, severity="none"))
    look(world)
    assert resolved(world) == []
    assert world.timeline(4)[-1] == "resolve_distrusted"


def test_listening_begins_anew_after_a_pause() -> None:
    listening = Listening()
    assert listening.at(START) == START
    assert listening.at(START + timedelta(seconds=5)) == START
    later = START + 2 * MINUTE
    assert listening.at(later) == later
    back = START - 60 * MINUTE
    assert listening.at(back) == back


def test_listening_begins_anew_when_the_database_has_refused_a_write() -> None:
    listening = Listening()
    assert listening.at(START, refusals=2) == START
    refused = START + timedelta(seconds=5)
    assert listening.at(refused, refusals=3) == refused
    assert listening.at(refused + timedelta(seconds=5), refusals=3) == refused
