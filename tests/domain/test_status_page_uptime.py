"""Uptime: what a second counts as, where a day ends, and how the percentage is cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.status_page.facts import Day
from incidentd.domain.status_page.uptime import WATCHING, midnight, observed, percent, spent, within
from incidentd.domain.status_page.words import Status

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def a_whole_day(day: date, status: Status = Status.OPERATIONAL) -> float:
    """Seconds that are counted for `day` when somebody looks once a minute, the neighbours included."""
    zone = ZoneInfo(BERLIN)
    at, end = (
        midnight(day, zone) - timedelta(hours=2),
        midnight(day + timedelta(days=1), zone) + timedelta(hours=2),
    )
    total = 0.0
    while at < end:
        total += sum(
            observed(found) for found in spent("api", status, at, at + MINUTE, BERLIN) if found.day == day
        )
        at += MINUTE
    return total


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 20), 24)]
)
def test_a_day_is_as_long_as_it_is_there(day: date, hours: int) -> None:
    assert a_whole_day(day) == hours * 3600


def test_time_is_cut_at_midnight_of_the_page() -> None:
    at = datetime(2026, 11, 20, 22, 59, 30, tzinfo=UTC)
    found = spent("api", Status.MAJOR, at, at + MINUTE, BERLIN)
    assert found == (Day("api", date(2026, 11, 20), major=30), Day("api", date(2026, 11, 21), major=30))


def test_time_in_which_nobody_watched_counts_for_nothing() -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert spent("api", Status.OPERATIONAL, at, at + WATCHING + timedelta(seconds=1), BERLIN) == ()
    assert spent("api", Status.OPERATIONAL, at, at - MINUTE, BERLIN) == ()
    assert spent("api", Status.OPERATIONAL, at, at, BERLIN) == ()
    assert len(spent("api", Status.OPERATIONAL, at, at + WATCHING, BERLIN)) == 1


DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([], None),
        ([Day("a", DAY, maintenance=86_400)], None),
        ([Day("a", DAY, operational=86_400)], 100.0),
        ([Day("a", DAY, operational=86_400, degraded=3_600, maintenance=9_999)], 100.0),
        ([Day("a", DAY, operational=99_999.0, major=1.0)], 99.99),
        ([Day("a", DAY, operational=9_999_999.0, major=1.0)], 99.99),
        ([Day("a", DAY, operational=50.0, major=50.0)], 50.0),
        ([Day("a", DAY, operational=90.0, partial=10.0)], 97.0),
        ([Day("a", DAY, major=86_400)], 0.0),
    ],
)
def test_the_percentage_is_cut_and_whole_only_if_nothing_was_down(
    days: list[Day], said: float | None
) -> None:
    assert percent(days, 0.3) == said


@given(
    st.lists(st.tuples(st.floats(0, 86_400), st.floats(0, 86_400), st.floats(0, 86_400)), max_size=5),
    st.floats(0, 1),
)
def test_it_is_a_percentage_whatever_happened(
    seconds: list[tuple[float, float, float]], weight: float
) -> None:
    days = [Day("a", DAY, operational=good, partial=half, major=bad) for good, half, bad in seconds]
    found = percent(days, weight)
    assert found is None or 0 <= found <= 100
    assert found != 100 or not any(bad for _, _, bad in seconds)


def test_a_window_has_today_and_the_days_before() -> None:
    days = [Day("a", DAY - timedelta(days=ago)) for ago in range(5)]
    assert [day.day for day in within(days, DAY, 3)] == [
        DAY,
        DAY - timedelta(days=1),
        DAY - timedelta(days=2),
    ]
