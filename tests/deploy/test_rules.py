"""The alert rules: Prometheus accepts them, each fires when it should and only then, and each says what to do."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from incidentd.cli.main import main
from tests.deploy.cases import CASES, Case
from tests.deploy.configs import runnable
from tests.deploy.shipped import DEPLOY, PROMTOOL, RULES, read, rules
from tests.shape import ROOT

ALWAYS = "Watchdog"
LINK = re.compile(r"https://git\.example\.com/ops/incidentd/src/main/deploy/runbooks\.md#(\w+)")


def test_promtool_accepts_the_rules() -> None:
    PROMTOOL.judge("check", "rules", *RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.severity}")
def test_an_alert_fires_when_it_should(tmp_path: Path, case: Case) -> None:
    [rule] = [
        each
        for each in rules()
        if each["alert"] == case.alert and each["labels"]["severity"] == case.severity
    ]
    # Whether it fires and for whom: what it says may change.
    bare = {name: rule[name] for name in ("alert", "expr", "for", "labels") if name in rule}
    (tmp_path / "rules.yml").write_bytes(orjson.dumps({"groups": [{"name": "one", "rules": [bare]}]}))
    fires = [] if case.labels is None else [{"exp_labels": {**case.labels, "severity": case.severity}}]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": f"{case.at}m", "alertname": case.alert, "exp_alerts": fires}],
    }
    told = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yml").write_bytes(orjson.dumps(told))
    PROMTOOL.judge("test", "rules", tmp_path / "test.yml")


def test_every_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    wanted = {(rule["alert"], rule["labels"]["severity"]) for rule in rules()}
    fires = {(case.alert, case.severity) for case in CASES if case.labels is not None}
    silent = {(case.alert, case.severity) for case in CASES if case.labels is None}
    assert fires == wanted
    assert wanted - silent == {(ALWAYS, "none")}


def test_no_two_rules_are_one_alert() -> None:
    counts = Counter((rule["alert"], rule["labels"]["severity"]) for rule in rules())
    assert [rule for rule, count in counts.items() if count > 1] == []


def test_every_rule_says_how_bad_whose_what_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}, rule
        assert rule["labels"]["service"], rule
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, rule
        assert all(rule["annotations"].values()), rule


def test_every_link_of_a_rule_leads_to_its_part_of_the_runbooks() -> None:
    text = (DEPLOY / "runbooks.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    alerts = sorted({rule["alert"] for rule in rules()})
    assert sorted(headings) == alerts
    for rule in rules():
        found = LINK.fullmatch(rule["annotations"]["runbook_url"])
        assert found is not None, rule
        # What Git forges make of a heading.
        assert found[1] == rule["alert"].lower()


def test_every_rule_is_clean_by_the_daemons_own_lint(tmp_path: Path) -> None:
    config = runnable("incidentd.yaml", tmp_path)
    arguments = ["lint-rules", "--json", "--config", str(config), "--owner-label", "service"]
    done = CliRunner().invoke(main, [*arguments, "--label", "cluster=main", *map(str, RULES)])
    report = json.loads(done.stdout)
    assert report["rules"] == len(list(rules()))
    # A kit that tells the console alone cannot be anything but thin.
    serious = [f for f in report["findings"] if f["level"] != "info" and f["code"] != "thin_paging"]
    assert serious == []


@pytest.mark.parametrize(("file", "document"), list(zip(RULES, ("operations.md", "deploy.md"), strict=True)))
def test_every_alert_is_in_the_documents(file: Path, document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    alerts = {rule["alert"] for group in read(file)["groups"] for rule in group["rules"]}
    assert [alert for alert in sorted(alerts) if f"`{alert}`" not in text] == []
