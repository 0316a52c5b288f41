"""Who is on duty, calendars and overrides, through the front door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from incidentd.web import oncall
from tests.web.conftest import Daemon, Json, Start

USERS = {"alice": {"name": "Alice"}, "bob": {"name": "Bob"}, "carol": {"name": "Carol"}}
SCHEDULES = {
    "primary": {
        "time_zone": "Europe/Berlin",
        "layers": [
            {"name": "weekly", "users": ["alice", "bob"], "start": "2026-01-05", "handoff": "09:00"},
            {
                "name": "office",
                "users": ["carol"],
                "start": "2026-01-05",
                "days": ["mon"],
                "hours": "09:00-17:00",
            },
        ],
    },
    "empty": {"time_zone": "UTC"},
}
PATH = "/api/v1/schedules/primary/overrides"


@pytest.fixture
async def desk(start: Start) -> AsyncIterator[Daemon]:
    """A daemon with two schedules."""
    async with start(users=USERS, schedules=SCHEDULES) as daemon:
        yield daemon


def span(daemon: Daemon, begin: timedelta, end: timedelta, user: str = "carol", **rest: object) -> Json:
    """The body of an override, counted from now."""
    now = daemon.context.clock.now()
    return {
        "user": user,
        "starts_at": (now + begin).isoformat(),
        "ends_at": (now + end).isoformat(),
        **rest,
    }


HOUR = timedelta(hours=1)


async def test_who_is_on_duty_is_told_for_every_schedule_with_until_when_and_why(desk: Daemon) -> None:
    answer, page = await desk.get("/api/v1/oncall?at=2026-11-17T08:00:00Z")
    assert answer.status == 200
    oncall.DutyList.model_validate(page)
    first, second = page["items"]
    assert first == {
        "schedule": "primary",
        "time_zone": "Europe/Berlin",
        "at": "2026-11-17T08:00:00Z",
        "people": ["bob"],
        "why": "layer",
        "by": "weekly",
        "since": "2026-11-16T16:00:00Z",
        "until": "2026-11-23T08:00:00Z",
        "warnings": [],
    }
    assert (second["people"], second["why"], second["until"]) == ([], "nobody", None)


async def test_without_a_time_it_is_now(desk: Daemon) -> None:
    _, page = await desk.get("/api/v1/oncall")
    _, same = await desk.get(f"/api/v1/oncall?at={page['items'][0]['at']}")
    assert page == same


@pytest.mark.parametrize(
    "at", ["2026-11-17T08:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "soon"]
)
async def test_a_time_that_is_none_or_out_of_reach_is_refused(desk: Daemon, at: str) -> None:
    assert (await desk.get(f"/api/v1/oncall?at={at}"))[0].status == 400
    assert (await desk.get(f"/api/v1/schedules/primary?from={at}"))[0].status == 400


async def test_the_calendar_of_a_schedule_is_tiled_by_shifts_and_gaps(desk: Daemon) -> None:
    answer, found = await desk.get("/api/v1/schedules/primary?from=2026-10-19T00:00:00%2B02:00&weeks=2")
    assert answer.status == 200
    oncall.CalendarAnswer.model_validate(found)
    # Two local weeks: the clocks are put back in between.
    assert (found["from"], found["to"]) == ("2026-10-18T22:00:00Z", "2026-11-01T23:00:00Z")
    begins = [shift["starts_at"] for shift in found["shifts"]]
    ends = [shift["ends_at"] for shift in found["shifts"]]
    assert begins == [found["from"], *ends[:-1]]
    assert ends[-1] == found["to"]
    assert [shift["people"][0] for shift in found["shifts"]] == ["alice", "carol", "bob", "carol", "alice"]
    assert found["gaps"] == []


async def test_a_gap_is_visible_and_the_calendar_begins_today_in_the_schedules_zone(desk: Daemon) -> None:
    _, found = await desk.get("/api/v1/schedules/empty?weeks=1")
    assert found["shifts"] == []
    assert found["gaps"] == [{"starts_at": found["from"], "ends_at": found["to"]}]
    assert found["from"].endswith("T00:00:00Z")


async def test_schedules_are_listed_and_an_unknown_one_is_404_with_the_nearest(desk: Daemon) -> None:
    _, page = await desk.get("/api/v1/schedules")
    oncall.ScheduleList.model_validate(page)
    assert [item["name"] for item in page["items"]] == ["primary", "empty"]
    assert page["items"][0]["layers"][0] == {"name": "weekly", "users": [["alice"], ["bob"]]}
    answer, problem = await desk.get("/api/v1/schedules/primry")
    assert (answer.status, problem["detail"]) == (
        404,
        'there is no schedule "primry"; did you mean "primary"?',
    )


async def test_an_override_counts_at_once_and_no_longer_when_it_is_cancelled(desk: Daemon) -> None:
    wanted = span(desk, -HOUR, 4 * HOUR, user="bob", note="dentist")
    answer, made = await desk.post(PATH, wanted)
    assert answer.status == 201
    oncall.OverrideAnswer.model_validate(made)
    assert (made["user"], made["note"], made["created_by"]) == ("bob", "dentist", "responder")
    assert made["starts_at"] == made["created_at"], "the past stays as it was"
    duty = (await desk.get("/api/v1/oncall"))[1]["items"][0]
    assert (duty["people"], duty["why"], duty["by"]) == (["bob"], "override", str(made["id"]))
    assert duty["until"] == made["ends_at"]
    desk.context.clock.ahead += HOUR  # type: ignore[attr-defined]
    answer, cancelled = await desk.call("DELETE", f"{PATH}/{made['id']}", token="respond")
    assert (answer.status, cancelled["cancelled_by"]) == (200, "responder")
    duty = (await desk.get("/api/v1/oncall"))[1]["items"][0]
    assert duty["why"] == "layer"
    # It was on duty for that hour, and the calendar goes on saying so.
    _, before = await desk.get(f"/api/v1/oncall?at={made['starts_at']}")
    assert before["items"][0]["why"] == "override"
    again = await desk.call("DELETE", f"/api/v1/overrides/{made['id']}", token="respond")
    assert (again[0].status, again[1]) == (200, cancelled)


async def test_the_same_override_asked_for_twice_is_one(desk: Daemon) -> None:
    wanted = span(desk, HOUR, 2 * HOUR)
    ids = {(await desk.post(PATH, wanted))[1]["id"] for _ in range(2)}
    assert len(ids) == 1


async def test_overrides_are_listed_newest_first_of_one_schedule_and_of_all(desk: Daemon) -> None:
    for number in range(3):
        await desk.post(PATH, span(desk, number * HOUR + HOUR, number * HOUR + 2 * HOUR))
    await desk.post("/api/v1/schedules/empty/overrides", span(desk, HOUR, 2 * HOUR))
    _, first = await desk.get(f"{PATH}?limit=2")
    _, rest = await desk.get(f"{PATH}?limit=2&cursor={first['next_cursor']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None
    assert len((await desk.get("/api/v1/overrides"))[1]["items"]) == 4
    assert (await desk.get("/api/v1/schedules/none/overrides"))[0].status == 404


async def test_an_override_that_makes_no_sense_is_refused_with_what_is_accepted(desk: Daemon) -> None:
    for wanted, words in (
        (span(desk, HOUR, 2 * HOUR, user="karol"), 'did you mean "carol"?'),
        (span(desk, 2 * HOUR, HOUR), "ends before it begins"),
        (span(desk, -2 * HOUR, -HOUR), "ends in the past"),
        (span(desk, HOUR, timedelta(days=400)), "at most 366 days"),
    ):
        answer, problem = await desk.post(PATH, wanted)
        assert answer.status == 422
        assert words in problem["detail"]
    assert (await desk.post(PATH, {"user": "bob"}))[0].status == 422
    unknown = await desk.post("/api/v1/schedules/none/overrides", span(desk, HOUR, 2 * HOUR))
    assert unknown[0].status == 404


async def test_what_is_over_or_not_there_cannot_be_cancelled(desk: Daemon) -> None:
    _, made = await desk.post(PATH, span(desk, HOUR, 2 * HOUR))
    for path in (f"{PATH}/99", f"{PATH}/x", f"/api/v1/schedules/empty/overrides/{made['id']}"):
        assert (await desk.call("DELETE", path, token="respond"))[0].status == 404
    desk.context.clock.ahead += 3 * HOUR  # type: ignore[attr-defined]
    answer, problem = await desk.call("DELETE", f"{PATH}/{made['id']}", token="respond")
    assert (answer.status, problem["detail"]) == (409, f"override {made['id']} has ended already")


async def test_reading_needs_read_and_changing_needs_respond(desk: Daemon) -> None:
    for path in (
        "/api/v1/oncall",
        "/api/v1/schedules",
        "/api/v1/schedules/primary",
        PATH,
        "/api/v1/calendars",
    ):
        assert (await desk.get(path, "ingest"))[0].status == 403
        assert (await desk.get(path, None))[0].status == 401
    assert (await desk.post(PATH, span(desk, HOUR, 2 * HOUR), "read"))[0].status == 403
    assert (await desk.call("DELETE", f"{PATH}/1", token="read"))[0].status == 403


async def test_lists_of_what_is_configured_have_pages_too(desk: Daemon) -> None:
    for path, size in (("/api/v1/oncall", 2), ("/api/v1/schedules", 2), ("/api/v1/calendars", 5)):
        cursor: str | None = ""
        found: list[Json] = []
        for _ in range(size):
            _, page = await desk.get(f"{path}?limit=1{cursor}")
            found += page["items"]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert cursor is None
        assert len({str(item) for item in found}) == size
