"""Scheduled maintenance: where it may go, what the clock does, and the next of what comes again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.domain.maintenance import plan, rest, span
from incidentd.domain.status_page.by_hand import StatusRefusedError
from incidentd.domain.status_page.facts import Maintenance
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.lint import Inside, findings
from incidentd.domain.status_page.planned import TRANSITIONS, Word, due, following, move, scheduled
from incidentd.domain.status_page.words import Stage, Status

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAYOUT = Layout("page", "Acme", "https://x", "Etc/UTC", (Part("api", "API"),))
PLANNED = Maintenance(
    1, "code", "Upgrade", Stage.SCHEDULED, ("api",), NOW, NOW + 2 * HOUR, NOW - HOUR, "alice", NOW - HOUR,
    starts="2026-11-20T12:00:00",
)  # fmt: skip


def test_it_is_told_begins_and_completes_by_the_clock() -> None:
    assert scheduled(LAYOUT, PLANNED, "u").update.body == "Maintenance of API is planned."
    assert due(PLANNED, NOW - HOUR) is None
    assert due(PLANNED, NOW) is Stage.IN_PROGRESS
    begun = move(LAYOUT, PLANNED, Stage.IN_PROGRESS, NOW, "u")
    assert [(a.old, a.new) for a in begun.update.affected] == [(Status.OPERATIONAL, Status.UNDER_MAINTENANCE)]
    assert due(begun.maintenance, NOW + HOUR) is None
    assert due(begun.maintenance, NOW + 2 * HOUR) is Stage.COMPLETED
    assert due(replace(begun.maintenance, verify=True), NOW + 2 * HOUR) is Stage.VERIFYING
    over = move(LAYOUT, begun.maintenance, Stage.COMPLETED, NOW + HOUR, "u", Word("alice", "Done."))
    assert (over.ended, over.maintenance.scheduled_until, over.update.body) == (True, NOW + HOUR, "Done.")


def test_one_that_never_began_was_cancelled() -> None:
    said = move(LAYOUT, PLANNED, Stage.COMPLETED, NOW - HOUR, "u")
    assert said.update.body == "Maintenance of API was cancelled."
    # Another page, which shows fewer components, writes it again from the same template.
    assert said.update.origin == "cancelled"
    assert said.maintenance.scheduled_until == PLANNED.scheduled_until


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("wanted", Stage)
def test_what_is_not_in_the_table_is_refused(stage: Stage, wanted: Stage) -> None:
    known = replace(PLANNED, stage=stage)
    if wanted in TRANSITIONS[stage]:
        assert move(LAYOUT, known, wanted, NOW, "u").maintenance.stage is wanted
        return
    with pytest.raises(StatusRefusedError, match="is not possible"):
        move(LAYOUT, known, wanted, NOW, "u")


def test_the_next_of_a_series_is_as_long_as_planned_and_none_that_was_missed() -> None:
    assert following(PLANNED, NOW, "c") is None
    weekly = replace(PLANNED, rrule="FREQ=WEEKLY")
    again = following(weekly, NOW + timedelta(days=15), "c")
    assert again is not None
    assert (again.scheduled_for, again.code, again.stage) == (NOW + timedelta(days=21), "c", Stage.SCHEDULED)
    assert again.scheduled_until - again.scheduled_for == 2 * HOUR
    assert following(replace(PLANNED, rrule="FREQ=WEEKLY;COUNT=1"), NOW, "c") is None


@given(st.integers(1, 6), st.integers(0, 8), st.sampled_from(["", ";COUNT=5"]))
def test_the_rest_of_a_plan_has_the_same_occurrences_from_then_on(
    interval: int, days: int, count: str
) -> None:
    whole = plan(datetime(2026, 11, 20, 12), HOUR, "Europe/Berlin", f"FREQ=DAILY;INTERVAL={interval}{count}")  # noqa: DTZ001 - on the wall clock
    since = NOW - HOUR + timedelta(days=days)
    left = rest(whole, since)
    at = since
    for _ in range(6):
        wanted = span(whole, at)
        found = None if left is None else span(left, at)
        # One that was under way at `since` is left out.
        if wanted is not None and wanted.starts_at >= since:
            assert found == wanted
        at = at + timedelta(days=1)


def test_the_rest_of_what_is_once_is_itself_or_nothing() -> None:
    once = plan(NOW, HOUR, "Etc/UTC", None)
    assert (rest(once, NOW), rest(once, NOW + HOUR)) == (once, None)
    assert rest(plan(NOW, HOUR, "Etc/UTC", "FREQ=DAILY;COUNT=2"), NOW + timedelta(days=9)) is None


INSIDE = Inside(
    domains=(".acme.corp.example",),
    people=("Alice",),
    hosts=("web-17", "eu"),
    alerts=("ApiErrorsHigh", "Search"),
    links=("https://g.example/d/1",),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db at 10.0.0.7 is down", "the private address 10.0.0.7"),
        ("see web-1.prod.svc", "the internal name web-1.prod.svc"),
        ("db1.acme.corp.example", "the internal name db1.acme.corp.example"),
        ("ask bob@example.com", "the mail address bob@example.com"),
        ("Traceback (most recent call last)", "what looks like a stack trace"),
        ("key AKIAABCDEFGHIJKLMNOP", "what looks like a token"),
        ("Alice is on it", "the name Alice"),
        ("node web-17 is gone", "web-17, which an alert names"),
        ("on [fd12:3456::7]:9100", "the private address fd12:3456::7"),
        ("fe80::1%eth0 and ::1.", "the private address ::1"),
        ("via ::ffff:10.0.0.7", "the private address ::ffff:10.0.0.7"),
        ("see https://wiki.example/runbooks/db", "the runbook https://wiki.example/runbooks/db"),
        ("see https://g.example/d/1?x=2", "the address https://g.example/d/1 of an alert"),
        ("ApiErrorsHigh fires", "ApiErrorsHigh, which is an alert"),
    ],
)
def test_what_looks_internal_is_found_and_named(text: str, found: str) -> None:
    assert found in findings(text, INSIDE)


@pytest.mark.parametrize(
    "text",
    [
        "API is slow in eu", "see 8.8.8.8", "version 1.2.3.4.5", "999.1.1.1 errors", "Search is slow",
        "from 12:30:45 to 13:00", "a ratio of 1:2:3:4", "std::string :: x", "2606:4700:4700::1111 answers",
    ],
)  # fmt: skip
def test_plain_words_pass(text: str) -> None:
    assert findings(text, INSIDE) == ()
