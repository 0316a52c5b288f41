"""When a window holds, through clock changes and recurrences, and whom it keeps quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incidentd.domain.maintenance import Calendar, Span, Window, covering, covering_all, plan, span
from incidentd.domain.matcher import parse_matcher

HOUR = timedelta(hours=1)
BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_one_that_is_once_holds_from_its_start_until_just_before_its_end() -> None:
    once = plan(wall("2026-11-21T22:00"), 2 * HOUR, BERLIN, None)
    found = span(once, utc("2026-11-01"))
    assert found == Span(utc("2026-11-21T21:00"), utc("2026-11-21T23:00"))
    assert [found.holds(utc(f"2026-11-21T{at}")) for at in ("20:59", "21:00", "22:59", "23:00")] == [
        False,
        True,
        True,
        False,
    ]
    assert span(once, utc("2026-11-21T23:00")) is None


def test_a_start_with_an_offset_is_put_on_the_windows_own_clock() -> None:
    assert plan(utc("2026-11-21T21:00"), HOUR, BERLIN, None).starts == wall("2026-11-21T22:00")


@pytest.mark.parametrize(
    ("now", "starts"),
    [
        ("2027-03-15T00:00", "2027-03-21T01:30"),  # 02:30 in winter
        ("2027-03-22T00:00", "2027-03-28T01:30"),  # 02:30 does not exist: an hour later
        ("2027-03-29T00:00", "2027-04-04T00:30"),  # 02:30 in summer
        ("2027-10-27T00:00", "2027-10-31T00:30"),  # 02:30 twice: the first of them
        ("2027-04-04T01:00", "2027-04-04T00:30"),  # it holds
    ],
)
def test_a_recurring_one_keeps_its_hour_when_the_clocks_change(now: str, starts: str) -> None:
    sundays = plan(wall("2027-01-03T02:30"), HOUR, BERLIN, "FREQ=WEEKLY;BYDAY=SU")
    found = span(sundays, utc(now))
    assert found == Span(utc(starts), utc(starts) + HOUR)


def test_a_recurring_one_ends_with_its_rule() -> None:
    twice = plan(wall("2027-01-03T02:00"), HOUR, "Etc/UTC", "FREQ=DAILY;COUNT=2")
    assert span(twice, utc("2027-01-04T02:59")) is not None
    assert span(twice, utc("2027-01-04T03:00")) is None


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MINUTELY",
        "FREQ=DAILY;BYHOUR=3",
        "BYDAY=SU",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYSETPOS=3;BYDAY=MO",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;UNTIL=20200101T000000",
        "FREQ=DAILY\nRDATE:20270101",
        "every sunday",
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"rule|never|needs|takes"):
        plan(wall("2027-01-03T02:00"), HOUR, BERLIN, rule)


@pytest.mark.parametrize("length", [timedelta(), -HOUR, timedelta(days=91)])
def test_a_window_lasts_longer_than_nothing_and_not_for_ever(length: timedelta) -> None:
    with pytest.raises(ValueError, match="must last"):
        plan(wall("2027-01-03T02:00"), length, BERLIN, None)


def test_the_calendar_says_what_the_plan_says_whichever_way_the_clock_goes() -> None:
    sundays = plan(wall("2027-01-03T02:30"), HOUR, BERLIN, "FREQ=WEEKLY;BYDAY=SU")
    calendar = Calendar()
    for day in (1, 9, 10, 2, 25, 3, 17):
        for hour in (0, 1, 2, 3):
            now = utc(f"2027-01-{day:02}T{hour:02}:30")
            assert calendar.span(sundays, now) == span(sundays, now)


def test_an_incident_is_covered_only_if_each_of_its_alerts_is() -> None:
    once = plan(wall("2026-11-21T22:00"), HOUR, BERLIN, None)
    db = Window("db", (parse_matcher('service="db"'),), once)
    web = Window("web", (parse_matcher('service="web"'),), once)
    windows = (db, web)
    assert covering(windows, {"service": "web"}) == "web"
    assert covering(windows, {"service": "api"}) is None
    assert covering_all(windows, [{"service": "web"}, {"service": "db"}]) == "web"
    assert covering_all(windows, [{"service": "web"}, {"service": "api"}]) is None
    assert covering_all(windows, []) is None
