"""Calendar feeds: an address that is a secret, and a calendar that programs can read."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import icalendar
import pytest

from tests.web.conftest import Daemon, Start

LAYERS = [{"name": "weekly", "users": ["alice", ["bob", "alice"]], "start": "2026-01-05", "handoff": "09:00"}]


@pytest.fixture
async def desk(start: Start) -> AsyncIterator[Daemon]:
    """A daemon with a schedule of two people, and one that is in none."""
    users = {"alice": {"name": "Alice"}, "bob": {"name": "Bob; \r\nEND:VEVENT"}, "carol": {"name": "Carol"}}
    schedules = {"primary": {"time_zone": "Europe/Berlin", "layers": LAYERS}}
    async with start(users=users, schedules=schedules) as daemon:
        yield daemon


async def addresses(daemon: Daemon) -> dict[str, str]:
    """Path of each feed, by its kind and name."""
    answer, page = await daemon.get("/api/v1/calendars")
    assert answer.status == 200
    return {f"{item['kind']} {item['name']}": urlsplit(item["url"]).path for item in page["items"]}


def events_of(body: bytes) -> list[Any]:
    """The events of a calendar, as its library reads them."""
    calendar = icalendar.Calendar.from_ical(body)
    assert calendar["VERSION"] == "2.0"
    return list(calendar.walk("VEVENT"))


async def test_every_schedule_and_person_has_a_calendar_with_their_shifts(desk: Daemon) -> None:
    paths = await addresses(desk)
    assert list(paths) == ["schedule primary", "person alice", "person bob", "person carol"]
    counts = {}
    for name, path in paths.items():
        answer, body = await desk.get(path, None)
        assert (answer.status, answer.content_type) == (200, "text/calendar")
        counts[name] = len(events_of(body))
    assert 30 <= counts["schedule primary"] <= 32
    assert counts["person alice"] == counts["schedule primary"]
    assert counts["person bob"] in (15, 16)
    assert counts["person carol"] == 0


async def test_shifts_are_whole_and_keep_their_identity_from_one_fetch_to_the_next(desk: Daemon) -> None:
    path = (await addresses(desk))["person bob"]
    _, body = await desk.get(path, None)
    events = events_of(body)
    for event in events:
        assert (event.end - event.start).days in (6, 7), "a week, an hour more or less where clocks change"
        # A name cannot end an event and begin another.
        assert "END:VEVENT" in event["SUMMARY"]
    _, later = await desk.get(path, None)
    again = events_of(later)
    assert [event["UID"] for event in again] == [event["UID"] for event in events]
    assert len({event["UID"] for event in events}) == len(events)


async def test_an_override_stands_in_the_calendar_of_who_does_it(desk: Daemon) -> None:
    path = (await addresses(desk))["person carol"]
    begin = desk.context.clock.now() + timedelta(hours=1)
    body = {
        "user": "carol",
        "starts_at": begin.isoformat(),
        "ends_at": (begin + timedelta(hours=4)).isoformat(),
    }
    assert (await desk.post("/api/v1/schedules/primary/overrides", body))[0].status == 201
    _, calendar = await desk.get(path, None)
    (event,) = events_of(calendar)
    assert event["SUMMARY"] == "On call: Carol (primary)"
    assert event.end - event.start == timedelta(hours=4)


async def test_no_other_address_is_a_calendar(desk: Daemon) -> None:
    assert (await desk.get(f"/calendars/{'A' * 43}.ics", None))[0].status == 404, "before there is a secret"
    path = (await addresses(desk))["schedule primary"]
    for bad in (path.replace(".ics", "A.ics"), path[:-8] + ".ics", f"/calendars/{'A' * 5000}.ics"):
        assert (await desk.get(bad, None))[0].status == 404
    answer, body = await desk.call("HEAD", path)
    assert (answer.status, body) == (200, b"")


async def test_the_addresses_stay_the_same(desk: Daemon) -> None:
    assert await addresses(desk) == await addresses(desk)


async def test_without_the_extra_the_answer_says_what_to_install(desk: Daemon) -> None:
    path = (await addresses(desk))["schedule primary"]
    library = sys.modules["icalendar"]
    # How Python remembers a module that is not there.
    sys.modules["icalendar"] = None  # type: ignore[assignment]
    try:
        answer, problem = await desk.get(path, None)
    finally:
        sys.modules["icalendar"] = library
    assert answer.status == 501
    assert "pip install 'incidentd[calendar]'" in problem["detail"]
