"""Properties of any schedule: every instant has one answer, shifts tile time, and both say the same."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.schedule import Override, Schedule, gaps, on_duty, shifts
from incidentd.domain.schedule_layer import Absence, Layer, Rotation
from incidentd.domain.schedule_time import instant, wall

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
CHANGES = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-03-29T01:00",  # Berlin, forward
        "2026-10-25T01:00",  # Berlin, back
        "2026-03-08T07:00",  # New York, forward
        "2026-11-01T06:00",  # New York, back
        "2026-04-04T15:00",  # Lord Howe, back by half an hour
        "2026-10-03T15:30",  # Lord Howe, forward by half an hour
    )
)
QUARTER = timedelta(minutes=15)
PEOPLE = st.sampled_from("abcd")

near = st.builds(
    lambda change, quarters: change + quarters * QUARTER, st.sampled_from(CHANGES), st.integers(-400, 400)
)
"""Instants within four days of a change of clocks."""
local = near.map(lambda found: found.replace(tzinfo=None))
rotations = st.one_of(
    st.integers(1, 9).map(lambda days: Rotation(timedelta(days=days), local=True)),
    st.integers(1, 60).map(lambda hours: Rotation(timedelta(hours=hours), local=False)),
)
quarters = st.integers(0, 95)
layers = st.builds(
    lambda users, rotation, start, days, opens, length: Layer(
        "layer",
        users,
        rotation,
        start - timedelta(days=20),
        days,
        opens * QUARTER,
        (opens + length) * QUARTER,
    ),
    st.lists(PEOPLE.map(lambda person: (person,)), min_size=1, max_size=4).map(tuple),
    rotations,
    local,
    st.frozensets(st.integers(0, 6), min_size=1),
    quarters,
    st.integers(1, 96),
)
overrides = st.builds(
    lambda number, user, start, length: Override(number, "p", user, start, start + length * QUARTER),
    st.integers(1, 99),
    PEOPLE,
    near,
    st.integers(1, 400),
)
absences = st.builds(
    lambda user, start, length: Absence(user, start, start + length * QUARTER),
    PEOPLE,
    near,
    st.integers(1, 400),
)
schedules = st.builds(
    lambda zone, stack, away: Schedule("p", zone, tuple(stack), tuple(away)),
    st.sampled_from(ZONES),
    st.lists(layers, max_size=3),
    st.lists(absences, max_size=2),
)


@given(schedules, st.lists(overrides, max_size=3, unique_by=lambda each: each.id), near)
def test_an_answer_holds_at_every_instant_of_its_time_and_at_none_outside(
    plan: Schedule, known: list[Override], at: datetime
) -> None:
    duty = on_duty(plan, known, at)
    assert duty.since is None or duty.since <= at
    assert duty.until is None or at < duty.until
    moment = timedelta(microseconds=1)
    edges = [duty.since, duty.until - moment if duty.until else None]
    for edge in edges:
        assert edge is None or on_duty(plan, known, edge) == duty
    if duty.until is not None:
        assert on_duty(plan, known, duty.until) != duty
    if duty.since is not None:
        assert on_duty(plan, known, duty.since - moment) != duty


@given(schedules, st.lists(overrides, max_size=3, unique_by=lambda each: each.id), near, st.integers(1, 900))
def test_shifts_tile_time_and_agree_with_every_instant(
    plan: Schedule, known: list[Override], start: datetime, length: int
) -> None:
    end = start + length * QUARTER
    found = shifts(plan, known, start, end)
    assert (found[0].since, found[-1].until) == (start, end)
    for sooner, later in pairwise(found):
        assert sooner.until == later.since
        # Two gaps in a row would be one.
        assert sooner.people or later.people
    for each in found:
        assert each.since is not None
        assert each.until is not None
        middle = each.since + (each.until - each.since) / 2
        for at in (each.since, middle):
            duty = on_duty(plan, known, at)
            assert (duty.people, duty.why, duty.by) == (each.people, each.why, each.by)
    assert gaps(plan, known, start, end) == tuple(each for each in found if not each.people)


@given(layers, st.sampled_from(ZONES), near)
def test_a_layer_has_somebody_exactly_at_its_hours(layer: Layer, zone_name: str, at: datetime) -> None:
    zone = ZoneInfo(zone_name)
    duty = on_duty(Schedule("p", zone_name, (layer,)), (), at)
    # Judged by the clock on the wall: the hours that began today or yesterday hold now.
    open_now = False
    for back in (0, 1):
        midnight = datetime.combine(wall(at, zone).date() - timedelta(days=back), time())
        begins, ends = instant(midnight + layer.opens, zone), instant(midnight + layer.closes, zone)
        open_now |= midnight.weekday() in layer.days and begins <= at < ends
    assert bool(duty.people) == (open_now and at >= instant(layer.start, zone))


@given(st.sampled_from(ZONES), local, st.integers(0, 200))
def test_a_later_local_time_is_never_an_earlier_instant(
    zone_name: str, sooner: datetime, minutes: int
) -> None:
    zone = ZoneInfo(zone_name)
    assert instant(sooner, zone) <= instant(sooner + timedelta(minutes=minutes), zone)


@given(st.sampled_from(ZONES), near)
def test_what_clocks_show_at_an_instant_is_that_instant_or_the_same_time_before_it(
    zone_name: str, at: datetime
) -> None:
    zone = ZoneInfo(zone_name)
    first = instant(wall(at, zone), zone)
    assert first <= at
    assert wall(first, zone) == wall(at, zone)
