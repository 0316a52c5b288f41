"""Hand-offs where clocks are changed, in both directions and in three zones; one changes by half an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from incidentd.domain.schedule import Schedule, on_duty, shifts
from incidentd.domain.schedule_layer import Layer, Rotation
from incidentd.domain.schedule_time import instant, wall

DAILY = Rotation(timedelta(days=1), local=True)
HALF = timedelta(hours=12)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        # Spring: the time does not exist, and it is the first instant after the gap.
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),
        # A whole day was skipped when the date line moved.
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),
        # Autumn: the time is there twice, and it is the first of both.
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        # Any other day.
        ("Europe/Berlin", "2026-07-01T02:30", "2026-07-01T00:30"),
        ("Europe/Berlin", "2026-03-29T01:59:59.5", "2026-03-29T00:59:59.5"),
        ("Europe/Berlin", "2026-03-29T02:30:00.5", "2026-03-29T01:00"),
    ],
)
def test_a_local_time_is_one_instant(zone: str, local: str, expected: str) -> None:
    assert instant(datetime.fromisoformat(local), ZoneInfo(zone)) == utc(expected)


@pytest.mark.parametrize(
    ("zone", "handoff", "days"),
    [
        # Hand-offs of five days in a row, in UTC; the clocks change on the third.
        (
            "Europe/Berlin",
            "2026-03-27T02:30",
            ["03-27T01:30", "03-28T01:30", "03-29T01:00", "03-30T00:30", "03-31T00:30"],
        ),
        (
            "Europe/Berlin",
            "2026-10-23T02:30",
            ["10-23T00:30", "10-24T00:30", "10-25T00:30", "10-26T01:30", "10-27T01:30"],
        ),
        (
            "America/New_York",
            "2026-03-06T02:30",
            ["03-06T07:30", "03-07T07:30", "03-08T07:00", "03-09T06:30", "03-10T06:30"],
        ),
        (
            "America/New_York",
            "2026-10-30T01:30",
            ["10-30T05:30", "10-31T05:30", "11-01T05:30", "11-02T06:30", "11-03T06:30"],
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-02T02:15",
            ["10-01T15:45", "10-02T15:45", "10-03T15:30", "10-04T15:15", "10-05T15:15"],
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-03T01:45",
            ["04-02T14:45", "04-03T14:45", "04-04T14:45", "04-05T15:15", "04-06T15:15"],
        ),
    ],
)
def test_a_daily_hand_off_keeps_its_local_time_and_happens_once_a_day(
    zone: str, handoff: str, days: list[str]
) -> None:
    start = datetime.fromisoformat(handoff)
    plan = Schedule("p", zone, (Layer("l", (("a",), ("b",), ("c",)), DAILY, start),))
    begin = instant(start, ZoneInfo(zone))
    found = shifts(plan, (), begin, begin + timedelta(days=4, hours=12))
    assert [each.since for each in found] == [utc(f"2026-{day}") for day in days]
    assert [each.people[0] for each in found] == ["a", "b", "c", "a", "b"]


def test_a_weekly_hand_off_stays_at_nine_all_year() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat("2026-01-05T09:00")
    weekly = Rotation(timedelta(weeks=1), local=True)
    plan = Schedule("p", zone.key, (Layer("l", (("a",), ("b",)), weekly, start),))
    found = shifts(plan, (), instant(start, zone), utc("2027-01-04T08:00"))
    assert len(found) == 52
    assert {(each.since or start).astimezone(zone).strftime("%a %H:%M") for each in found} == {"Mon 09:00"}
    assert [each.people[0] for each in found] == ["a", "b"] * 26


def test_a_rotation_of_hours_counts_hours_that_pass_so_its_hand_off_moves() -> None:
    zone = ZoneInfo("Europe/Berlin")
    layer = Layer(
        "l", (("a",), ("b",)), Rotation(HALF, local=False), datetime.fromisoformat("2026-03-28T08:00")
    )
    found = shifts(Schedule("p", zone.key, (layer,)), (), utc("2026-03-28T07:00"), utc("2026-03-30T07:00"))
    begins = [each.since for each in found if each.since is not None]
    assert {later - sooner for sooner, later in pairwise(begins)} == {HALF}
    assert [wall(begin, zone).hour for begin in begins] == [8, 20, 9, 21]


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 13), ("2026-03-27", 14), ("2026-10-24", 15)],
)
def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    night = Layer(
        "night",
        (("a",),),
        DAILY,
        datetime.fromisoformat("2026-01-01"),
        opens=timedelta(hours=18),
        closes=timedelta(hours=32),
    )
    evening = instant(datetime.fromisoformat(f"{day}T18:00"), zone)
    duty = on_duty(Schedule("p", zone.key, (night,)), (), evening + timedelta(hours=3))
    assert duty.since == evening
    assert duty.until is not None
    assert duty.until - evening == timedelta(hours=hours)


def test_hours_that_are_skipped_in_spring_do_not_happen_that_day() -> None:
    layer = Layer(
        "maintenance",
        (("a",),),
        DAILY,
        datetime.fromisoformat("2026-01-01"),
        days=frozenset({6}),
        opens=timedelta(hours=2),
        closes=timedelta(hours=3),
    )
    plan = Schedule("p", "Europe/Berlin", (layer,))
    found = shifts(plan, (), utc("2026-03-22T00:00"), utc("2026-04-06T00:00"))
    on = [each.since for each in found if each.people]
    assert on == [utc("2026-03-22T01:00"), utc("2026-04-05T00:00")]


def test_a_hand_off_in_the_hour_that_comes_twice_is_not_taken_back_when_it_comes_again() -> None:
    layer = Layer("l", (("a",), ("b",)), DAILY, datetime.fromisoformat("2026-10-24T02:30"))
    plan = Schedule("p", "Europe/Berlin", (layer,))
    # 02:15 for the second time: the hand-off was at 02:30 for the first time.
    duty = on_duty(plan, (), utc("2026-10-25T01:15"))
    assert (duty.people, duty.since) == (("b",), utc("2026-10-25T00:30"))
    assert on_duty(plan, (), utc("2026-10-25T00:15")).people == ("a",)
