"""The starter library fits the example rules, and Prometheus understands every query in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from incidentd.cli.ctl import COMMANDS
from incidentd.domain.runbook import Kind, Run, Runbook
from incidentd.domain.runbook_match import choose
from incidentd.domain.runbook_query import fill_query
from incidentd.domain.severity import Severity
from incidentd.runbooks.library import Folder, look
from tests.programs import require

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "deploy/example-rules.yml"
OWN = ROOT / "deploy/prometheus-rules.yml"
FOLDER = look(Folder(ROOT / "runbooks", required=True))
BOOKS = FOLDER.shelf().runbooks
WITHOUT = {"Watchdog", "IncidentdDown", "IncidentdQuarantine", "IncidentdRefusing"}
"""What opens no incident, or says itself all there is to do."""


def rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in YAML(typ="safe").load(path)["groups"] for rule in group["rules"]]


def for_alert(name: str, **labels: str) -> Runbook | None:
    return choose(BOOKS, {"alertname": name, **labels}, "checkout", Severity.CRITICAL).runbook


def check_rules(path: Path) -> None:
    tool = require("promtool", "apt-get install prometheus")
    done = subprocess.run(
        [tool, "check", "rules", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_is_good_and_complete() -> None:
    assert FOLDER.problems == ()
    assert len(BOOKS) == 12
    for book in BOOKS:
        assert len(book.steps) >= 7, book.name
        assert any(step.action and step.action.kind is Kind.PROMQL for step in book.steps), book.name


def test_promtool_accepts_the_example_rules() -> None:
    check_rules(EXAMPLES)


@pytest.mark.parametrize("rule", [*rules(EXAMPLES), *rules(OWN)], ids=lambda rule: rule["alert"])
def test_every_rule_has_its_runbook(rule: dict[str, Any]) -> None:
    assert (for_alert(rule["alert"]) is None) == (rule["alert"] in WITHOUT)


def test_every_runbook_is_for_something_that_exists() -> None:
    names = [rule["alert"] for path in (EXAMPLES, OWN) for rule in rules(path)]
    names += ["HeartbeatMissing", "IncidentdChannelDown"]
    found = {book.name for name in names if (book := for_alert(name)) is not None}
    assert found == {book.name for book in BOOKS}


def test_no_two_of_them_want_the_same_alert() -> None:
    for path in (EXAMPLES, OWN):
        for rule in rules(path):
            assert choose(BOOKS, {"alertname": rule["alert"]}, "", Severity.WARNING).others == ()


@pytest.mark.parametrize(
    "labels", [{}, {"service": 'a"b', "job": "x|y", "instance": "h:1"}], ids=["no", "odd"]
)
def test_prometheus_understands_every_query_whatever_the_labels(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    queries = [
        fill_query(str(step.action.attributes["query"]), labels)
        for book in BOOKS
        for step in book.steps
        if step.action is not None and step.action.kind is Kind.PROMQL
    ]
    recorded = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(queries)]
    assert len(recorded) >= 40
    file = tmp_path / "rules.yml"
    file.write_bytes(orjson.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    check_rules(file)


def test_what_runs_by_itself_only_looks() -> None:
    for book in BOOKS:
        for step in book.steps:
            if step.action is not None and step.action.run is Run.AUTO:
                assert step.action.kind is Kind.PROMQL, f"{book.name} {step.number}"


def test_the_commands_they_name_exist() -> None:
    for book in BOOKS:
        named = set(re.findall(r"`incidentctl ([a-z-]+)", book.text))
        assert named - COMMANDS.keys() == set(), book.name
