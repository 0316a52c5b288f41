"""Hours of the day: nights, weekends, and clocks that are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.hours import EVERY_DAY, Hours

BERLIN = "Europe/Berlin"
OFFICE = Hours(BERLIN, time(9), time(17), frozenset(range(5)))
NIGHT = Hours(BERLIN, time(22), time(7))
WEEKEND = Hours(BERLIN, time(0), time(0), frozenset({5, 6}))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "at", "hold"),
    [
        (OFFICE, "2026-11-20T08:00", True),
        (OFFICE, "2026-11-20T07:59", False),
        (OFFICE, "2026-11-20T16:00", False),
        (OFFICE, "2026-11-21T10:00", False),
        (NIGHT, "2026-11-20T21:00", True),
        (NIGHT, "2026-11-21T05:59", True),
        (NIGHT, "2026-11-21T06:00", False),
        (WEEKEND, "2026-11-20T23:00", True),
        (WEEKEND, "2026-11-22T22:59", True),
        (WEEKEND, "2026-11-22T23:00", False),
    ],
)
def test_hours_hold_by_the_clock_on_the_wall(hours: Hours, at: str, hold: bool) -> None:
    assert hours.hold(utc(at)) is hold
    other = Hours(hours.time_zone, hours.start, hours.end, hours.days, outside=True)
    assert other.hold(utc(at)) is not hold


@pytest.mark.parametrize(
    ("hours", "at", "over"),
    [
        (NIGHT, "2026-11-20T21:00", "2026-11-21T06:00"),
        (NIGHT, "2026-11-21T03:00", "2026-11-21T06:00"),
        (NIGHT, "2026-11-21T12:00", "2026-11-21T12:00"),
        (OFFICE, "2026-11-20T10:00", "2026-11-20T16:00"),
        (WEEKEND, "2026-11-21T10:00", "2026-11-22T23:00"),
        # The night in which clocks are put forward ends at seven as every other.
        (NIGHT, "2026-03-28T22:00", "2026-03-29T05:00"),
        (NIGHT, "2026-10-24T22:00", "2026-10-25T06:00"),
    ],
)
def test_quiet_hours_end_at_their_local_end(hours: Hours, at: str, over: str) -> None:
    assert hours.over(utc(at)) == utc(over)


@given(
    st.integers(0, 366 * 24 * 60).map(lambda minutes: utc("2026-01-01") + timedelta(minutes=minutes)),
    st.times(),
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Etc/UTC"]),
)
def test_hours_end_within_a_day_and_hold_no_more_then(
    at: datetime, start: time, end: time, zone: str
) -> None:
    start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    hours = Hours(zone, start, end, EVERY_DAY)
    over = hours.over(at)
    assert at <= over
    if start == end:
        assert hours.hold(at)
    elif hours.hold(at):
        assert over - at <= timedelta(hours=26)
