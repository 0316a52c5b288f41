"""Heartbeats, and what a changed configuration or a deleted incident means for alerts that are already known."""

from __future__ import annotations

from dataclasses import replace

from incidentd.domain.correlate import Sighting
from incidentd.domain.incident import State
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.severity import Severity, SeverityRules
from incidentd.store import schema
from incidentd.store.codec import instant
from tests.workflows.world import A5, ENDED, RULES, A, World, at, fires, over, story

WATCHDOG = fires("Watchdog", severity="none")
BEATING = replace(RULES, heartbeats={"main": ((parse_matcher('alertname="Watchdog"'),),)})


def test_a_heartbeat_opens_nothing_and_is_seen(world: World) -> None:
    world.rules = BEATING
    for minute in range(3):
        world.minute = minute
        assert world.post(WATCHDOG).sightings == ((Sighting.HEARTBEAT, 1),)
    world.post(fires("Watchdog", 2, severity="none"))
    assert world.incidents() == {}
    (alert,) = world.rows(schema.alerts)
    assert (instant(alert.last_seen_at), instant(alert.starts_at), alert.ends_at) == (at(2), at(2), None)


def test_a_heartbeat_that_was_late_about_an_older_end_still_beats(world: World) -> None:
    world.rules = BEATING
    world.post(fires("Watchdog", 5, severity="none"))
    world.post(over("Watchdog", 0, 1, severity="none"))
    assert world.rows(schema.alerts)[0].ends_at is None
    world.post(over("Watchdog", 5, 6, severity="none"))
    assert instant(world.rows(schema.alerts)[0].ends_at) == at(6)


def test_an_alert_that_is_no_heartbeat_any_more_opens_an_incident_with_its_next_repeat(world: World) -> None:
    world.rules = BEATING
    world.post(WATCHDOG)
    world.rules = RULES
    assert world.post(WATCHDOG, WATCHDOG).incidents == (1,)
    assert world.incident().alerts_firing == 1
    assert world.told() == ["triggered chat"]


def test_an_alert_that_became_a_heartbeat_leaves_its_incident_when_it_starts_anew(world: World) -> None:
    world.post(WATCHDOG)
    world.rules = BEATING
    world.post(WATCHDOG)
    assert world.incident().state is State.TRIGGERED
    world.minute = 3
    world.post(fires("Watchdog", 2, severity="none"))
    assert world.incident().state is State.RESOLVED
    world.post(fires("Watchdog", 2, severity="none"))
    assert world.incident().alerts_firing == 0
    assert list(world.incidents()) == [1]


def test_after_a_change_of_grouping_an_end_still_reaches_its_incident(world: World) -> None:
    world.post(A)
    world.rules = replace(RULES, grouping=("alertname",))
    world.post(ENDED)
    assert world.incident().state is State.RESOLVED


def test_after_a_change_of_grouping_a_newer_start_moves_and_leaves_nothing_open(world: World) -> None:
    world.post(A)
    world.rules = replace(RULES, grouping=("alertname",))
    world.minute = 6
    world.post(A5)
    assert [(i.state, i.alerts_firing) for i in world.incidents().values()] == [
        (State.RESOLVED, 0),
        (State.TRIGGERED, 1),
    ]
    assert world.incident().ended_at == at(5)


def test_after_a_change_of_grouping_a_refire_does_not_open_its_old_group_twice(world: World) -> None:
    story((0, [A]), (4, [ENDED]))(world)
    world.minute = 30
    world.post(fires("b", 29))
    world.rules = replace(RULES, grouping=("alertname",))
    world.post(A)
    assert [(i.state, i.alerts_firing) for i in world.incidents().values()] == [
        (State.RESOLVED, 0),
        (State.TRIGGERED, 2),
    ]


def test_what_retention_has_deleted_may_fire_again(world: World) -> None:
    world.post(A)
    world.resolve()
    world.write(lambda tx: [tx.conn.execute(t.delete()) for t in (schema.incidents, schema.occurrences)])
    world.post(ENDED)
    world.post(A)
    assert world.incident(2).alerts_firing == 1
    assert [row.incident_id for row in world.rows(schema.occurrences, "alert_id")] == [2]


def test_a_repeat_after_a_change_of_the_severity_map_shows_what_the_alert_means_by_now(world: World) -> None:
    world.post(fires(severity="P3"), fires("b"))
    world.minute = 1
    world.rules = replace(RULES, severity=SeverityRules(map={"P3": Severity.CRITICAL}))
    assert world.post(fires(severity="P3"), fires("b")).sightings == ((Sighting.REPEAT, 2),)
    changed, same = world.rows(schema.alerts)
    assert (changed.severity, instant(changed.last_seen_at)) == ("critical", at(1))
    assert (same.severity, instant(same.last_seen_at)) == ("warning", at(1))
