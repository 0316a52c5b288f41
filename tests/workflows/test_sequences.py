"""Sequences of one alert, as Alertmanager really sends them, and what each of them comes to."""

from __future__ import annotations

import pytest

from incidentd.domain.incident import State
from tests.workflows.world import A5, ENDED, A, World, fires, over, story

SEQUENCES = {
    "repeats_are_one_incident": (
        story((0, [A]), (1, [A]), (2, [A, A])),
        (State.TRIGGERED, 1, 1), ["triggered"], ["triggered chat"],
    ),
    "a_newer_start_without_a_resolve_stays_in_the_incident": (
        story((0, [A]), (6, [A5])),
        (State.TRIGGERED, 1, 1), ["triggered", "alerts_joined"], ["triggered chat", "updated chat"],
    ),
    "a_refire_with_a_newer_start_reopens_and_tells": (
        story((0, [A]), (4, [ENDED]), (6, [A5])),
        (State.TRIGGERED, 1, 1), ["triggered", "alerts_ended", "resolved", "reopened"],
        ["triggered chat", "resolved chat", "reopened chat"],
    ),
    "a_stale_post_of_a_peer_opens_silently_and_ends_silently": (
        story((0, [A]), (4, [ENDED]), (5, [A]), (6, [ENDED])),
        (State.RESOLVED, 0, 1),
        ["triggered", "alerts_ended", "resolved", "reopened", "alerts_ended", "resolved"],
        ["triggered chat", "resolved chat"],
    ),
    "resolved_twice_is_resolved_once": (
        story((0, [A]), (4, [ENDED]), (5, [ENDED])),
        (State.RESOLVED, 0, 1), ["triggered", "alerts_ended", "resolved"], ["triggered chat", "resolved chat"],
    ),
    "an_alert_missing_from_a_later_body_still_fires": (
        story((0, [A, fires("b")]), (5, [fires("b")])),
        (State.TRIGGERED, 2, 2), ["triggered", "alerts_joined"], ["triggered chat"],
    ),
    "an_old_body_after_a_newer_occurrence_changes_nothing": (
        story((0, [A]), (6, [A5]), (7, [A]), (8, [ENDED])),
        (State.TRIGGERED, 1, 1), ["triggered", "alerts_joined"], ["triggered chat", "updated chat"],
    ),
    "an_old_firing_after_the_newer_occurrence_ended_is_held_until_it_has_lasted": (
        story((0, [A5]), (6, [over("a", 5, 6)]), (7, [A]), (11, [A])),
        (State.TRIGGERED, 1, 1), ["triggered", "alerts_ended", "resolved", "reopened"],
        ["triggered chat", "resolved chat"],
    ),
    "and_ends_as_quietly_if_it_was_a_stale_post": (
        story((0, [A5]), (6, [over("a", 5, 6)]), (7, [A]), (9, [over("a", 0, 4)])),
        (State.RESOLVED, 0, 1),
        ["triggered", "alerts_ended", "resolved", "reopened", "alerts_ended", "resolved"],
        ["triggered chat", "resolved chat"],
    ),
    "merged_to_an_earlier_start_it_is_the_same_occurrence": (
        story((0, [A5]), (6, [A]), (8, [over("a", 0, 7)])),
        (State.RESOLVED, 0, 1), ["triggered", "alerts_ended", "resolved"], ["triggered chat", "resolved chat"],
    ),
    "a_start_in_the_future_opens_at_once_and_its_end_is_believed": (
        story((0, [fires("a", 60)]), (3, [over("a", 60, 2)])),
        (State.RESOLVED, 0, 1), ["triggered", "alerts_ended", "resolved"], ["triggered chat", "resolved chat"],
    ),
    "resolved_and_firing_in_one_body_keep_the_incident_open": (
        story((0, [A]), (4, [ENDED, fires("b", 3)])),
        (State.TRIGGERED, 1, 2), ["triggered", "alerts_ended", "alerts_joined"], ["triggered chat", "updated chat"],
    ),
    "the_order_within_that_body_does_not_matter": (
        story((0, [A]), (4, [fires("b", 3), ENDED])),
        (State.TRIGGERED, 1, 2), ["triggered", "alerts_ended", "alerts_joined"], ["triggered chat", "updated chat"],
    ),
    "a_mixed_body_ends_some_and_repeats_others": (
        story((0, [A, fires("b")]), (4, [ENDED, fires("b")])),
        (State.TRIGGERED, 1, 2), ["triggered", "alerts_joined", "alerts_ended"], ["triggered chat"],
    ),
    "a_group_that_grows_is_told_once_until_the_update_has_left": (
        story((0, [A]), (1, [A, fires("b")]), (2, [A, fires("b"), fires("c")])),
        (State.TRIGGERED, 3, 3), ["triggered", "alerts_joined", "alerts_joined"], ["triggered chat", "updated chat"],
    ),
    "a_worse_alert_pages_over_old_and_new_channels": (
        story((0, [A]), (1, [fires("b", severity="critical")])),
        (State.TRIGGERED, 2, 2), ["triggered", "alerts_joined", "severity_raised"],
        ["triggered chat", "escalated chat,phone"],
    ),
    "a_milder_alert_does_not_lower_the_incident": (
        story((0, [fires("b", severity="critical")]), (1, [A]), (2, [over("b", end=2, severity="critical")])),
        (State.TRIGGERED, 1, 2), ["triggered", "alerts_joined", "alerts_ended"],
        ["triggered phone,chat", "updated phone,chat"],
    ),
    "what_is_told_to_nobody_is_kept": (
        story((0, [fires("a", severity="info")]), (1, [fires("b", severity="info")])),
        (State.TRIGGERED, 2, 2), ["triggered", "alerts_joined"], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_comes_to_what_it_means(world: World, name: str) -> None:
    tell, outcome, timeline, told = SEQUENCES[name]
    tell(world)
    incident = world.incident(1)
    assert (incident.state, incident.alerts_firing, incident.alerts_total) == outcome
    assert world.timeline() == timeline
    assert world.told() == told
    assert list(world.incidents()) == [1]
