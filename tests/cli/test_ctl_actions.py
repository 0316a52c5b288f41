"""`incidentctl postmortem` and `incidentctl actions`."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, problem
from tests.rendering.test_postmortem import postmortem

PATH = "/api/v1/actions"
ITEM: dict[str, Any] = {
    "id": 3,
    "incident_id": 12,
    "ref": "INC-12",
    "title": "Alert on 5xx",
    "owner": "alice",
    "due": "2026-11-20",
    "state": "open",
    "overdue": True,
    "created_by": "bob",
    "created_at": "2026-11-19T08:00:00Z",
    "closed_by": None,
    "closed_at": None,
    "comment": "",
}


def document() -> web.Response:
    return web.json_response(postmortem("x"), dumps=lambda value: json.dumps(value, default=str))


def test_a_postmortem_is_printed_as_markdown_or_as_a_page(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/incidents/12/postmortem"] = document
    text = run("postmortem", "INC-12")
    assert (text.exit_code, text.stdout.splitlines()[0]) == (0, "# Postmortem of INC-12: x")
    page = run("postmortem", "12", "--format", "html")
    assert page.stdout.startswith("<!DOCTYPE html>")
    assert "</svg>" in page.stdout
    assert json.loads(run("postmortem", "12", "--json").stdout)["incident"]["ref"] == "INC-12"
    assert json.loads(run("postmortem", "12", "--format", "json").stdout)["figures"]["pages"] == 1


def test_a_postmortem_of_an_incident_that_is_not_there_is_exit_5(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/incidents/9/postmortem"] = lambda: problem(404, "Not Found")
    assert run("postmortem", "9").exit_code == 5
    assert run("postmortem", "9", "--format", "csv").exit_code == 2


def test_action_items_are_listed_open_ones_alone_unless_asked(run: Run, server: FakeServer) -> None:
    server.answers[PATH] = server.page([ITEM, ITEM | {"id": 2, "owner": None, "overdue": False, "due": None}])
    lines = run("actions").stdout.splitlines()
    assert lines[0].split() == ["N", "INCIDENT", "STATE", "DUE", "OWNER", "WHAT", "SAID"]
    assert lines[1].split()[:5] == ["3", "INC-12", "overdue", "2026-11-20", "alice"]
    assert "nobody" in lines[2]
    server.answers[PATH] = server.page([])
    assert run("actions", "--overdue", "--owner", "bob").stdout == "no action items match\n"


def test_one_is_added_edited_and_closed(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/incidents/12/actions"] = lambda: web.json_response(ITEM, status=201)
    for verb in ("edit", "done", "drop", "reopen"):
        server.answers[f"{PATH}/3/{verb}"] = lambda: web.json_response(ITEM)
    said = run("actions", "add", "INC-12", "Alert on 5xx", "--owner", "alice", "--due", "2026-11-20").stdout
    assert said == "action 3 added: Alert on 5xx (INC-12, alice, due 2026-11-20)\n"
    run("actions", "edit", "3", "--owner", "", "--no-due")
    run("actions", "done", "3", "-m", "PR 7")
    assert run("actions", "drop", "3").stdout.startswith("action 3 is dropped: ")
    assert run("actions", "reopen", "3").stdout.startswith("action 3 is open: ")
    assert server.requests == [
        (
            "POST",
            "/api/v1/incidents/12/actions",
            {"title": "Alert on 5xx", "owner": "alice", "due": "2026-11-20"},
        ),
        ("POST", f"{PATH}/3/edit", {"owner": "", "due": None}),
        ("POST", f"{PATH}/3/done", {"comment": "PR 7"}),
        ("POST", f"{PATH}/3/drop", {"comment": ""}),
        ("POST", f"{PATH}/3/reopen", {"comment": ""}),
    ]


def test_wrong_usage_asks_nothing_of_the_server(run: Run, server: FakeServer) -> None:
    for words in (
        ("edit", "3"),
        ("edit", "3", "--due", "2026-11-20", "--no-due"),
        ("add", "12", "x", "--due", "soon"),
        ("done",),
    ):
        assert run("actions", *words).exit_code == 2
    assert server.requests == []
