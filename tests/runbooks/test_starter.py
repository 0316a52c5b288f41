"""The starter library fits every alert rule of deploy/, and its queries answer when those alerts fire."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from incidentd.cli.ctl import COMMANDS
from incidentd.domain.runbook import Kind, Run
from incidentd.domain.runbook_match import choose
from incidentd.domain.severity import Severity
from incidentd.metrics import Metrics
from tests.deploy.cases import CASES as KIT
from tests.deploy.cases import Case
from tests.deploy.shipped import PROMTOOL, metric_names
from tests.runbooks.library import (
    BOOKS,
    CASES,
    EXAMPLES,
    FOLDER,
    OUR_OWN,
    README,
    WITHOUT,
    for_alert,
    queries,
    rules,
)

FIRING = [case for case in (*KIT, *CASES) if case.labels is not None and case.alert not in WITHOUT]


def test_the_library_is_good_and_complete() -> None:
    assert FOLDER.problems == ()
    assert len(BOOKS) == 18
    for book in BOOKS:
        assert len(book.steps) >= 7, book.name
        assert queries(book, {}), book.name


def test_promtool_accepts_the_example_rules() -> None:
    PROMTOOL.judge("check", "rules", EXAMPLES)


@pytest.mark.parametrize("name", sorted({rule["alert"] for rule in rules()} | {*OUR_OWN}))
def test_every_alert_has_its_runbook_or_the_readme_says_why_not(name: str) -> None:
    assert (for_alert(name) is None) == (name in WITHOUT)
    assert (f"| `{name}` |" in README) == (name in WITHOUT)


def test_every_runbook_is_for_something_that_exists() -> None:
    names = [*[rule["alert"] for rule in rules()], *OUR_OWN]
    found = {book.name for name in names if (book := for_alert(name)) is not None}
    assert found == {book.name for book in BOOKS}


def test_no_two_of_them_want_the_same_alert() -> None:
    for name in {*[rule["alert"] for rule in rules()], *OUR_OWN}:
        assert choose(BOOKS, {"alertname": name}, "", Severity.WARNING).others == ()


def test_every_example_rule_has_a_case_in_which_it_fires() -> None:
    assert {case.alert for case in (*KIT, *CASES) if case.labels} >= {
        rule["alert"] for rule in rules() if rule["alert"] not in WITHOUT
    }


def fires(case: Case) -> dict[str, Any]:
    """A test of promtool: the alert of this case fires at its time."""
    expected = {"exp_labels": {**(case.labels or {}), "severity": case.severity}}
    return {
        **around(case),
        "alert_rule_test": [{"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": [expected]}],
    }


def answers(case: Case) -> dict[str, Any]:
    """A test of promtool: when the alert of this case fires, a query of its runbook has an answer."""
    labels = {**(case.labels or {}), "alertname": case.alert, "severity": case.severity}
    book = for_alert(case.alert)
    assert book is not None
    some = " or ".join(f"(count({query}) > bool 0)" for query in queries(book, labels))
    asked = {"expr": some, "eval_time": f"{case.at}m", "exp_samples": [{"labels": "{}", "value": 1}]}
    return {**around(case), "promql_expr_test": [asked]}


def around(case: Case) -> dict[str, Any]:
    series = [{"series": series, "values": values} for series, values in case.series.items()]
    return {"interval": "1m", "input_series": series}


def judged(folder: Path, tests: list[dict[str, Any]], rule_files: list[dict[str, Any]]) -> None:
    """Let promtool run them."""
    bare = [
        {name: rule[name] for name in ("alert", "expr", "for", "labels") if name in rule}
        for rule in rule_files
    ]
    (folder / "rules.yml").write_bytes(orjson.dumps({"groups": [{"name": "all", "rules": bare}]}))
    told = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "test.yml").write_bytes(orjson.dumps(told))
    PROMTOOL.judge("test", "rules", folder / "test.yml")


def test_the_example_rules_fire_when_they_should(tmp_path: Path) -> None:
    names = {case.alert for case in CASES}
    judged(tmp_path, [fires(case) for case in CASES], [rule for rule in rules() if rule["alert"] in names])


def test_when_an_alert_fires_its_runbook_has_an_answer(tmp_path: Path) -> None:
    assert len(FIRING) > 40
    judged(tmp_path, [answers(case) for case in FIRING], [])


@pytest.mark.parametrize(
    "labels", [{}, {"service": 'a"b', "job": "x|y", "instance": "h:1"}], ids=["no", "odd"]
)
def test_prometheus_understands_every_query_whatever_the_labels(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    asked = [query for book in BOOKS for query in queries(book, labels)]
    recorded = [{"record": f"q:{number}", "expr": query} for number, query in enumerate(asked)]
    assert len(recorded) >= 60
    file = tmp_path / "rules.yml"
    file.write_bytes(orjson.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    PROMTOOL.judge("check", "rules", file)


def test_what_they_ask_of_incidentd_it_shows() -> None:
    asked = set().union(*(metric_names(query) for book in BOOKS for query in queries(book, {})))
    families = {family.name for family in Metrics().registry.collect()}
    ours = {name for name in asked if name.startswith("incidentd_")}
    ours |= asked & {"security_events_total", "auth_attempts_total", "suspicious_activity_total"}
    assert len(ours) > 10
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in ours} - families == set()


def test_what_runs_by_itself_only_looks() -> None:
    for book in BOOKS:
        for step in book.steps:
            if step.action is not None and step.action.run is Run.AUTO:
                assert step.action.kind is Kind.PROMQL, f"{book.name} {step.number}"


def test_the_commands_and_runbooks_they_name_exist() -> None:
    known = {book.name for book in BOOKS}
    for book in BOOKS:
        named = set(re.findall(r"`incidentctl ([a-z-]+)", book.text))
        assert named - COMMANDS.keys() == set(), book.name
        assert set(re.findall(r"runbook `([a-z-]+)`", book.text)) <= known, book.name
