"""What becomes of a row after an attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.delivery.settle import decide, said
from incidentd.domain.notification import DeliveryClass, DeliveryState, Notice, Outcome, Verdict
from incidentd.store.deliveries import Delivery
from tests.delivery.cast import AMBIGUOUS, BROKEN, DISABLED, GONE, NOW, OK, REJECTED, RETRY

DELIVERY = Delivery(
    id=7,
    incident_id=3,
    channel="chat",
    target="#ops",
    notice=Notice.TRIGGERED,
    delivery_class=DeliveryClass.PAGE,
    episode=1,
    actor="source",
    comment="",
    state=DeliveryState.LEASED,
    attempts=1,
    not_before=NOW,
    created_at=NOW,
    sent_at=None,
    generation=4,
    minimal=False,
    last_error=None,
    reason=None,
)


def test_an_accepted_row_is_sent_and_has_no_error() -> None:
    settlement = decide(OK, DELIVERY, NOW, 0.5)
    assert (settlement.id, settlement.generation, settlement.state) == (7, 4, DeliveryState.SENT)
    assert (settlement.at, settlement.error, settlement.reason) == (NOW, None, None)


@pytest.mark.parametrize("outcome", [RETRY, AMBIGUOUS])
@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1.0), (2, 2.0), (6, 30.0), (50, 30.0)])
def test_a_temporary_failure_is_tried_again_with_a_growing_pause(
    outcome: Outcome, attempts: int, seconds: float
) -> None:
    settlement = decide(outcome, replace(DELIVERY, attempts=attempts), NOW, 0.5)
    assert settlement.state is DeliveryState.PENDING
    assert settlement.not_before - NOW == timedelta(seconds=seconds)
    assert settlement.error == said(outcome)


@pytest.mark.parametrize(("asked", "seconds"), [(None, 30), (timedelta(seconds=200), 200), (timedelta(), 1)])
def test_a_throttled_row_waits_as_long_as_asked_or_half_a_minute(
    asked: timedelta | None, seconds: float
) -> None:
    settlement = decide(Outcome(Verdict.THROTTLED, "http_429", "", asked), DELIVERY, NOW, 0.5)
    assert settlement.state is DeliveryState.PENDING
    assert settlement.not_before == NOW + timedelta(seconds=seconds)


def test_a_retry_honours_what_the_vendor_asked_for() -> None:
    settlement = decide(replace(RETRY, retry_after=timedelta(seconds=90)), DELIVERY, NOW, 0.0)
    assert settlement.not_before == NOW + timedelta(seconds=90)


def test_refused_content_is_said_once_more_in_short_at_once() -> None:
    settlement = decide(REJECTED, DELIVERY, NOW, 0.9)
    assert settlement.state is DeliveryState.PENDING
    assert settlement.minimal
    assert settlement.not_before == NOW


def test_content_refused_in_short_too_is_dead() -> None:
    settlement = decide(REJECTED, replace(DELIVERY, minimal=True, attempts=2), NOW, 0.5)
    assert settlement.state is DeliveryState.DEAD
    assert settlement.reason == "refused in its short form too: invalid_blocks: too many blocks"


@pytest.mark.parametrize("outcome", [GONE, DISABLED])
def test_what_nobody_receives_any_more_is_dead_at_once_and_says_why(outcome: Outcome) -> None:
    settlement = decide(outcome, DELIVERY, NOW, 0.5)
    assert settlement.state is DeliveryState.DEAD
    assert settlement.reason == f"{outcome.code}: {outcome.detail}"


@pytest.mark.parametrize("attempts", [1, 500])
def test_a_broken_destination_is_tried_every_minute(attempts: int) -> None:
    settlement = decide(BROKEN, replace(DELIVERY, attempts=attempts), NOW, 0.99)
    assert settlement.state is DeliveryState.PENDING
    assert settlement.not_before == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("outcome", [RETRY, AMBIGUOUS, BROKEN, Outcome(Verdict.THROTTLED, "http_429")])
def test_a_row_that_is_too_old_is_given_up(outcome: Outcome) -> None:
    young = replace(DELIVERY, created_at=NOW - timedelta(hours=23))
    old = replace(DELIVERY, created_at=NOW - timedelta(hours=24), attempts=9)
    assert decide(outcome, young, NOW, 0.5).state is DeliveryState.PENDING
    given_up = decide(outcome, old, NOW, 0.5)
    assert given_up.state is DeliveryState.DEAD
    assert given_up.reason is not None
    assert given_up.reason.startswith("given up after 9 attempts: ")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_consequence_and_no_pause_lies_in_the_past(verdict: Verdict) -> None:
    settlement = decide(Outcome(verdict, "code"), DELIVERY, NOW, 0.0)
    assert settlement.verdict == verdict.value
    assert settlement.not_before >= NOW


def test_an_error_holds_nothing_that_a_database_refuses_and_is_cut() -> None:
    text = said(Outcome(Verdict.RETRY, "x", "a\0b\ud800" + "c" * 1000))
    assert text.startswith("x: ab?c")
    assert len(text) == 300
