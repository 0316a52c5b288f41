"""Who was paged, what is noise, what took long: equal to a recount of every incident."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.figures import IncidentFacts
from incidentd.domain.monthly import due
from incidentd.domain.toil import Load, Paged, breaches, load, toil

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"

hours = st.integers(0, 400).map(lambda n: NOW - n * HOUR)


@st.composite
def facts(draw: st.DrawFn) -> IncidentFacts:
    opened = draw(hours)
    resolved = draw(st.none() | st.integers(0, 30).map(lambda n: opened + n * HOUR))
    return IncidentFacts(
        severity="critical",
        service="shop",
        started_at=opened,
        opened_at=opened,
        first_acknowledged_at=draw(st.none() | st.just(opened)),
        resolved_at=resolved,
        counts=draw(st.booleans()),
        id=draw(st.integers(1, 10**6)),
        alertname=draw(st.sampled_from(["", "Down", "Slow"])),
        reopened=draw(st.integers(0, 3)),
        flapping=draw(st.booleans()),
        link=draw(st.booleans()),
        runbook=draw(st.sampled_from(["", "down"])),
    )


def test_night_and_week_end_are_those_of_the_time_zone() -> None:
    zone = ZoneInfo(BERLIN)
    friday = datetime(2026, 2, 27, 21, 59, tzinfo=zone)
    at = [friday, friday + timedelta(minutes=1), friday + 9 * HOUR, friday + 9 * HOUR + timedelta(minutes=1)]
    pages = [Paged("alice", one.astimezone(UTC)) for one in at] + [Paged("bob", NOW)]
    assert load(pages, NOW - 9 * DAY, NOW, BERLIN) == [Load("alice", 4, 2, 2), Load("bob", 1, 0, 1)]


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), hours), max_size=20), st.integers(1, 400))
def test_every_page_in_the_window_is_counted_once(pages: list[tuple[str, datetime]], window: int) -> None:
    since = NOW - window * HOUR
    found = load([Paged(*page) for page in pages], since, NOW, BERLIN)
    assert {each.person: each.pages for each in found} == {
        person: count
        for person in ("alice", "bob")
        if (count := sum(who == person and since < at <= NOW for who, at in pages))
    }
    assert all(each.night <= each.pages and each.weekend <= each.pages for each in found)


@given(st.lists(facts(), max_size=15, unique_by=lambda f: f.id), st.integers(1, 400))
def test_what_is_noise_equals_a_recount(known: list[IncidentFacts], window: int) -> None:
    since = NOW - window * HOUR
    made = toil(known, since, NOW)
    opened = [f for f in known if since < f.opened_at <= NOW]
    for noise in made.noisiest:
        mine = [f for f in opened if f.alertname == noise.alertname]
        assert (noise.opened, noise.reopened) == (len(mine), sum(f.reopened for f in mine))
    assert sum(noise.opened for noise in made.noisiest) == len(opened)
    assert sum(noise.opened for noise in made.without_runbook) == sum(
        not f.runbook and not f.link for f in opened
    )
    ignored = [f for f in opened if f.first_acknowledged_at is None and f.resolved_at is not None]
    assert made.never_acknowledged_count == len(ignored)
    assert {n.alertname for n in made.flappers} == {f.alertname for f in opened if f.reopened or f.flapping}


@given(st.lists(facts(), max_size=15, unique_by=lambda f: f.id), st.integers(1, 400))
def test_a_breach_is_what_took_longer_than_the_objective(known: list[IncidentFacts], window: int) -> None:
    since = NOW - window * HOUR
    found = {each.incident.id for each in breaches(known, since, NOW, 2 * HOUR)}
    expected = set()
    for f in known:
        lasts = f.resolved_at is None or f.resolved_at > NOW
        end = NOW if lasts else f.resolved_at
        assert end is not None
        if f.counts and (lasts or end > since) and end - f.started_at > 2 * HOUR:
            expected.add(f.id)
    assert found == expected


def test_the_report_of_a_month_is_due_on_its_first_day_and_not_long_after() -> None:
    zone = ZoneInfo(BERLIN)

    def asked(day: int, hour: int, month: int = 3) -> str | None:
        month_ = due(datetime(2026, month, day, hour, tzinfo=zone).astimezone(UTC), BERLIN, time(8))
        return month_.name if month_ else None

    assert asked(1, 7) is None
    assert asked(1, 8) == "2026-02"
    assert asked(8, 7) == "2026-02"
    assert asked(8, 8) is None
    assert asked(1, 9, month=1) == "2025-12"
    april = due(datetime(2026, 4, 1, 9, tzinfo=zone).astimezone(UTC), BERLIN, time(8))
    assert april is not None
    # An hour is missing from that month in Berlin.
    assert april.until - april.since == timedelta(days=31) - HOUR
