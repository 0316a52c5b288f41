"""How a destination is judged by the answers of its attempts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.domain.destination import (
    BROKEN_PAUSE,
    FAILURES_ALLOWED,
    LONGEST_REST,
    THROTTLE_PAUSE,
    Destination,
    DestinationState,
    after,
    unproven,
)
from incidentd.domain.notification import Outcome, Verdict
from incidentd.domain.retry import MAX_RETRY_AFTER

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=3)
SECOND = timedelta(seconds=1)
OK, THROTTLED, DEGRADED, BROKEN = DestinationState
WELL = Destination("chat", OK, BEFORE)
SLOW = Destination("chat", THROTTLED, BEFORE, NOW - SECOND, 2, "http_429")
FAILING = Destination("chat", DEGRADED, BEFORE, NOW - SECOND, 6, "http_503")
REFUSED = Destination("chat", BROKEN, BEFORE, NOW - SECOND, 9, "invalid_auth")
GONE = Destination("chat", BROKEN, BEFORE, None, 1, "channel_not_found")
ALL = [WELL, SLOW, FAILING, REFUSED, GONE]


def heard(
    known: Destination, verdict: Verdict, *, only: bool = True, asked: float | None = None
) -> Destination:
    pause = None if asked is None else timedelta(seconds=asked)
    return after(known, Outcome(verdict, "code", retry_after=pause), "what it said", NOW, only_target=only)


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("known", ALL)
def test_one_accepted_message_and_all_is_well(known: Destination, only: bool) -> None:
    since = BEFORE if known.state is OK else NOW
    assert heard(known, Verdict.OK, only=only) == Destination("chat", OK, since)


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("known", ALL)
def test_who_refuses_us_is_probed_after_a_minute(known: Destination, only: bool) -> None:
    found = heard(known, Verdict.DESTINATION_BROKEN, only=only)
    since = BEFORE if known.state is BROKEN else NOW
    assert found == Destination("chat", BROKEN, since, NOW + BROKEN_PAUSE, known.failures + 1, "what it said")


def test_one_of_several_targets_that_wants_it_later_says_nothing_of_the_others() -> None:
    outcome = Outcome(Verdict.RETRY, "450", of_target=True)
    assert after(WELL, outcome, "greylisted", NOW, only_target=False) == WELL
    assert after(WELL, outcome, "greylisted", NOW, only_target=True).failures == 1


@pytest.mark.parametrize("known", ALL)
@pytest.mark.parametrize(
    ("verdict", "only"), [(Verdict.TARGET_GONE, True), (Verdict.DISABLED, True), (Verdict.DISABLED, False)]
)
def test_who_is_not_there_any_more_is_broken_without_a_probe(
    known: Destination, verdict: Verdict, only: bool
) -> None:
    found = heard(known, verdict, only=only)
    assert (found.state, found.paused_until, found.failures) == (BROKEN, None, known.failures + 1)
    assert not found.paused(NOW)


@pytest.mark.parametrize("known", ALL)
def test_one_mailbox_of_several_that_is_gone_says_nothing_about_the_channel(known: Destination) -> None:
    assert heard(known, Verdict.TARGET_GONE, only=False) == known


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("known", ALL)
def test_a_refused_text_says_nothing_about_the_destination(known: Destination, only: bool) -> None:
    assert heard(known, Verdict.CONTENT_REJECTED, only=only) == known


@pytest.mark.parametrize("known", ALL)
@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (None, THROTTLE_PAUSE),
        (0, timedelta()),
        (7, timedelta(seconds=7)),
        (86400, MAX_RETRY_AFTER),
    ],
)
def test_who_asks_to_slow_down_is_given_the_time(
    known: Destination, asked: float | None, pause: timedelta
) -> None:
    found = heard(known, Verdict.THROTTLED, asked=asked)
    assert (found.state, found.paused_until) == (THROTTLED, max(NOW + pause, known.paused_until or NOW))
    assert found.failures == known.failures + 1


def test_of_two_answers_the_longer_pause_holds() -> None:
    long = heard(WELL, Verdict.THROTTLED, asked=120)
    assert heard(long, Verdict.THROTTLED, asked=5).paused_until == NOW + timedelta(seconds=120)


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.AMBIGUOUS])
@pytest.mark.parametrize("known", [REFUSED, GONE])
def test_what_refuses_us_is_not_better_for_failing_in_another_way(
    known: Destination, verdict: Verdict
) -> None:
    assert heard(known, verdict) == known


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.AMBIGUOUS])
def test_five_failures_in_a_row_and_it_rests_longer_each_time(verdict: Verdict) -> None:
    known, rests = WELL, []
    for _ in range(FAILURES_ALLOWED + 8):
        known = replace(heard(known, verdict))
        rests.append(0 if known.paused_until is None else (known.paused_until - NOW).total_seconds())
        known = replace(known, paused_until=None)
    assert rests == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert known.state is DEGRADED
    assert heard(replace(known, failures=10_000), verdict).paused_until == NOW + LONGEST_REST


@pytest.mark.parametrize("known", [WELL, SLOW])
def test_fewer_failures_are_counted_and_change_nothing(known: Destination) -> None:
    assert heard(known, Verdict.RETRY) == replace(
        known, failures=known.failures + 1, last_error="what it said"
    )


def test_slow_and_failing_in_turn_count_as_one_trouble() -> None:
    assert heard(FAILING, Verdict.THROTTLED).since == BEFORE
    assert heard(replace(SLOW, failures=5), Verdict.RETRY).since == BEFORE
    assert heard(REFUSED, Verdict.THROTTLED).since == NOW


def test_a_broken_one_that_no_probe_can_judge_gets_one_message_at_a_time_and_is_not_well_yet() -> None:
    tried = unproven(GONE, NOW)
    assert (tried.state, tried.paused_until, tried.since) == (DEGRADED, NOW, BEFORE)
    assert tried.failures >= FAILURES_ALLOWED
    assert not tried.paused(NOW)
    assert heard(tried, Verdict.OK).state is OK
    assert heard(tried, Verdict.DESTINATION_BROKEN).state is BROKEN


def test_a_pause_ends_at_its_instant() -> None:
    paused = replace(SLOW, paused_until=NOW)
    assert paused.paused(NOW - SECOND)
    assert not paused.paused(NOW)
    assert not WELL.paused(NOW)
