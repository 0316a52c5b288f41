"""`incidentctl runbook` and `step`, and `incidentd runbooks`: what people read and what they are told to mend."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from incidentd.cli.main import main
from incidentd.cli.runbooks import KINDS
from incidentd.domain.runbook import Kind
from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, Json, incident, problem

URL = "https://runbooks.example.com/x"
REF = {"url": URL, "name": "down", "hash": "ab", "steps_done": 1, "steps_total": 2}
GOOD = (
    "---\nmatch: [alertname=Down]\nowner: team-a\ntested: 2026-11-01\n---\n# It is down\n## Steps\n1. Look\n"
)
OTHER = "---\nmatch: ['alertname=~\"D.*\"']\n---\n# Anything\n## Steps\n1. Look\n"


def book(**changes: object) -> Json:
    """The runbook of an incident as the API shows it."""
    steps = [
        {
            "number": 1,
            "text": "Look",
            "state": "done",
            "actor": "bob",
            "at": "2026-11-21T08:03:00Z",
            "comment": "ok",
        },
        {
            "number": 2,
            "text": "Restart \x1b[31m",
            "state": "pending",
            "actor": None,
            "at": None,
            "comment": "",
        },
    ]
    steps[0]["action"] = {"kind": "promql", "run": "auto"}
    return {**REF, "incident_id": 12, "title": "It is down", "steps": steps, "text": "..."} | changes


def test_runbook_shows_links_then_steps_with_who_and_when(run: Run, server: FakeServer) -> None:
    server.incidents[12] = incident(runbook=REF)
    server.answers["/api/v1/incidents/12/runbook"] = lambda: web.json_response(book())
    result = run("runbook", "INC-12")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:3] == [URL, "", "It is down (down, 1 of 2 done)"]
    assert lines[3:] == [
        " 1  done     Look",
        "             promql, auto",
        "             bob, 2026-11-21 08:03 (1 min ago): ok",
        lines[6],
    ]
    assert lines[6].startswith(" 2  pending  Restart")
    assert "\x1b" not in result.output


def test_runbook_as_json_is_what_the_api_answered(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/incidents/12/runbook"] = lambda: web.json_response(book())
    assert json.loads(run("runbook", "12", "--json").stdout) == book()


def test_show_names_the_runbook_and_how_far_it_is(run: Run, server: FakeServer) -> None:
    server.incidents[12] = incident(runbook=REF)
    shown = run("show", "12").stdout
    assert "down, 1 of 2 done" in shown
    assert URL in shown


@pytest.mark.parametrize(("action", "state"), [("done", "done"), ("skip", "skipped"), ("reset", "pending")])
def test_step_moves_one_step(run: Run, server: FakeServer, action: str, state: str) -> None:
    path = "/api/v1/incidents/12/runbook/steps/1"
    server.answers[path] = lambda: web.json_response(book())
    result = run("step", "INC-12", "1", action, "-m", "ok")
    assert (result.exit_code, result.stdout) == (0, "INC-12 step 1 done: Look (1 of 2 done)\n")
    assert server.requests[-1] == ("POST", path, {"state": state, "comment": "ok"})


def test_a_refusal_says_why_with_its_exit_code(run: Run, server: FakeServer) -> None:
    path = "/api/v1/incidents/12/runbook/steps/9"
    server.answers[path] = lambda: problem(404, "not found", "the runbook of INC-12 has steps 1 to 2")
    result = run("step", "12", "9", "done")
    assert (result.exit_code, "has steps 1 to 2" in result.stderr) == (5, True)
    server.answers[path] = lambda: problem(409, "conflict", "step 9 is running", reason="step_state")
    assert run("step", "12", "9", "done").exit_code == 1


@pytest.mark.parametrize("args", [("0", "done"), ("x", "done"), ("1", "walk"), ("1",), ()])
def test_wrong_usage_asks_nothing(run: Run, server: FakeServer, args: tuple[str, ...]) -> None:
    assert run("step", "12", *args).exit_code == 2
    assert server.requests == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "runbooks"
    path.mkdir()
    (path / "down.md").write_text(GOOD, encoding="utf-8")
    (path / "any.md").write_text(OTHER, encoding="utf-8")
    return path


def incidentd(folder: Path, *args: str) -> Result:
    """`incidentd runbooks ...` with a configuration that names the folder."""
    config = folder.parent / "incidentd.yaml"
    config.write_text(
        f"runbooks: {{path: {folder}}}\nseverity: {{map: {{P1: critical}}}}\n", encoding="utf-8"
    )
    return CliRunner().invoke(main, ["runbooks", *args, "--config", str(config)])


def test_check_accepts_a_good_folder_and_a_good_file(folder: Path) -> None:
    assert incidentd(folder, "check").stdout == f"{folder} is good: 2 runbooks\n"
    assert incidentd(folder, "check", str(folder)).exit_code == 0
    assert incidentd(folder, "check", str(folder / "any.md")).stdout == f"{folder}/any.md is good: 1 steps\n"


def test_check_tells_everything_that_is_wrong_with_file_and_line(folder: Path) -> None:
    (folder / "bad.md").write_text("---\nmatch: []\n---\n## Steps\n", encoding="utf-8")
    for path in ((), (str(folder),), (str(folder / "bad.md"),)):
        result = incidentd(folder, "check", *path)
        assert result.exit_code == 1
        assert result.stderr.splitlines() == [
            f"{folder}/bad.md:2: match: is too short; accepted: at least 1 item",
            f"{folder}/bad.md:4: ## Steps is empty; accepted: numbered items (1.) and task items (- [ ])",
        ]
    missing = incidentd(folder, "check", str(folder / "none"))
    assert (missing.exit_code, "there is no such folder" in missing.stderr) == (1, True)


def test_list_shows_the_good_ones_and_warns_of_the_others(folder: Path) -> None:
    (folder / "bad.md").write_text("x", encoding="utf-8")
    result = incidentd(folder, "list")
    assert result.stdout.splitlines() == [
        'any\talertname=~"D.*"\t1 steps, 0 automated\tno owner\tnever tested\tAnything',
        'down\talertname="Down"\t1 steps, 0 automated\tteam-a\ttested 2026-11-01\tIt is down',
    ]
    assert result.stderr.startswith(f"warning: {folder}/bad.md:1: has no front matter")


def test_match_says_which_and_why_and_what_fits_too(folder: Path) -> None:
    assert incidentd(folder, "match", "alertname=Down", "severity=P1").stdout == (
        "down: most_specific (1 equal)\n  also fits: any (1 regex)\n"
    )
    assert (
        incidentd(folder, "match", "alertname=Dim", "--path", str(folder)).stdout
        == "any: only_match (1 regex)\n"
    )
    none = incidentd(folder, "match", "alertname=Up", "service=shop")
    assert (none.exit_code, none.stderr) == (
        1,
        "incidentd: no runbook matches (severity warning, service shop)\n",
    )
    assert incidentd(folder, "match", "Down").exit_code == 2
    assert incidentd(folder, "match").exit_code == 2


@pytest.mark.parametrize(
    "labels",
    [
        ('{alertname="Down", severity="P1"}',),
        ('alertname="Down"', 'severity="P1"'),
        ('alertname="Down", severity="P1"',),
        ("alertname=Down", '{severity="P1"}'),
    ],
)
def test_match_understands_labels_as_prometheus_writes_them(folder: Path, labels: tuple[str, ...]) -> None:
    assert incidentd(folder, "match", *labels).stdout.startswith("down: most_specific")


@pytest.mark.parametrize(
    "text", ["Down", "=Down", "alertname!=Down", 'alertname=~"D.*"', "alertname==Down", "{", "{}"]
)
def test_match_refuses_what_is_no_label_and_says_what_is(folder: Path, text: str) -> None:
    refused = incidentd(folder, "match", text)
    assert (refused.exit_code, f"{text!r} is no label; accepted: NAME=VALUE" in refused.output) == (2, True)


def test_match_tells_what_kept_the_nearest_ones_from_it(folder: Path) -> None:
    (folder / "shop.md").write_text(
        "---\nmatch: [alertname=Up, env=prod]\nservice: shop\nseverity: critical\n---\n## Steps\n1. x\n",
        encoding="utf-8",
    )
    (folder / "bad.md").write_text("x", encoding="utf-8")
    none = incidentd(folder, "match", "alertname=Up", "service=web")
    assert none.exit_code == 1
    assert none.stderr.splitlines() == [
        f'warning: {folder}/bad.md:1: has no front matter; accepted: "---", keys such as match:, "---" at the top',
        "incidentd: no runbook matches (severity warning, service web)",
        '  shop does not: env="prod" (here missing); service: shop (here web); severity: critical (here warning)',
    ]


def test_check_warns_of_one_that_no_incident_can_get_and_of_an_empty_folder(folder: Path) -> None:
    (folder / "same.md").write_text(GOOD, encoding="utf-8")
    result = incidentd(folder, "check")
    assert (result.exit_code, result.stderr) == (
        0,
        "warning: same.md has the same conditions as down.md, so no incident gets it\n",
    )
    empty = folder / "empty"
    empty.mkdir()
    assert incidentd(folder, "check", str(empty)).stdout == f"{empty} has no runbook (NAME.md)\n"


STEPS = """---
match: [alertname=Other]
---
## Steps
1. Look
2. Restart

   ```yaml step command
   command: restrat
   ```
3. Ask

   ```yaml step http
   url: http://api.internal:8080/x
   ```
4. Ask Prometheus

   ```yaml step promql
   query: up
   source: other
   ```
5. Tell

   ```yaml step notify
   channels: [console, pager]
   message: x
   ```
"""


def test_check_with_a_configuration_tells_what_automation_would_refuse(folder: Path) -> None:
    file, config = folder / "steps.md", folder.parent / "automation.yaml"
    file.write_text(STEPS, encoding="utf-8")
    config.write_text(
        f"runbooks: {{path: {folder}}}\nautomation:\n  prometheus: {{main: {{url: 'http://127.0.0.1:9'}}}}\n"
        "  commands: {restart: {argv: [/bin/true]}}\n",
        encoding="utf-8",
    )
    nearest = 'restart; did you mean "restart"?'
    found = [
        f"{file}:8: step 2: automation.commands has no restrat; add it there; accepted now: {nearest}",
        f"{file}:13: step 3: automation.http_hosts does not have api.internal:8080; add it there",
        f"{file}:18: step 4: automation.prometheus has no other; add it there; accepted now: main",
        f"{file}:24: step 5: channels has no pager; add it there; accepted now: console",
    ]
    for path in ([], [str(folder)], [str(file)]):
        arguments = ["runbooks", "check", *path, "--config", str(config)]
        told = CliRunner().invoke(main, arguments)
        assert (told.exit_code, told.stderr.splitlines()) == (0, [f"warning: {each}" for each in found])
        told = CliRunner().invoke(main, [*arguments, "--strict"])
        assert (told.exit_code, told.stderr.splitlines()) == (1, found)
    assert CliRunner().invoke(main, ["runbooks", "check", str(folder)]).stderr == ""


def test_the_schemas_are_schemas_and_accept_what_the_reader_accepts() -> None:
    assert tuple(Kind) == KINDS
    for args in ((), *((kind,) for kind in KINDS)):
        schema = json.loads(CliRunner().invoke(main, ["runbooks", "schema", *args]).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
    front = json.loads(CliRunner().invoke(main, ["runbooks", "schema"]).stdout)
    jsonschema.validate({"match": ["a=b"], "severity": "critical", "tested": "2026-11-01"}, front)
    jsonschema.validate({"match": ["a=b"], "severity": ["critical", "info"]}, front)
    bad: object
    for bad in ({}, {"match": []}, {"match": ["a=b"], "severity": "high"}, {"match": ["a=b"], "x": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, front)
