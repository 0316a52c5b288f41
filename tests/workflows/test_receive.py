"""What posts come to, on a real store: receipts, holds, re-fires, forced resolves, clocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.domain.correlate import Sighting
from incidentd.domain.incident import State
from incidentd.domain.severity import Severity
from incidentd.ingest.types import Quarantined, Reason
from incidentd.store import schema
from incidentd.store.codec import instant
from incidentd.workflows.receive import Submission
from tests.workflows.world import A5, ENDED, MINUTE, RULES, A, World, at, fires, over, story


def test_a_receipt_names_the_incidents_and_what_each_alert_meant(world: World) -> None:
    receipt = world.post(fires("a"), fires("a"), fires("d", service="db"), over("x"))
    assert receipt.incidents == (1, 2)
    assert dict(receipt.sightings) == {Sighting.NEW: 2, Sighting.REPEAT: 1, Sighting.BLIP: 1}


def test_an_end_never_seen_firing_is_kept_and_opens_nothing(world: World) -> None:
    world.post(over("a"))
    assert world.incidents() == {}
    (blip,) = world.rows(schema.occurrences, "alert_id")
    assert (blip.reason, blip.incident_id) == ("blip", None)
    assert instant(blip.ends_at) == at(1)


def test_a_firing_after_its_own_end_is_held_and_told_when_it_lasts(world: World) -> None:
    world.post(over("a"))
    world.post(fires("a"))
    assert world.told() == []
    assert world.incident().held_until == at(5)
    world.minute = 5
    world.timers()
    assert world.told() == ["triggered chat"]
    assert world.timeline() == ["triggered", "hold_ended"]
    assert world.timers() == ()


def reopened_by_a_stale_post(world: World) -> None:
    story((0, [A]), (4, [ENDED]), (5, [A]))(world)


def test_a_refire_with_its_old_start_is_told_when_it_lasts(world: World) -> None:
    reopened_by_a_stale_post(world)
    assert (world.incident().state, world.incident().held_until) == (State.TRIGGERED, at(10))
    world.minute = 9.99
    assert world.timers() == ()
    world.minute = 10
    world.timers()
    assert world.told() == ["triggered chat", "resolved chat", "reopened chat"]


@pytest.mark.parametrize("newer", [fires("a", 6), fires("b", 6)])
def test_a_newer_start_ends_a_hold_at_once(world: World, newer: object) -> None:
    reopened_by_a_stale_post(world)
    world.minute = 7
    world.post(newer)  # type: ignore[arg-type]
    assert world.incident().held_until is None
    assert world.told()[-1] == "reopened chat"


def test_a_stale_post_of_a_worse_alert_does_not_page_its_milder_successors_channels(world: World) -> None:
    bad, mild = fires("b", severity="critical"), fires("a", 5)
    story((0, [bad]), (2, [over("b", end=1, severity="critical")]), (6, [mild]), (7, [over("a", 5, 6)]))(
        world
    )
    assert world.incident().severity is Severity.WARNING
    world.post(bad)
    world.minute = 20
    world.timers()
    assert world.incident().severity is Severity.CRITICAL
    assert world.told()[-1] == "reopened phone,chat"


@pytest.mark.parametrize(("minute", "count"), [(14, 1), (14.01, 2)])
def test_the_reopen_window_has_an_exact_end(world: World, minute: float, count: int) -> None:
    story((0, [A]), (4, [ENDED]), (minute, [fires("a", 13)]))(world)
    assert len(world.incidents()) == count


def test_a_reopened_incident_tells_as_bad_as_what_fires_now(world: World) -> None:
    story((0, [A]), (4, [ENDED]), (6, [fires("b", 5, severity="critical")]))(world)
    incident = world.incident()
    assert (incident.severity, incident.notify, incident.escalation) == (
        Severity.CRITICAL,
        ("phone", "chat"),
        "primary",
    )
    assert world.told()[-1] == "reopened phone,chat"
    assert incident.labels == {"service": "api"}
    assert (incident.episode, incident.reopen_count, incident.alerts_total) == (2, 1, 2)


def test_after_a_forced_resolve_repeats_are_quiet_and_a_newer_occurrence_is_a_new_incident(
    world: World,
) -> None:
    world.post(A)
    world.minute = 2
    world.resolve()
    world.post(A)
    assert world.incident().state is State.RESOLVED
    world.post(ENDED)
    assert world.incident().alerts_firing == 0
    world.minute = 4
    world.post(A)
    assert list(world.incidents()) == [1], "a stale post of what a person has closed"
    world.post(A5)
    assert world.incident(2).state is State.TRIGGERED
    assert [world.incident(i).alerts_firing for i in (1, 2)] == [0, 1]
    assert world.told(2) == ["triggered chat"]


def test_a_forced_resolve_ends_the_measured_time(world: World) -> None:
    story((0, [A, fires("b")]), (2, [over("a", end=1)]))(world)
    world.minute = 3
    world.resolve()
    assert (world.incident().resolved_at, world.incident().ended_at) == (at(3), None)
    world.minute = 5
    world.post(over("b", end=4))
    assert world.incident().ended_at is None


def test_what_had_ended_before_a_person_closed_the_incident_is_news_when_it_comes_back(world: World) -> None:
    story((0, [A, fires("b")]), (2, [over("a", end=1)]))(world)
    world.minute = 3
    world.resolve()
    world.minute = 4
    world.post(A)
    assert world.incident().held_until == at(9)
    assert world.incident().alerts_firing == 2


def test_a_newer_occurrence_that_was_seen_only_ending_is_not_opened_by_a_late_firing(world: World) -> None:
    story((0, [A]), (8, [over("a", 5, 7)]))(world)
    assert world.incident().state is State.RESOLVED
    assert len(world.rows(schema.occurrences, "alert_id")) == 2
    world.post(A5)
    assert world.incident().held_until == at(13)
    assert world.told() == ["triggered chat", "resolved chat"]


def test_an_acknowledged_incident_pages_again_only_when_it_gets_worse(world: World) -> None:
    world.post(A)
    world.acknowledge()
    world.post(A, fires("b"))
    assert world.incident().state is State.ACKNOWLEDGED
    world.post(fires("c", severity="critical"))
    assert world.incident().state is State.TRIGGERED
    assert world.told() == ["triggered chat", "acknowledged chat", "updated chat", "escalated chat,phone"]


def test_a_snoozed_incident_is_quiet_about_new_members_and_closes_with_its_alerts(world: World) -> None:
    world.post(A)
    world.snooze(60)
    world.post(fires("b"))
    world.minute = 5
    world.post(ENDED, over("b", end=4))
    assert world.incident().snoozed_until is None
    assert world.told() == ["triggered chat", "updated chat", "resolved chat"]
    world.minute = 90
    assert world.timers() == ()


def test_a_paused_or_deleted_rule_repaired_nothing(world: World) -> None:
    world.post(A)
    world.post(replace(ENDED, administrative=True))
    assert not world.incident().counts
    world.post(A5)
    world.post(over("a", 5, 6))
    assert world.incident().counts


def test_each_alert_may_be_an_incident_of_its_own(world: World) -> None:
    world.rules = replace(RULES, grouping=("...",))
    assert world.post(fires("a"), fires("b")).incidents == (1, 2)


def test_two_senders_do_not_mix(world: World) -> None:
    world.post(A)
    world.post(replace(A, source="other"))
    world.post(replace(ENDED, source="other"))
    assert [i.state for i in world.incidents().values()] == [State.TRIGGERED, State.RESOLVED]


def test_a_body_with_alerts_left_out_warns_until_one_is_complete(world: World) -> None:
    world.post(A, truncated=7)
    world.post(A, truncated=7)
    world.post(A, truncated=9)
    assert world.timeline() == ["triggered", "truncated"]
    assert world.incident().truncated == 9
    world.post(A, fires("b"))
    assert world.timeline()[2:] == ["alerts_joined", "complete"]
    assert world.incident().truncated == 0


def test_members_that_join_in_a_shortened_body_are_told_too(world: World) -> None:
    world.post(A)
    world.post(A, fires("b"), truncated=1)
    assert world.told() == ["triggered chat", "updated chat"]


def test_new_annotations_replace_the_old_ones(world: World) -> None:
    world.post(A)
    world.post(
        replace(A, annotations={"summary": "worse"}, cut=("annotation x",), generator_url="http://new")
    )
    (alert,) = world.rows(schema.alerts)
    assert (alert.annotations, alert.cut, alert.generator_url) == (
        '{"summary":"worse"}',
        '["annotation x"]',
        "http://new",
    )
    assert world.timeline() == ["triggered"]


def test_alerts_that_could_not_be_read_are_set_aside(world: World) -> None:
    bad = Quarantined("alerts[1]", Reason.STATUS, "{}")
    world.batch(Submission("main", "r-1", (A,), (bad,)))
    (row,) = world.rows(schema.quarantine)
    assert (row.request_id, row.reason, row.where) == ("r-1", Reason.STATUS.value, "alerts[1]")


def test_a_clock_that_steps_back_makes_no_incident_end_before_it_began(world: World) -> None:
    world.minute = 100
    world.post(fires("a", 99))
    world.minute = 40
    world.acknowledge()
    world.post(over("a", 99, 100))
    incident = world.incident()
    assert incident.opened_at == incident.acknowledged_at == incident.resolved_at == at(100)
    assert [instant(row.at) for row in world.rows(schema.timeline)] == [at(100)] * 4


@pytest.mark.skipif("last_at" not in schema.incidents.c, reason="the table has no column last_at yet")
def test_recorded_time_never_runs_backwards_within_an_incident(world: World) -> None:
    world.post(A)
    world.minute = 100
    world.post(fires("b"))
    world.minute = 40
    world.post(fires("c"))
    assert [instant(row.at) for row in world.rows(schema.timeline)] == [at(0), at(100), at(100)]


def test_many_members_are_one_line(world: World) -> None:
    world.post(A)
    world.post(*[fires(f"m{n}") for n in range(12)])
    text = world.rows(schema.timeline)[-1].text
    assert text.startswith("12 alert(s) joined: m0 is broken; ")
    assert text.endswith("m9 is broken and 2 more")


def test_an_empty_post_is_a_post(world: World) -> None:
    assert world.post().incidents == ()
    assert world.post(truncated=3).incidents == ()


def test_the_start_of_the_incident_is_that_of_its_earliest_alert(world: World) -> None:
    world.post(fires("a", -5))
    world.post(fires("b", -9))
    assert world.incident().started_at == at(-9)
    assert world.incident().opened_at - world.incident().started_at == 9 * MINUTE
