"""`incidentctl maintenance`, and how suppressed and flapping incidents are listed."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, incident

PATH = "/api/v1/maintenance"
WINDOW: dict[str, Any] = {
    "id": 3,
    "name": "db upgrade",
    "matchers": ['service="db"'],
    "rrule": None,
    "active": True,
    "starts_at": "2026-11-21T08:00:00Z",
    "ends_at": "2026-11-21T10:00:00Z",
    "created_by": "alice",
}


def test_a_window_is_planned_with_what_was_given_and_nothing_else(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = lambda: web.json_response(WINDOW, status=201)
    done = run("maintenance", "add", "db upgrade", 'service="db"', "--for", "2h", "-m", "CHG-7")
    assert done.exit_code == 0
    assert done.stdout.startswith("planned: 3 db upgrade: 2026-11-21 08:00")
    body = {"name": "db upgrade", "matchers": ['service="db"'], "duration": "2h", "comment": "CHG-7"}
    assert server.requests == [("POST", PATH, body)]


def test_a_window_needs_exactly_one_end(run: Run, server: FakeServer) -> None:
    assert run("maintenance", "add", "x", 'a="b"').exit_code == 2
    assert run("maintenance", "add", "x", 'a="b"', "--for", "2h", "--ends", "2027-01-01").exit_code == 2
    assert server.requests == []


def test_windows_are_listed_and_those_of_the_configuration_say_so(run: Run, server: FakeServer) -> None:
    fixed = WINDOW | {
        "id": None,
        "name": "backups",
        "created_by": None,
        "rrule": "FREQ=DAILY",
        "active": False,
    }
    server.answers[PATH] = server.page([fixed, WINDOW])
    lines = run("maintenance", "list").stdout.splitlines()
    assert "backups" in lines[1]
    assert lines[1].endswith("FREQ=DAILY   configuration")
    assert lines[2].startswith("3")
    server.answers[PATH] = server.page([])
    assert run("maintenance", "list").stdout == "no maintenance is planned\n"


def test_one_is_cancelled_by_its_number(run: Run, server: FakeServer) -> None:
    server.answers[f"{PATH}/3"] = lambda: web.json_response(WINDOW)
    assert run("maintenance", "cancel", "3").stdout == "cancelled: db upgrade\n"
    assert server.requests[0][:2] == ("DELETE", f"{PATH}/3")


def test_the_list_says_why_nobody_is_told(run: Run, server: FakeServer) -> None:
    server.incidents = {
        1: incident(1, suppressed_by="db upgrade"),
        2: incident(2, flapping=True, resolve_withheld="flapping"),
        3: incident(3, resolve_withheld="distrusted"),
    }
    text = run("list").stdout
    assert "triggered, maintenance db upgrade" in text
    assert "triggered, flapping" in text
    assert "triggered, resolve distrusted" in text
    assert "triggered, maintenance db upgrade" in run("show", "1").stdout
