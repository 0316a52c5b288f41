"""Commands that change incidents, and how refusals are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_server import TOKEN, FakeServer, incident, problem


@pytest.mark.parametrize(
    ("args", "path", "body"),
    [
        (["ack", "INC-12", "-m", "on it"], "12/acknowledge", {"comment": "on it"}),
        (["unack", "12"], "12/unacknowledge", {"comment": None}),
        (["resolve", "12", "--force"], "12/resolve", {"comment": None, "force": True}),
        (["resolve", "12", "-m", "done"], "12/resolve", {"comment": "done", "force": False}),
        (["reopen", "inc-12"], "12/reopen", {"comment": None}),
        (["snooze", "12", "1h30m"], "12/snooze", {"for": "1h30m"}),
        (["note", "12", "fail over"], "12/notes", {"text": "fail over"}),
    ],
)
def test_each_action_posts_what_the_api_expects(
    run: Run, server: FakeServer, args: list[str], path: str, body: object
) -> None:
    result = run(*args)
    assert result.exit_code == 0, result.output
    assert server.requests == [("POST", f"/api/v1/incidents/{path}", body)]
    assert "INC-12" in result.stdout


def test_ack_says_who_has_it_now(run: Run) -> None:
    assert run("ack", "12").stdout == "INC-12 acknowledged by alice: HighLatency checkout\n"


def test_declare_opens_an_incident(run: Run, server: FakeServer) -> None:
    result = run("declare", "site down", "--severity", "critical", "--service", "web", "-m", "seen")
    assert result.stdout == "INC-13 triggered: site down\n"
    expected = {"title": "site down", "severity": "critical", "service": "web", "description": "seen"}
    assert server.requests == [("POST", "/api/v1/incidents", expected)]
    assert run("declare", "site down").exit_code == 2
    assert run("declare", " ", "--severity", "info").exit_code == 2


def test_a_note_can_come_from_standard_input_but_not_be_empty(run: Run, server: FakeServer) -> None:
    assert run("note", "12", "-", stdin="two\nlines\n").exit_code == 0
    assert server.requests[0][2] == {"text": "two\nlines\n"}
    assert run("note", "12", "-", stdin="").exit_code == 2


@pytest.mark.parametrize("wrong", ["", "2", "2x", "m5", "1m1h", "-1h"])
def test_a_wrong_duration_is_a_usage_error(run: Run, server: FakeServer, wrong: str) -> None:
    assert run("snooze", "12", wrong).exit_code == 2
    assert server.requests == []


def test_several_ids_go_on_after_a_failure_and_exit_with_the_worst(run: Run, server: FakeServer) -> None:
    server.incidents[14] = incident(14)
    server.answers["/api/v1/incidents/12/acknowledge"] = lambda: problem(409, "conflict", state="resolved")
    result = run("ack", "12", "13", "14", "14")
    assert result.exit_code == 5
    assert result.stdout == "INC-14 acknowledged by alice: HighLatency checkout\n"
    assert "INC-12: conflict\n  it is resolved now" in result.stderr
    assert "INC-13: not found" in result.stderr
    assert len(server.requests) == 3


def test_several_answers_are_one_json_document_a_line(run: Run, server: FakeServer) -> None:
    server.incidents[14] = incident(14)
    lines = run("ack", "12", "14", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [12, 14]


@pytest.mark.parametrize(
    "members", [{"code": "still_firing"}, {"type": "/problems/still-firing"}, {"title": "still_firing"}]
)
def test_still_firing_names_the_way_out(run: Run, server: FakeServer, members: dict[str, str]) -> None:
    server.answers["/api/v1/incidents/12/resolve"] = lambda: problem(409, **{"title": "conflict"} | members)
    result = run("resolve", "12")
    assert result.exit_code == 1
    assert "alerts are still firing; use --force" in result.stderr


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 1, "nope"),
        (401, 4, "INCIDENTD_TOKEN"),
        (403, 4, "scope"),
        (404, 5, "list"),
        (409, 1, "nope"),
        (422, 1, "nope"),
        (500, 1, "nope"),
        (503, 1, "try again"),
        (302, 1, "redirects"),
    ],
)
def test_statuses_map_to_exit_codes_with_a_remedy(
    run: Run, server: FakeServer, status: int, code: int, words: str
) -> None:
    server.answers["/api/v1/incidents/12/acknowledge"] = lambda: problem(status, "nope", "because")
    result = run("ack", "12")
    assert result.exit_code == code
    assert "nope: because" in result.stderr
    assert words in result.stderr


def test_the_token_is_sent_and_never_printed(run: Run, server: FakeServer) -> None:
    server.token = TOKEN
    assert run("list").exit_code == 4
    assert server.headers[-1]["X-Incidentd-User"] == "alice"
    for result in (
        run("list", extra={"INCIDENTD_TOKEN": TOKEN}),
        run("list", "--token", TOKEN),
        run("config", extra={"INCIDENTD_TOKEN": TOKEN}),
        run("config", "--json", extra={"INCIDENTD_TOKEN": TOKEN}),
    ):
        assert result.exit_code == 0
        assert TOKEN not in result.output
    assert "X-Incidentd-User" not in server.headers[-1]


def test_a_wrong_token_is_not_repeated_in_the_error(run: Run, server: FakeServer) -> None:
    server.token = TOKEN
    result = run("list", "--token", "hunter2")
    assert result.exit_code == 4
    assert "hunter2" not in result.output
    result = run("list", "--token", "hunter2\nX-Evil: 1")
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_a_redirect_is_not_followed_with_the_token(run: Run, server: FakeServer) -> None:
    def redirect() -> object:
        answer = problem(302, "moved")
        answer.headers["Location"] = f"{server.url}/stolen"
        return answer

    server.answers["/api/v1/incidents"] = redirect  # type: ignore[assignment]
    assert run("list", "--token", TOKEN).exit_code == 1
    assert len(server.requests) == 1


def test_a_proxy_in_the_environment_is_ignored_for_this_machine(run: Run) -> None:
    assert (
        run("list", extra={"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}).exit_code
        == 0
    )


def test_a_server_that_is_not_incidentd_is_named_as_such(run: Run, server: FakeServer) -> None:
    from aiohttp import web

    server.answers["/api/v1/incidents"] = lambda: web.Response(text="<html>\x1b[31mlogin")
    result = run("list", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "did not answer with JSON" in result.stderr
    server.answers["/api/v1/incidents"] = lambda: web.json_response([1])
    assert "is not a list" in run("list").stderr


def test_config_tells_where_each_value_comes_from(run: Run, server: FakeServer, env: dict[str, str]) -> None:
    folder = Path(env["XDG_CONFIG_HOME"]) / "incidentd"
    folder.mkdir(parents=True)
    (folder / "profiles.toml").write_text(f"[prod]\nurl = '{server.url}'\ntoken = '{TOKEN}'\n")
    result = run("config", "--profile", "prod", extra={"INCIDENTD_URL": ""})
    assert f"{server.url} (from profile prod)" in result.stdout
    assert "set, from profile prod" in result.stdout
    assert TOKEN not in result.output
