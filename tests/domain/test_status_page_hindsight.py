"""What is told later than it began: which seconds of days that were counted change their state, and which do not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.status_page.facts import Affected, Facts, Maintenance, Override, Publication, Update
from incidentd.domain.status_page.hindsight import fared, shifts
from incidentd.domain.status_page.layout import Part
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status

NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)
API = Part("api", "API")
MINUTE = timedelta(minutes=1)
LENGTH = 60
MINUTES = st.integers(0, LENGTH)


def at(minute: int) -> datetime:
    return NOON + minute * MINUTE


def told(code: str, begun: int, *said: tuple[int, Status]) -> tuple[Publication, tuple[Update, ...]]:
    """One that began, and what it said of the component when."""
    updates, before = [], Status.OPERATIONAL
    for number, (minute, now) in enumerate(sorted(said)):
        affected = (Affected("api", before, now),)
        updates.append(
            Update(f"{code}{number}", code, 1, "investigating", "x", at(minute), "a", "", affected)
        )
        before = now
    known = Publication(
        1, code, State.PUBLISHED, "It broke", Phase.IDENTIFIED, Policy.APPROVE, at(0), at(begun), at(0),
        impact=Level.MAJOR, published_at=at(0),
    )  # fmt: skip
    return known, tuple(updates)


def facts(*events: tuple[Publication, tuple[Update, ...]], **more: tuple[object, ...]) -> Facts:
    updates = {known.code: said for known, said in events}
    return Facts(publications=tuple(known for known, _ in events), updates=updates, **more)  # type: ignore[arg-type]


EVENTS = st.builds(
    lambda begun, said: (begun, tuple(said)),
    MINUTES,
    st.lists(st.tuples(MINUTES, st.sampled_from(Status)), min_size=1, max_size=3, unique_by=lambda s: s[0]),
)


@st.composite
def lives(draw: st.DrawFn) -> Facts:
    """A few things that may have happened within an hour."""
    events = [
        told(f"p{n}", begun, *said) for n, (begun, said) in enumerate(draw(st.lists(EVENTS, max_size=3)))
    ]
    spans = draw(st.lists(st.tuples(MINUTES, MINUTES, st.sampled_from(Status)), max_size=2))
    by_hand = [
        Override(n, "api", status, "", "alice", at(first), at(last), None if n else at(last - 1))
        for n, (first, last, status) in enumerate(spans)
    ]
    planned = [
        Maintenance(n, f"m{n}", "Work", Stage.COMPLETED, ("api",), at(0), at(9), at(0), "a", at(0), at(first), at(last))
        for n, (first, last, _) in enumerate(spans)
    ]  # fmt: skip
    return facts(*events, overrides=tuple(by_hand), maintenances=tuple(planned))


@given(lives(), lives())
def test_what_moves_is_what_was_thought_and_becomes_what_is_known(before: Facts, after: Facts) -> None:
    moved = Counter[Status]()
    for shift in shifts(API, before, after, at(0), at(LENGTH), "Etc/UTC"):
        assert shift.seconds > 0
        moved[shift.old] -= int(shift.seconds)
        moved[shift.new] += int(shift.seconds)
    wanted = Counter[Status]()
    for minute in range(LENGTH):
        wanted[fared(API, before, at(minute))] -= 60
        wanted[fared(API, after, at(minute))] += 60
    assert {s: moved[s] for s in Status} == {s: wanted[s] for s in Status}


def test_an_outage_that_is_told_late_counts_from_its_beginning_each_day_by_itself() -> None:
    late = facts(told("p", -15 * 60, (0, Status.MAJOR), (10, Status.OPERATIONAL)))
    found = list(shifts(API, Facts(), late, at(-15 * 60), at(20), "Europe/Berlin"))
    # From 23:00 in summer time to 13:10 in winter time: an hour longer than the clocks tell.
    assert [(shift.day, shift.new, shift.seconds) for shift in found] == [
        (date(2026, 10, 24), Status.MAJOR, 60 * 60.0),
        (date(2026, 10, 25), Status.MAJOR, 840 * 60.0),
        (date(2026, 10, 25), Status.MAJOR, 10 * 60.0),
    ]


def test_what_a_person_set_or_something_worse_said_is_not_counted_otherwise() -> None:
    late = told("p", 0, (30, Status.PARTIAL))
    worse = told("q", 0, (0, Status.MAJOR), (20, Status.OPERATIONAL))
    by_hand = Override(1, "api", Status.DEGRADED, "", "alice", at(25), None, at(28))
    elsewhere = Override(2, "web", Status.MAJOR, "", "alice", at(5), None)
    before = facts(worse, overrides=(by_hand, elsewhere))
    after = facts(worse, late, overrides=(by_hand, elsewhere))
    assert [(s.new, s.seconds) for s in shifts(API, before, after, at(0), at(30), "Etc/UTC")] == [
        (Status.PARTIAL, 300.0),
        (Status.PARTIAL, 120.0),
    ]


def test_a_component_that_joins_later_was_well_until_then_and_others_are_untouched() -> None:
    known, (first,) = told("p", 0, (10, Status.MAJOR))
    other = Update(
        "p9", "p", 1, "identified", "x", at(20), "a", "", (Affected("web", Status.OPERATIONAL, Status.MAJOR),)
    )
    found = facts((known, (first, other)))
    web = Part("web", "Web")
    assert [fared(web, found, at(minute)) for minute in (5, 15, 25)] == [
        Status.OPERATIONAL, Status.OPERATIONAL, Status.MAJOR,
    ]  # fmt: skip
    assert list(shifts(Part("x", "X"), Facts(), found, at(0), at(30), "Etc/UTC")) == []
