"""What is called mapped means the same: our engine and OnCall's rule put the same people on duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.config.schedules import Schedule
from incidentd.domain.schedule import on_duty
from incidentd.domain.schedule_time import instant
from incidentd.importing import Imported
from incidentd.importing.report import Outcome
from tests.importing import oracle
from tests.importing.support import entry, imported, shift, team

WEEKLY = shift(
    "rolling_users",
    "2026-01-05T09:00:00",
    7 * 24,
    frequency="weekly",
    interval=1,
    week_start="MO",
    rolling_users=[["ALICE"], ["BOB"], ["CAROL", "DAVE"]],
    start_rotation_from_user_index=1,
)


def people(found: Imported, at: datetime) -> frozenset[str]:
    """Who is on duty in the imported schedule; `at` with or without a zone (then Berlin's)."""
    plan = Schedule.model_validate(found.config["schedules"]["duty"]).plan("duty", {}, {})
    aware = at if at.tzinfo is not None else instant(at, ZoneInfo(plan.time_zone))
    return frozenset(on_duty(plan, (), aware).people)


@pytest.mark.parametrize(
    ("at", "who"),
    [
        # By hand: turns of a week from Monday 2026-01-05 09:00 in Berlin, beginning with the second: bob, carol and
        # dave, alice. Monday 2026-03-23 is 11 weeks later (11 % 3 = 2: alice), clocks go forward on the 29th.
        ("2026-01-05T08:59:59+01:00", ""),
        ("2026-01-05T09:00:00+01:00", "bob"),
        ("2026-01-12T07:59:59+00:00", "bob"),
        ("2026-01-12T08:00:00+00:00", "carol dave"),
        ("2026-01-19T09:00:00+01:00", "alice"),
        ("2026-01-26T09:00:00+01:00", "bob"),
        ("2026-03-29T00:59:59+00:00", "alice"),
        ("2026-03-29T01:00:00+00:00", "alice"),
        ("2026-03-30T06:59:59+00:00", "alice"),
        ("2026-03-30T07:00:00+00:00", "bob"),
        # Monday 2026-10-19 is 41 weeks later (41 % 3 = 2: alice), clocks go back on the 25th.
        ("2026-10-25T01:30:00+00:00", "alice"),
        ("2026-10-26T07:59:59+00:00", "alice"),
        ("2026-10-26T08:00:00+00:00", "bob"),
    ],
)
def test_a_weekly_rotation_has_the_same_people_also_when_clocks_are_changed(at: str, who: str) -> None:
    found = imported(team(WEEKLY))
    assert people(found, datetime.fromisoformat(at)) == frozenset(who.split())
    assert entry(found, "O1").outcome is Outcome.MAPPED


DAY_SETS = st.none() | st.sets(st.sampled_from(list(oracle.DAYS)), min_size=1).map(sorted)


@st.composite
def shifts(draw: st.DrawFn) -> dict[str, Any]:
    """Any shift without months: what OnCall's API takes."""
    frequency = draw(st.sampled_from(["hourly", "daily", "weekly"]))
    hours = draw(st.sampled_from([0.5, 1, 8, 12, 14, 24, 36, 62, 48, 168, 336]))
    start = datetime(2026, 1, 1) + timedelta(hours=draw(st.integers(0, 24 * 14)))  # noqa: DTZ001 - local
    by_day = draw(DAY_SETS) if frequency != "hourly" else None
    names = list(oracle.DAYS)
    if by_day and names[start.weekday()] not in by_day:
        by_day = sorted({*by_day, names[start.weekday()]})
    kind = draw(st.sampled_from(["recurrent_event", "rolling_users"]))
    turns = draw(
        st.sampled_from([[["A"]], [["A"], ["B"]], [["A"], ["B", "C"], ["D"]], [["A"], ["B"], ["A"]]])
    )
    who: dict[str, Any] = {"users": ["A", "B"]}
    if kind == "rolling_users":
        who = {"rolling_users": turns}
        first = draw(st.integers(0, len(turns) - 1))
        who |= {"start_rotation_from_user_index": first}
    interval = draw(st.sampled_from([1, 1, 1, 2, 7, 12]))
    if kind == "rolling_users" and frequency == "daily" and by_day and interval > len(by_day):
        interval = 1  # OnCall's serializer refuses more
    rule = {"frequency": frequency, "interval": interval, "by_day": by_day}
    return shift(kind, start.isoformat(), hours, week_start=draw(st.sampled_from(names)), **rule, **who)


@settings(max_examples=300, deadline=None)
@given(shifts(), st.lists(st.integers(0, 60 * 24 * 7 * 10), min_size=30, max_size=30))
def test_whatever_is_mapped_puts_the_same_people_on_duty_at_any_time(
    one: dict[str, Any], minutes: list[int]
) -> None:
    found = imported(team(one, zone="UTC"))
    outcome = entry(found, "O1").outcome
    for minute in minutes:
        at = datetime.fromisoformat(one["start"]) + timedelta(minutes=minute)
        expected = frozenset(user.lower() for user in oracle.on_duty(one, at))
        if outcome is Outcome.MAPPED:
            assert people(found, at) == expected, at
        elif outcome is Outcome.APPROXIMATED and len(expected) > 0:
            # One of those whom OnCall tells, where it tells several turns.
            assert people(found, at) & expected, at


@pytest.mark.parametrize("month", range(1, 13))
def test_day_and_night_shifts_keep_their_hours_all_year(month: int) -> None:
    nights = shift(
        "rolling_users",
        "2026-01-01T18:00:00",
        14,
        frequency="daily",
        interval=1,
        rolling_users=[["A"], ["B"]],
        start_rotation_from_user_index=0,
    )
    found = imported(team(nights))
    for day in range(1, 29):
        for hour in (0, 7, 8, 17, 18, 23):
            at = datetime(2026, month, day, hour)  # noqa: DTZ001 - local
            assert people(found, at) == frozenset(user.lower() for user in oracle.on_duty(nights, at))


def test_every_second_week_of_two_people_is_one_rotation() -> None:
    rule = {"frequency": "weekly", "interval": 2, "week_start": "MO", "by_day": ["MO", "WE"]}
    one = shift("recurrent_event", "2026-01-05T20:00:00", 10, users=["A"], **rule)
    other = {**shift("recurrent_event", "2026-01-12T20:00:00", 10, users=["B"], **rule), "id": "O2"}
    found = imported(team(one, other))
    assert len(found.config["schedules"]["duty"]["layers"]) == 1
    for hours in range(0, 24 * 7 * 6, 3):
        at = datetime(2026, 6, 1) + timedelta(hours=hours)  # noqa: DTZ001 - local
        both = oracle.on_duty(one, at) | oracle.on_duty(other, at)
        assert people(found, at) == frozenset(user.lower() for user in both)
