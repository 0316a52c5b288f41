"""Retries: spread out, never before the destination allows it, and not for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.notification import DeliveryClass
from incidentd.domain.retry import MAX_RETRY_AFTER, POLICIES, RetryPolicy, give_up, next_attempt

PAGE = POLICIES[DeliveryClass.PAGE]
CLOSE = POLICIES[DeliveryClass.CLOSE]
QUARTER = timedelta(milliseconds=250)
ALMOST_ONE = 1 - 2**-53

policies = st.sampled_from(list(POLICIES.values()))
attempts_made = st.integers(1, 10_000)
jitters = st.floats(0, 1, exclude_max=True)
waits = st.timedeltas(timedelta(days=-1), timedelta(days=3))


@pytest.mark.parametrize(
    ("delivery_class", "base", "cap", "max_age"),
    [
        (DeliveryClass.PAGE, 2, 60, 24 * 3600),
        (DeliveryClass.CLOSE, 5, 300, 24 * 3600),
        (DeliveryClass.STATE, 5, 300, 6 * 3600),
        (DeliveryClass.LOG, 5, 300, 6 * 3600),
        (DeliveryClass.META, 5, 300, 6 * 3600),
    ],
)
def test_each_class_has_its_own_patience(
    delivery_class: DeliveryClass, base: int, cap: int, max_age: int
) -> None:
    policy = POLICIES[delivery_class]
    assert policy.base == timedelta(seconds=base)
    assert policy.cap == timedelta(seconds=cap)
    assert policy.max_age == timedelta(seconds=max_age)


def test_no_class_is_without_a_policy() -> None:
    assert set(POLICIES) == set(DeliveryClass)


@pytest.mark.parametrize(
    ("attempts", "jitter", "seconds"),
    [(1, 0.5, 1), (2, 0.5, 2), (3, 0.5, 4), (5, 0.5, 16), (6, 0.5, 30), (10_000, 0.5, 30), (1, 0.0, 0.25)],
)
def test_the_range_of_the_delay_doubles_up_to_the_cap(attempts: int, jitter: float, seconds: float) -> None:
    assert next_attempt(PAGE, attempts, None, jitter) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (timedelta(seconds=-5), timedelta(seconds=2.5)),
        (timedelta(seconds=1), timedelta(seconds=2.5)),
        (timedelta(seconds=90), timedelta(seconds=90)),
        (timedelta(days=2), MAX_RETRY_AFTER),
    ],
)
def test_the_destination_is_not_bothered_before_it_allows_it_nor_believed_beyond_an_hour(
    asked: timedelta, expected: timedelta
) -> None:
    assert next_attempt(CLOSE, 1, asked, 0.5) == expected


def test_a_wait_that_uses_up_all_patience_leaves_no_next_attempt() -> None:
    hasty = replace(PAGE, max_age=timedelta(hours=1))
    assert next_attempt(hasty, 1, timedelta(hours=1), 0.5) is None
    assert next_attempt(hasty, 1, timedelta(minutes=59), 0.5) == timedelta(minutes=59)


@given(attempts_made, st.none() | waits, jitters)
def test_a_page_is_never_retried_within_a_quarter_of_a_second(
    attempts: int, asked: timedelta | None, jitter: float
) -> None:
    delay = next_attempt(PAGE, attempts, asked, jitter)
    assert delay is None or delay >= QUARTER


@given(policies, attempts_made, jitters)
def test_without_a_wish_of_the_destination_the_delay_stays_between_floor_and_cap(
    policy: RetryPolicy, attempts: int, jitter: float
) -> None:
    delay = next_attempt(policy, attempts, None, jitter)
    assert delay is not None
    assert policy.floor <= delay <= policy.cap


@given(policies, attempts_made, jitters, waits)
def test_a_wish_is_granted_up_to_an_hour_and_never_shortens_the_delay(
    policy: RetryPolicy, attempts: int, jitter: float, asked: timedelta
) -> None:
    plain = next_attempt(policy, attempts, None, jitter)
    delay = next_attempt(policy, attempts, asked, jitter)
    assert plain is not None
    expected = max(plain, min(asked, MAX_RETRY_AFTER))
    assert delay == (None if expected >= policy.max_age else expected)


@given(policies, st.integers(1, 100))
def test_the_worst_case_never_shrinks_from_one_attempt_to_the_next(
    policy: RetryPolicy, attempts: int
) -> None:
    now = next_attempt(policy, attempts, None, ALMOST_ONE)
    later = next_attempt(policy, attempts + 1, None, ALMOST_ONE)
    assert now is not None
    assert later is not None
    assert later >= now


@pytest.mark.parametrize(
    ("attempts", "jitter"), [(0, 0.5), (-1, 0.5), (1, 1.0), (1, -0.1), (1, float("nan"))]
)
def test_arguments_out_of_range_are_refused(attempts: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="accepted are attempts >= 1"):
        next_attempt(PAGE, attempts, None, jitter)


@pytest.mark.parametrize(
    "change",
    [
        {"base": timedelta(0), "floor": timedelta(0)},
        {"floor": timedelta(seconds=-1)},
        {"floor": timedelta(seconds=3)},
        {"cap": timedelta(seconds=1)},
        {"max_age": timedelta(seconds=59)},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError, match="accepted is 0 <= floor <= base"):
        replace(PAGE, **change)


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(0), False), (timedelta(hours=23, minutes=59), False), (timedelta(hours=24), True)],
)
def test_a_page_is_given_up_after_a_day(age: timedelta, *, expected: bool) -> None:
    assert give_up(PAGE, age) is expected
