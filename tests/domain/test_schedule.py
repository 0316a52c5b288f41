"""Who is on duty: layers, hours, overrides, leave, and what is said about why and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incidentd.domain.schedule import Override, Schedule, Why, gaps, on_duty, shifts
from incidentd.domain.schedule_layer import Absence, Layer, Rotation

WEEKLY = Rotation(timedelta(weeks=1), local=True)
DAILY = Rotation(timedelta(days=1), local=True)
WORKDAYS = frozenset(range(5))
NINE, FIVE = timedelta(hours=9), timedelta(hours=17)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def layer(*users: str, name: str = "base", rotation: Rotation = WEEKLY, **rest: object) -> Layer:
    """Turns are written ``alice`` or, for two together, ``alice+bob``; from Monday the 5th, 09:00."""
    given: dict[str, object] = {"start": local("2026-01-05T09:00"), **rest}
    turns = tuple(tuple(user.split("+")) for user in users)
    return Layer(name=name, users=turns, rotation=rotation, **given)  # type: ignore[arg-type]


def schedule(*layers: Layer, absences: tuple[Absence, ...] = (), zone: str = "UTC") -> Schedule:
    return Schedule("primary", zone, layers, absences)


def override(number: int, user: str, start: str, end: str, of: str = "primary") -> Override:
    return Override(number, of, user, at(start), at(end))


@pytest.mark.parametrize(
    ("when", "people", "since", "until"),
    [
        ("2026-01-05T09:00", "alice", "2026-01-05T09:00", "2026-01-12T09:00"),
        ("2026-01-12T08:59", "alice", "2026-01-05T09:00", "2026-01-12T09:00"),
        ("2026-01-12T09:00", "bob", "2026-01-12T09:00", "2026-01-19T09:00"),
        ("2026-01-19T09:00", "carol", "2026-01-19T09:00", "2026-01-26T09:00"),
        ("2026-01-26T09:00", "alice", "2026-01-26T09:00", "2026-02-02T09:00"),
        ("2036-01-07T00:00", "carol", "2035-12-31T09:00", "2036-01-07T09:00"),
    ],
)
def test_a_weekly_rotation_hands_off_on_monday_at_nine(
    when: str, people: str, since: str, until: str
) -> None:
    duty = on_duty(schedule(layer("alice", "bob", "carol")), (), at(when))
    assert (duty.people, duty.why, duty.by) == ((people,), Why.LAYER, "base")
    assert (duty.since, duty.until) == (at(since), at(until))


def test_before_the_first_turn_nobody_is_on_duty_and_it_is_said_until_when() -> None:
    duty = on_duty(schedule(layer("alice", "bob")), (), at("2025-06-01"))
    assert (duty.people, duty.why, duty.by) == ((), Why.NOBODY, "")
    assert (duty.since, duty.until) == (None, at("2026-01-05T09:00"))


def test_a_schedule_without_layers_has_nobody_for_ever() -> None:
    duty = on_duty(schedule(), (), at("2026-01-05"))
    assert (duty.people, duty.since, duty.until) == ((), None, None)
    (gap,) = gaps(schedule(), (), at("2026-01-05"), at("2026-01-06"))
    assert (gap.since, gap.until) == (at("2026-01-05"), at("2026-01-06"))


def test_somebody_alone_hands_off_to_nobody() -> None:
    duty = on_duty(schedule(layer("alice")), (), at("2026-03-05"))
    assert (duty.people, duty.since, duty.until) == (("alice",), at("2026-01-05T09:00"), None)


def test_several_people_take_one_turn_together() -> None:
    duty = on_duty(schedule(layer("alice+bob", "carol")), (), at("2026-01-06"))
    assert duty.people == ("alice", "bob")


@pytest.mark.parametrize(
    ("rotation", "hours", "people"),
    [
        (Rotation(timedelta(hours=12), local=False), 11, "alice"),
        (Rotation(timedelta(hours=12), local=False), 12, "bob"),
        (Rotation(timedelta(hours=12), local=False), 24, "alice"),
        (Rotation(timedelta(days=3), local=True), 71, "alice"),
        (Rotation(timedelta(days=3), local=True), 72, "bob"),
        (Rotation(timedelta(weeks=2), local=True), 14 * 24 - 1, "alice"),
        (Rotation(timedelta(weeks=2), local=True), 14 * 24, "bob"),
    ],
)
def test_a_turn_is_as_long_as_its_rotation_says(rotation: Rotation, hours: int, people: str) -> None:
    plan = schedule(layer("alice", "bob", rotation=rotation))
    duty = on_duty(plan, (), at("2026-01-05T09:00") + timedelta(hours=hours))
    assert duty.people == (people,)


def test_a_later_layer_wins_while_it_has_somebody() -> None:
    office = layer("carol", name="office", days=WORKDAYS, opens=NINE, closes=FIVE)
    plan = schedule(layer("alice", "bob"), office)
    found = shifts(plan, (), at("2026-01-09T00:00"), at("2026-01-12T12:00"))
    assert [(each.people[0], each.by, each.since) for each in found] == [
        ("alice", "base", at("2026-01-09T00:00")),
        ("carol", "office", at("2026-01-09T09:00")),
        ("alice", "base", at("2026-01-09T17:00")),
        ("carol", "office", at("2026-01-12T09:00")),
    ]


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = layer(
        "alice", days=frozenset({4}), opens=timedelta(hours=18), closes=timedelta(hours=32), name="friday"
    )
    found = shifts(schedule(night), (), at("2026-01-08"), at("2026-01-12"))
    on = [(each.since, each.until) for each in found if each.people]
    assert on == [(at("2026-01-09T18:00"), at("2026-01-10T08:00"))]


def test_days_in_a_row_are_one_shift_and_so_is_the_time_between_them() -> None:
    plan = schedule(layer("alice", days=WORKDAYS))
    duty = on_duty(plan, (), at("2026-01-14T12:00"))
    assert (duty.since, duty.until) == (at("2026-01-12"), at("2026-01-17"))
    gap = on_duty(plan, (), at("2026-01-18T12:00"))
    assert (gap.people, gap.since, gap.until) == ((), at("2026-01-17"), at("2026-01-19"))


def test_a_layer_holds_from_and_until_but_turns_are_counted_from_the_start() -> None:
    plan = schedule(
        layer("alice", "bob", rotation=DAILY, since=local("2026-01-06T09:00"), until=local("2026-01-08"))
    )
    found = shifts(plan, (), at("2026-01-05"), at("2026-01-10"))
    assert [(each.people, each.since) for each in found] == [
        ((), at("2026-01-05")),
        (("bob",), at("2026-01-06T09:00")),
        (("alice",), at("2026-01-07T09:00")),
        ((), at("2026-01-08")),
    ]
    assert on_duty(plan, (), at("2026-02-01")).until is None


def test_a_gap_is_told_whole_even_where_a_layer_ends_inside_it() -> None:
    plan = schedule(layer("alice", days=WORKDAYS, until=local("2026-01-17T12:00")))
    gap = on_duty(plan, (), at("2026-01-17T06:00"))
    assert (gap.since, gap.until) == (at("2026-01-17"), None)


def test_an_override_wins_over_all_layers_for_its_time() -> None:
    known = (override(7, "dave", "2026-01-06T12:00", "2026-01-06T16:00"),)
    plan = schedule(layer("alice", "bob"))
    during = on_duty(plan, known, at("2026-01-06T12:00"))
    assert (during.people, during.why, during.by) == (("dave",), Why.OVERRIDE, "7")
    assert (during.since, during.until) == (at("2026-01-06T12:00"), at("2026-01-06T16:00"))
    before = on_duty(plan, known, at("2026-01-06T11:59"))
    assert (before.people, before.until) == (("alice",), at("2026-01-06T12:00"))
    after = on_duty(plan, known, at("2026-01-06T16:00"))
    assert (after.people, after.since) == (("alice",), at("2026-01-06T16:00"))


def test_of_two_overrides_the_newer_wins_and_those_of_other_schedules_do_not_count() -> None:
    known = (
        override(9, "erin", "2026-01-06T13:00", "2026-01-06T14:00"),
        override(7, "dave", "2026-01-06T12:00", "2026-01-06T16:00"),
        override(10, "frank", "2026-01-06T12:00", "2026-01-06T16:00", of="secondary"),
    )
    found = shifts(schedule(layer("alice")), known, at("2026-01-06T12:00"), at("2026-01-06T17:00"))
    assert [each.people[0] for each in found] == ["dave", "erin", "dave", "alice"]


def test_a_swap_is_two_overrides() -> None:
    known = (
        override(1, "bob", "2026-01-05T09:00", "2026-01-12T09:00"),
        override(2, "alice", "2026-01-12T09:00", "2026-01-19T09:00"),
    )
    found = shifts(schedule(layer("alice", "bob")), known, at("2026-01-05T09:00"), at("2026-01-26T09:00"))
    assert [each.people[0] for each in found] == ["bob", "alice", "alice"]


def test_who_is_on_leave_is_left_out_of_a_turn_and_the_layer_below_stands_in() -> None:
    away = (Absence("bob", at("2026-01-13"), at("2026-01-14")),)
    plan = schedule(layer("carol", name="below"), layer("alice", "bob"), absences=away)
    found = shifts(plan, (), at("2026-01-12T09:00"), at("2026-01-15"))
    assert [(each.people[0], each.by) for each in found] == [
        ("bob", "base"),
        ("carol", "below"),
        ("bob", "base"),
    ]
    together = schedule(layer("alice+bob"), absences=away)
    assert on_duty(together, (), at("2026-01-13T12:00")).people == ("alice",)
    assert on_duty(together, (), at("2026-01-12T12:00")).until == at("2026-01-13")


def test_overlapping_leave_is_one_gap_when_nobody_stands_in() -> None:
    away = (
        Absence("alice", at("2026-01-13"), at("2026-01-15")),
        Absence("alice", at("2026-01-14"), at("2026-01-16")),
    )
    plan = schedule(layer("alice"), absences=away)
    assert [(gap.since, gap.until) for gap in gaps(plan, (), at("2026-01-10"), at("2026-01-20"))] == [
        (at("2026-01-13"), at("2026-01-16"))
    ]
    # A person's own override counts all the same: they said so.
    known = (override(1, "alice", "2026-01-14T10:00", "2026-01-14T12:00"),)
    assert on_duty(plan, known, at("2026-01-14T11:00")).people == ("alice",)


def test_no_time_has_no_shifts() -> None:
    assert shifts(schedule(layer("alice")), (), at("2026-01-10"), at("2026-01-10")) == ()
