"""What is shipped to run incidentd with: Prometheus accepts the alert rules, and they fire when they should."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from incidentd.metrics import Metrics
from tests.programs import require

RULES = Path(__file__).parent.parent / "deploy/prometheus-rules.yml"
PAGES = 'incidentd_deliveries_total{job="incidentd",channel="pager",class="page",outcome="%s"}'
RECONCILED = 'incidentd_reconcile_last_success_timestamp_seconds{job="incidentd",source="main"}'
WAITING = 'incidentd_delivery_oldest_pending_seconds{job="incidentd",class="%s"}'
PAGER = {"job": "incidentd", "channel": "pager"}
JOB = {"job": "incidentd"}


def promtool(*args: str | Path) -> None:
    tool = require("promtool", "apt-get install prometheus")
    done = subprocess.run([tool, *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", RULES)


def test_every_metric_of_the_rules_exists() -> None:
    families = Metrics().registry.collect()
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    groups = YAML(typ="safe").load(RULES)["groups"]
    used = {
        name
        for group in groups
        for rule in group["rules"]
        for name in re.findall(r"incidentd_\w+", rule["expr"])
    }
    assert used
    assert used - names == set()


@pytest.mark.parametrize(
    ("alert", "series", "values", "labels"),
    [
        ("IncidentdPageMissed", PAGES % "dead", "0 0 1 1 1 1", PAGER),
        ("IncidentdPageMissed", PAGES % "missed", "0 0 1 1 1 1", PAGER),
        ("IncidentdPageMissed", PAGES % "sent", "0 0 1 1 1 1", None),
        ("IncidentdPageFellBack", PAGES % "fell_back", "0 0 1 1 1 1", PAGER),
        ("IncidentdChannelDown", 'incidentd_channel_up{job="incidentd",channel="pager"}', "0x9", PAGER),
        ("IncidentdChannelDown", 'incidentd_channel_up{job="incidentd",channel="pager"}', "0 0 1x7", None),
        ("IncidentdPagesWaiting", WAITING % "page", "0 59 61x9", JOB),
        ("IncidentdPagesWaiting", WAITING % "page", "60x9", None),
        ("IncidentdPagesWaiting", WAITING % "state", "90x9", None),
        ("IncidentdNotReconciling", RECONCILED, "0x20", {**JOB, "source": "main"}),
        ("IncidentdNotReconciling", RECONCILED, "0+60x20", None),
        ("IncidentdDeadDeliveries", 'incidentd_deliveries_dead{job="incidentd"}', "2x20", JOB),
    ],
)
def test_an_alert_fires_when_it_should(
    tmp_path: Path, alert: str, series: str, values: str, labels: dict[str, str] | None
) -> None:
    [rule] = [
        rule
        for group in YAML(typ="safe").load(RULES)["groups"]
        for rule in group["rules"]
        if rule["alert"] == alert
    ]
    # Only whether it fires and for whom: what it says may change.
    bare = {name: rule[name] for name in ("alert", "expr", "for") if name in rule}
    (tmp_path / "rules.yml").write_bytes(orjson.dumps({"groups": [{"name": "one", "rules": [bare]}]}))
    expected = [] if labels is None else [{"exp_labels": labels}]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values}],
        "alert_rule_test": [
            {"eval_time": "20m" if "20" in values else "7m", "alertname": alert, "exp_alerts": expected}
        ],
    }
    told = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yml").write_bytes(orjson.dumps(told))
    promtool("test", "rules", tmp_path / "test.yml")
