"""How many messages a target takes now."""

from datetime import timedelta

import pytest

from incidentd.channels.base import Rate
from incidentd.clock import FixedClock
from incidentd.delivery.bucket import Buckets
from tests.delivery.cast import NOW


def buckets(per_second: float = 1, burst: int = 3) -> tuple[Buckets, FixedClock]:
    clock = FixedClock(NOW)
    return Buckets(clock, Rate(per_second, burst)), clock


def wait(clock: FixedClock, seconds: float) -> None:
    clock.set(clock.now() + timedelta(seconds=seconds))


def test_without_a_rate_there_is_always_room() -> None:
    free = Buckets(FixedClock(NOW), None)
    free.take("#ops", 10_000)
    assert free.tokens("#ops") > 100_000
    assert (free.exhausted(), free.pause()) == ([], None)


@pytest.mark.parametrize(
    ("taken", "seconds", "left"),
    [(0, 0, 3), (1, 0, 2), (3, 0, 0), (3, 0.9, 0), (3, 1, 1), (3, 2.5, 2), (3, 60, 3), (1, 60, 3)],
)
def test_a_target_takes_a_burst_and_then_so_many_a_second(taken: int, seconds: float, left: int) -> None:
    found, clock = buckets()
    found.take("#ops", taken)
    wait(clock, seconds)
    assert found.tokens("#ops") == left


def test_each_target_has_a_bucket_of_its_own() -> None:
    found, _ = buckets()
    found.take("#ops", 3)
    assert (found.tokens("#ops"), found.tokens("#other")) == (0, 3)
    assert found.exhausted() == ["#ops"]


def test_what_two_pumps_took_together_is_owed() -> None:
    found, clock = buckets()
    found.take("#ops", 3)
    found.take("#ops", 2)
    assert found.tokens("#ops") == 0
    assert found.exhausted() == ["#ops"]
    assert found.pause() == pytest.approx(3)
    wait(clock, 2)
    assert found.exhausted() == ["#ops"]
    wait(clock, 1)
    assert (found.tokens("#ops"), found.exhausted(), found.pause()) == (1, [], None)


def test_the_pause_is_until_the_first_target_takes_something() -> None:
    found, clock = buckets(per_second=0.5, burst=2)
    found.take("#ops", 2)
    wait(clock, 1)
    found.take("#other", 2)
    assert sorted(found.exhausted()) == ["#ops", "#other"]
    assert found.pause() == pytest.approx(1)


def test_full_buckets_are_forgotten() -> None:
    found, clock = buckets()
    for number in range(100):
        found.take(f"mail-{number}")
    wait(clock, 1)
    assert found.exhausted() == []
    assert found._left == {}


def test_many_small_steps_of_the_clock_lose_nothing() -> None:
    found, clock = buckets()
    found.take("#ops", 3)
    for _ in range(10):
        wait(clock, 0.1)
        found.exhausted()
    assert found.tokens("#ops") == 1


@pytest.mark.parametrize(
    ("burst", "taken", "left"), [(3, 0, 2), (3, 1, 1), (3, 2, 0), (3, 3, 0), (1, 0, 1), (1, 1, 0)]
)
def test_the_last_message_can_be_left_for_others_but_not_the_only_one(
    burst: int, taken: int, left: int
) -> None:
    found, _ = buckets(burst=burst)
    found.take("#ops", taken)
    assert found.tokens("#ops", spare=1) == left
    assert (found.exhausted(spare=1) == ["#ops"]) == (not left)
