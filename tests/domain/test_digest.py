"""When the next digest leaves: days, and clocks that are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.digest import Digest
from incidentd.domain.hours import EVERY_DAY

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
WEEKDAYS = frozenset(range(5))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "now", "expected"),
    [
        (EVERY_DAY, "2026-11-20T06:59:59", "2026-11-20T07:00"),
        # What happens in that very instant is for the next one: that one is leaving.
        (EVERY_DAY, "2026-11-20T07:00", "2026-11-21T07:00"),
        (WEEKDAYS, "2026-11-20T07:00", "2026-11-23T07:00"),
        (frozenset({4}), "2026-11-20T07:00", "2026-11-27T07:00"),
        (frozenset({4}), "2026-11-20T06:59", "2026-11-20T07:00"),
        # Late in the evening of New York it is the next day in Berlin.
        (frozenset({5}), "2026-11-20T23:30", "2026-11-21T07:00"),
    ],
)
def test_it_leaves_on_its_days(days: frozenset[int], now: str, expected: str) -> None:
    assert Digest(BERLIN, time(8), frozenset(), days).following(utc(now)) == utc(expected)


@pytest.mark.parametrize(
    ("zone", "at", "since", "expected"),
    [
        # Three in a row; clocks change before or at the second.
        (BERLIN, time(8), "2026-03-28T00:00", ["03-28T07:00", "03-29T06:00", "03-30T06:00"]),
        (BERLIN, time(2, 30), "2026-03-28T00:00", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]),
        (BERLIN, time(8), "2026-10-24T00:00", ["10-24T06:00", "10-25T07:00", "10-26T07:00"]),
        (BERLIN, time(2, 30), "2026-10-24T00:00", ["10-24T00:30", "10-25T00:30", "10-26T01:30"]),
        (NEW_YORK, time(2, 30), "2026-03-07T06:00", ["03-07T07:30", "03-08T07:00", "03-09T06:30"]),
        (NEW_YORK, time(1, 30), "2026-10-31T05:00", ["10-31T05:30", "11-01T05:30", "11-02T06:30"]),
        (LORD_HOWE, time(2, 15), "2026-10-02T15:00", ["10-02T15:45", "10-03T15:30", "10-04T15:15"]),
        (LORD_HOWE, time(1, 45), "2026-04-03T14:00", ["04-03T14:45", "04-04T14:45", "04-05T15:15"]),
    ],
)
def test_where_clocks_change_there_is_one_a_day(zone: str, at: time, since: str, expected: list[str]) -> None:
    digest, now, found = Digest(zone, at, frozenset()), utc(since), []
    for _ in expected:
        now = digest.following(now)
        found.append(now)
    assert found == [utc(f"2026-{text}") for text in expected]


@given(
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "Pacific/Apia", "Etc/UTC"]),
    at=st.times().map(lambda t: t.replace(second=0, microsecond=0, fold=0)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    now=st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),  # noqa: DTZ001
)
def test_none_is_left_out_and_none_comes_twice(
    zone: str, at: time, days: frozenset[int], now: datetime
) -> None:
    digest = Digest(zone, at, frozenset(), days)
    due = digest.following(now)
    assert now < due <= now + timedelta(days=9)
    assert due.astimezone(ZoneInfo(zone)).weekday() in days or zone == "Pacific/Apia"
    between = now + (due - now) / 2
    assert digest.following(between) == due
    assert digest.following(due) > due
