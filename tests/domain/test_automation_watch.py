"""Whether the runs of another daemon are under way, by one's own clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incidentd.domain.automation_watch import Sign, Watch

LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)


def sign(beats: int) -> dict[int, Sign]:
    """Run 1 after so many signs of life, by a clock that is decades off."""
    return {1: (1, LONG_AGO + timedelta(seconds=beats))}


def watched(*beats: int, every: float = 5) -> Watch:
    """One look every so many seconds; each sees that many signs of life."""
    watch = Watch()
    for n, seen in enumerate(beats):
        watch = watch.after(sign(seen), 1000 + n * every)
    return watch


def test_whoever_gives_signs_of_life_is_alive_whatever_its_clock_says() -> None:
    assert watched(*range(100)).silent == {}


def test_whoever_gives_none_for_a_minute_is_not() -> None:
    assert watched(*[7] * 13).silent == {}
    assert watched(*[7] * 14).silent == sign(7)
    assert watched(*[7] * 12, 8, 8).silent == {}


def test_after_a_gap_of_its_own_it_has_to_look_for_another_minute() -> None:
    watch = watched(*[7] * 12).after(sign(7), 5000)
    assert watch.silent == {}
    for n in range(1, 14):
        watch = watch.after(sign(7), 5000 + n * 5)
    assert watch.silent == sign(7)


def test_what_is_over_or_has_begun_again_is_another_matter() -> None:
    assert watched(*[7] * 14).after({}, 1070).silent == {}
    assert watched(*[7] * 14).after({1: (2, LONG_AGO)}, 1070).silent == {}
