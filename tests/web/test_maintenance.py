"""Planning, listing and cancelling windows over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.web.conftest import Daemon, Start, alert

PLAN = {"name": "upgrade", "matchers": ['service="db"'], "duration": "2h", "comment": "CHG-7"}
PATH = "/api/v1/maintenance"


async def test_a_window_is_planned_shown_and_cancelled(daemon: Daemon) -> None:
    answer, made = await daemon.post(PATH, PLAN)
    assert (answer.status, answer.headers["Location"]) == (201, f"{PATH}/{made['id']}")
    assert (made["active"], made["created_by"], made["comment"]) == (True, "responder", "CHG-7")
    _, listed = await daemon.get(PATH)
    assert [item["name"] for item in listed["items"]] == ["upgrade"]
    answer, cancelled = await daemon.call("DELETE", f"{PATH}/{made['id']}", token="respond")
    assert (answer.status, cancelled["active"], cancelled["cancelled_by"]) == (200, False, "responder")
    assert (await daemon.get(PATH))[1]["items"] == []


async def test_an_incident_shows_what_keeps_it_quiet(daemon: Daemon) -> None:
    await daemon.post(PATH, PLAN)
    await daemon.alert(alert("Down", service="db"), alert("Down", service="web"))
    _, found = await daemon.get("/api/v1/incidents")
    assert {i["labels"]["service"]: i["suppressed_by"] for i in found["items"]} == {
        "db": "upgrade",
        "web": None,
    }


async def test_windows_of_the_configuration_are_listed_and_stay(start: Start) -> None:
    weekly = {
        "name": "backups",
        "matchers": ['alertname=~"Slow.*"'],
        "starts": "2026-01-04T02:00:00",
        "ends": "2026-01-04T03:00:00",
        "rrule": "FREQ=WEEKLY;BYDAY=SU",
        "time_zone": "Europe/Berlin",
    }
    async with start(maintenance=[weekly]) as daemon:
        (item,) = (await daemon.get(PATH))[1]["items"]
        assert (item["id"], item["name"], item["duration"], item["created_by"]) == (
            None,
            "backups",
            "1h",
            None,
        )
        assert (await daemon.call("DELETE", f"{PATH}/backups", token="respond"))[0].status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": None},
        {"ends": "2030-01-01T00:00:00Z"},
        {"matchers": []},
        {"matchers": ["service"]},
        {"time_zone": "Mars/Olympus"},
        {"rrule": "FREQ=SECONDLY"},
        {"duration": "91d"},
        {"starts": "2020-01-01T00:00:00Z"},
        {"name": " "},
    ],
)
async def test_what_makes_no_window_is_refused_with_its_place(daemon: Daemon, wrong: dict[str, Any]) -> None:
    answer, problem = await daemon.post(PATH, {**PLAN, **wrong})
    assert answer.status == 422
    assert problem["errors"]


async def test_planning_needs_the_scope_respond_and_an_unknown_one_is_not_found(daemon: Daemon) -> None:
    assert (await daemon.post(PATH, PLAN, token="read"))[0].status == 403
    assert (await daemon.call("DELETE", f"{PATH}/77", token="respond"))[0].status == 404


async def test_a_start_in_the_future_does_not_hold_yet(daemon: Daemon) -> None:
    starts = (daemon.clock.now() + timedelta(hours=1)).isoformat()
    _, made = await daemon.post(PATH, {**PLAN, "starts": starts})
    assert not made["active"]
    assert made["starts_at"] < made["ends_at"]
