"""How people are reached: by urgency, with delays, and not in their sleep for what can wait."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from incidentd.domain.contact import Call, Contact, Person, Urgency, calls
from incidentd.domain.hours import Hours

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NIGHT = NOON.replace(hour=23)
MORNING = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
ALICE = Person(
    "alice",
    (
        Contact("mail", ("alice@example.com",)),
        Contact("ntfy", ("topic",), frozenset({Urgency.HIGH}), timedelta(minutes=2)),
        Contact("chat", ("U1",), frozenset({Urgency.LOW})),
    ),
    Hours("Europe/Berlin", time(22), time(7)),
)


def test_each_urgency_has_its_own_ways_soonest_first() -> None:
    late = NOON + timedelta(minutes=2)
    high = (Call("mail", "alice@example.com", NOON), Call("ntfy", "topic", late))
    assert calls(ALICE, Urgency.HIGH, NOON) == high
    assert [call.channel for call in calls(ALICE, Urgency.LOW, NOON)] == ["mail", "chat"]
    assert calls(ALICE, Urgency.NONE, NOON) == ()


def test_low_urgency_waits_for_the_morning_and_high_does_not() -> None:
    assert {call.at for call in calls(ALICE, Urgency.LOW, NIGHT)} == {MORNING}
    assert calls(ALICE, Urgency.HIGH, NIGHT)[0].at == NIGHT


def test_a_place_named_twice_is_told_once_at_the_earlier_time() -> None:
    twice = Person(
        "bob",
        (Contact("mail", ("b@x.example",), after=timedelta(hours=1)), Contact("mail", ("b@x.example",))),
    )
    assert calls(twice, Urgency.HIGH, NOON) == (Call("mail", "b@x.example", NOON),)
