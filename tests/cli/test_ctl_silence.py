"""`incidentctl silence`, `unsilence` and `silences`."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, problem

PATH, LIST = "/api/v1/incidents/12/silence", "/api/v1/silences"
ITEM: dict[str, Any] = {
    "id": 7,
    "incident_id": 12,
    "alertmanager": "http://am-0:9093",
    "state": "active",
    "matchers": ['alertname="Down"', 'service="db"'],
    "ends_at": "2026-11-21T10:04:00Z",
    "ended_at": None,
    "created_by": "alice",
    "comment": "disk swap",
    "last_error": None,
    "forgotten": None,
}
WAITS: dict[str, Any] = {
    "ref": "INC-12",
    "standing": "active on 0 of 1 Alertmanager",
    "settled": False,
    "matchers": ITEM["matchers"],
    "ends_at": ITEM["ends_at"],
    "created_by": "alice",
    "items": [ITEM],
}
STANDS = {**WAITS, "settled": True, "standing": "active on 1 of 1 Alertmanager"}


def in_turn(*answers: dict[str, Any]) -> Any:
    """A path that answers one after the other, the last for ever."""
    left = list(answers)
    return lambda: web.json_response(left.pop(0) if len(left) > 1 else left[0])


def test_it_waits_until_every_alertmanager_was_asked(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = in_turn(WAITS, WAITS, STANDS)
    done = run("silence", "INC-12", "2h", "-m", "disk swap")
    assert done.exit_code == 0
    assert done.stdout == (
        "INC-12 silence active on 1 of 1 Alertmanager, until 2026-11-21 10:04 (in 2 h)\n"
        '  by alice: alertname="Down", service="db"\n'
    )
    assert server.requests[0] == ("POST", PATH, {"for": "2h", "comment": "disk swap"})
    assert [method for method, *_ in server.requests] == ["POST", "GET", "GET"]


def test_it_waits_no_longer_than_a_person_does_and_says_how_it_stands(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = in_turn(WAITS)
    assert "active on 0 of 1 Alertmanager" in run("silence", "12", "2h").stdout
    assert len(server.requests) < 40


def test_json_is_what_the_api_answered_last(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = in_turn(WAITS, STANDS)
    assert json.loads(run("silence", "12", "2h", "--json").stdout) == STANDS


def test_a_refusal_and_a_wrong_duration_have_their_codes(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = lambda: problem(409, "Conflict", "list them under sources.main.alertmanagers")
    refused = run("silence", "12", "2h")
    assert (refused.exit_code, "sources.main.alertmanagers" in refused.stderr) == (1, True)
    assert run("silence", "12", "soon").exit_code == 2


def test_one_is_ended_by_its_incident_or_by_its_number(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = in_turn({**STANDS, "standing": "not silenced"})
    assert run("unsilence", "12").stdout == "INC-12: not silenced\n"
    server.answers[f"{LIST}/7"] = lambda: web.json_response({**ITEM, "state": "expiring"})
    assert run("unsilence", "--silence", "7").stdout == "silence 7 of INC-12: expiring\n"
    assert [method for method, *_ in server.requests] == ["DELETE", "DELETE"]
    assert run("unsilence").exit_code == run("unsilence", "12", "--silence", "7").exit_code == 2


def test_those_that_hold_are_listed_with_owner_and_end(run: Run, server: FakeServer) -> None:
    late = {**ITEM, "id": 8, "state": "wanted", "last_error": "unreachable: refused"}
    server.answers[LIST] = server.page([ITEM, late])
    lines = run("silences").stdout.splitlines()
    assert [word in lines[1] for word in ("INC-12", "active", "alice", "2026-11-21 10:04", "disk swap")]
    assert lines[2].endswith("unreachable: refused")
    assert server.requests[0][1] == f"{LIST}?state=live"
    run("silences", "--incident", "INC-12")
    assert server.requests[1][1] == f"{LIST}?incident=12"


def test_forgotten_ones_say_why(run: Run, server: FakeServer) -> None:
    server.answers[LIST] = server.page([{**ITEM, "forgotten": "incident_resolved"}])
    assert "forgotten: its incident is resolved" in run("silences", "--forgotten").stdout
    assert server.requests[0][1] == f"{LIST}?forgotten=true"
    server.answers[LIST] = server.page([])
    assert run("silences", "--forgotten").stdout == "no silence looks forgotten\n"
    assert run("silences").stdout == "no silences\n"
