"""`incidentctl why` and `why-not`: sentences with their times for people, the API's own answer for machines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, problem

AT = "2026-11-21T08:00:00Z"
FOUND: dict[str, Any] = {
    "id": 12,
    "ref": "INC-12",
    "title": "HighLatency\x1b[31m checkout",
    "verdict": "It belongs to INC-12.",
    "statements": [
        {"at": AT, "kind": "opened", "text": "It fired.", "because": "new", "data": {}},
        {"at": AT, "kind": "told", "text": "alice was told.", "because": "sent", "data": {}},
        {"at": None, "kind": "limit", "text": "There is\nmore.", "because": "too_much", "data": {}},
        {"at": "2026-11-21T08:01:05Z", "kind": "event", "text": "It ended.", "because": "x", "data": {}},
        {"at": AT, "kind": "standing", "text": "It is over.", "because": "source", "data": {}},
    ],
}
LINES = """\
2026-11-21 08:00:00  It fired.
                     alice was told.
                     There is more.
2026-11-21 08:01:05  It ended.

It is over.
"""


@pytest.fixture(autouse=True)
def answers(server: FakeServer) -> None:
    for path in ("incidents/12/why", "alerts/ab%2Fc/why", "alerts/ab/c/why", "why-not"):
        server.answers[f"/api/v1/{path}"] = lambda: web.json_response(FOUND)


def test_a_time_is_said_once_and_the_answer_stands_at_the_end(run: Run) -> None:
    result = run("why", "INC-12")
    assert result.output == f"INC-12 HighLatency checkout\n\n{LINES}"


def test_machines_get_what_the_api_answered(run: Run) -> None:
    assert json.loads(run("why", "12", "--json").output) == FOUND
    assert json.loads(run("--json", "why-not", "alice", "--at", "now").output) == FOUND


def test_an_alert_is_asked_for_by_its_fingerprint(run: Run, server: FakeServer) -> None:
    assert run("why", "--alert", "ab/c", "--source", "main").output == LINES
    assert server.requests[-1][1] == "/api/v1/alerts/ab%2Fc/why?source=main"


def test_why_not_sends_who_when_and_how_far_around(run: Run, server: FakeServer) -> None:
    assert run("why-not", "alice", "--at", "2026-11-21 03:10", "--around", "2h").output == LINES
    asked = server.requests[-1][1]
    assert asked.startswith("/api/v1/why-not?user=alice&at=2026-11-21T03%3A10%3A00%2B00%3A00")
    assert asked.endswith("&around=2h")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("why",), "why ID, or why --alert FINGERPRINT"),
        (("why", "12", "--alert", "ab"), "why ID, or why --alert FINGERPRINT"),
        (("why", "12", "--source", "main"), "--source belongs to --alert"),
        (("why", "latest"), "12 or INC-12"),
        (("why-not", "alice"), "--at"),
        (("why-not", "alice", "--at", "tomorrow"), "is not a time"),
        (("why-not", "alice", "--at", "now", "--around", "soon"), "is not a duration"),
    ],
)
def test_wrong_usage_says_what_is_accepted(run: Run, args: tuple[str, ...], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.output


def test_an_unknown_user_is_no_such_object(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/why-not"] = lambda: problem(404, "Not Found", 'there is no user "bo"')
    result = run("why-not", "bo", "--at", "now")
    assert result.exit_code == 5
    assert 'there is no user "bo"' in result.output
