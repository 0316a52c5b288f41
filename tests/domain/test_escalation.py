"""Who is told next, and when: tables, and what holds for every policy."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.escalation import (
    LAST_RESORT,
    LEAST_PAUSE,
    Ended,
    Escalation,
    Kind,
    Policy,
    Reason,
    Step,
    Target,
    Turn,
    advance,
    at_once,
    end,
    fitting,
    parse_target,
    start,
)
from incidentd.domain.hours import Hours
from incidentd.domain.severity import Severity

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALICE, BOB, PAGER = Target(Kind.USER, "alice"), Target(Kind.USER, "bob"), Target(Kind.CHANNEL, "pager")
NIGHT = Hours("Europe/Berlin", time(22), time(6))
TWO = (Step(timedelta(), (ALICE,)), Step(5 * MINUTE, (BOB,)))


def begun(policy: Policy, severity: Severity = Severity.CRITICAL) -> Escalation:
    escalation = start(1, 1, policy, severity, NOON)
    assert escalation is not None
    return escalation


def story(policy: Policy, severity: Severity = Severity.CRITICAL) -> list[tuple[float, str]]:
    """What happens when nobody ever answers: minute and step, to the end."""
    escalation, told = begun(policy, severity), []
    while escalation.running:
        turn = advance(escalation, escalation.due_at)
        told.append(((escalation.due_at - NOON) / MINUTE, turn.label))
        escalation = turn.next
    return told


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Policy("one", TWO[:1]), [(0, "1"), (5, "end")]),
        (Policy("two", TWO), [(0, "1"), (5, "2"), (10, "end")]),
        (Policy("again", TWO, repeat=1), [(0, "1"), (5, "2"), (10, "1"), (15, "2"), (20, "end")]),
        (
            Policy("last", TWO, last_resort=(PAGER,), pause=MINUTE),
            [(0, "1"), (5, "2"), (6, LAST_RESORT), (7, "end")],
        ),
        (
            Policy("both", TWO, repeat=1, last_resort=(PAGER,)),
            [(0, "1"), (5, "2"), (10, "1"), (15, "2"), (20, LAST_RESORT), (25, "end")],
        ),
    ],
)
def test_steps_rounds_last_resort_and_end_come_in_order(policy: Policy, told: list[object]) -> None:
    assert story(policy) == told


def test_the_last_turn_says_that_nobody_is_left() -> None:
    escalation = begun(Policy("one", TWO[:1]))
    turn = advance(advance(escalation, NOON).next, NOON + 5 * MINUTE)
    assert (turn.reason, turn.targets) == (Reason.NOBODY_LEFT, ())
    assert turn.next.ended_reason is Ended.NOBODY_LEFT
    assert at_once(turn.next, NOON) == turn.next
    assert end(turn.next, Ended.RESOLVED, NOON) == turn.next


def test_a_late_step_runs_once_and_the_next_one_counts_from_then() -> None:
    escalation = begun(Policy("two", TWO))
    late = NOON + timedelta(hours=3)
    turn = advance(escalation, late)
    assert turn.targets == (ALICE,)
    assert turn.next.due_at == late + 5 * MINUTE


def test_a_step_for_other_severities_is_left_out_and_its_time_is_not() -> None:
    policy = Policy("p", (Step(MINUTE, (ALICE,), frozenset({Severity.CRITICAL})), Step(5 * MINUTE, (BOB,))))
    assert story(policy, Severity.WARNING)[0] == (6, "1")
    assert story(policy, Severity.CRITICAL)[:2] == [(1, "1"), (6, "2")]
    nobody = Policy("q", policy.steps[:1])
    assert start(1, 1, nobody, Severity.WARNING, NOON) is None


def test_a_step_at_other_hours_tells_nobody_and_takes_its_time() -> None:
    policy = Policy("p", (Step(timedelta(), (ALICE,), hours=NIGHT), TWO[1]))
    turn = advance(begun(policy), NOON)
    assert (turn.reason, turn.targets, turn.next.due_at) == (Reason.OTHER_HOURS, (), NOON + 5 * MINUTE)
    assert advance(begun(policy), NOON.replace(hour=23)).reason is Reason.STEP


def test_places_read_well() -> None:
    turn = advance(begun(Policy("p", TWO)), NOON)
    assert turn.place == "step 1 of 2"
    again = advance(advance(begun(Policy("p", TWO, repeat=2)), NOON).next, NOON)
    assert again.place == "step 2 of 2, round 1 of 3"


def told_numbers(policy: Policy) -> list[int]:
    escalation, numbers = begun(policy), []
    while escalation.running:
        numbers.append(escalation.told)
        escalation = advance(escalation, escalation.due_at).next
    return [*numbers, escalation.told]


def test_what_was_told_last_is_known_at_every_point() -> None:
    assert told_numbers(Policy("p", TWO, repeat=1)) == [0, 1, 2, 1, 2, 2]
    assert told_numbers(Policy("p", TWO, last_resort=(PAGER,))) == [0, 1, 2, 3, 3]


def test_without_any_waiting_there_is_a_pause_between_rounds() -> None:
    policy = Policy("p", TWO[:1], repeat=1)
    assert policy.rest == LEAST_PAUSE
    assert story(policy) == [(0, "1"), (5, "1"), (10, "end")]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("schedule:primary", Target(Kind.SCHEDULE, "primary")),
        ("user:bob", BOB),
        ("channel:pager", PAGER),
        ("pager", PAGER),
    ],
)
def test_targets_are_read_and_written_alike(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["", "team:ops", "user:", ":bob"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no target; accepted"):
        parse_target(text)


DELAYS = st.integers(0, 90).map(lambda minutes: minutes * MINUTE)
STEPS = st.builds(
    Step,
    after=DELAYS,
    notify=st.just((ALICE,)),
    severities=st.frozensets(st.sampled_from(Severity)),
    hours=st.sampled_from([None, NIGHT]),
)
POLICIES = st.builds(
    Policy,
    name=st.just("any"),
    steps=st.lists(STEPS, min_size=1, max_size=5).map(tuple),
    repeat=st.integers(0, 3),
    last_resort=st.sampled_from([(), (PAGER,)]),
    pause=DELAYS,
)


def turns(policy: Policy, severity: Severity, lateness: list[int]) -> list[tuple[datetime, Turn]]:
    escalation = start(1, 1, policy, severity, NOON)
    found: list[tuple[datetime, Turn]] = []
    while escalation is not None and escalation.running:
        late = lateness[len(found) % len(lateness)] * MINUTE if lateness else timedelta()
        now = escalation.due_at + late
        turn = advance(escalation, now)
        found.append((now, turn))
        escalation = turn.next
    return found


@given(POLICIES, st.sampled_from(Severity), st.lists(st.integers(0, 600), max_size=4))
def test_every_escalation_ends_and_each_step_runs_once_a_round(
    policy: Policy, severity: Severity, lateness: list[int]
) -> None:
    found = turns(policy, severity, lateness)
    frozen = fitting(policy, severity)
    if frozen is None:
        assert found == []
        return
    labels = [turn.label for _, turn in found]
    rounds = [str(number + 1) for number in range(len(frozen.steps))] * (policy.repeat + 1)
    assert labels == [*rounds, *([LAST_RESORT] if policy.last_resort else []), "end"]
    assert found[-1][1].next.ended_reason is Ended.NOBODY_LEFT


@given(POLICIES, st.sampled_from(Severity), st.lists(st.integers(0, 600), max_size=4))
def test_time_never_runs_backwards_and_nothing_is_due_before_its_delay(
    policy: Policy, severity: Severity, lateness: list[int]
) -> None:
    found = turns(policy, severity, lateness)
    for (now, turn), (later, _) in pairwise(found):
        assert now <= turn.next.due_at <= later


@given(POLICIES, st.sampled_from(Severity))
def test_dropping_steps_never_moves_the_others(policy: Policy, severity: Severity) -> None:
    frozen = fitting(policy, severity)
    if frozen is not None:
        waited = sum([step.after for step in policy.steps], timedelta())
        assert sum([step.after for step in frozen.steps], timedelta()) <= waited
        assert frozen.rest == policy.rest
