"""Rule files as Prometheus, its operator and its API write them."""

from __future__ import annotations

import pytest

from incidentd.ingest.rule_files import read, read_api

RULES = """\
groups:
  - name: disks
    rules:
      - record: job:up:sum
        expr: sum(up)
      - alert: DiskFull
        expr: disk > 0.9
        for: 5m
        labels: {severity: critical, tier: 1, zone: "on"}
        annotations:
          summary: "{{ $labels.instance }} is full"
"""
CRD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: neighbour}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - name: web
      rules: [{alert: Down, expr: up == 0}]
---
"""


def test_an_alerting_rule_is_read_with_its_line_and_its_values_as_written() -> None:
    [rule] = read(RULES, "rules.yml").rules
    assert (rule.name, rule.group, rule.file, rule.line) == ("DiskFull", "disks", "rules.yml", 6)
    assert rule.labels == {"severity": "critical", "tier": "1", "zone": "on"}
    assert rule.annotations == {"summary": "{{ $labels.instance }} is full"}


def test_the_operator_s_objects_are_read_among_their_neighbours_and_in_lists() -> None:
    assert [(rule.name, rule.line) for rule in read(CRD, "x").rules] == [("Down", 10)]
    item = '{"kind": "PrometheusRule", "spec": {"groups": [{"rules": [{"alert": "A"}]}]}}'
    found = read(f'{{"kind": "List", "items": [{item}, {item}]}}', "x")
    assert [rule.name for rule in found.rules] == ["A", "A"]


def test_merged_labels_count_and_a_rule_s_own_win() -> None:
    text = """\
common: &common {team: db, severity: info}
groups:
  - rules:
      - {alert: A, labels: {<<: *common, severity: critical}}
      - {alert: B, labels: {<<: [{team: web}, *common]}}
"""
    first, second = read(text, "x").rules
    assert first.labels == {"team": "db", "severity": "critical"}
    assert second.labels == {"team": "web", "severity": "info"}


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("groups: [\n", "is not YAML", 2),
        ("{{- if .Values.rules }}\ngroups: []\n", "is not YAML", 1),
        ("route: {}\n", "holds no rules", 1),
        ("[1, 2]\n", "holds no rules", 1),
        ("groups:\n  - name: web\n", 'group "web" has no rules', 2),
        ("groups:\n  - rules:\n      - {expr: up}\n", "is no rule", 3),
        ("groups: [\x01]\n", "has characters", None),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, what: str, line: int | None) -> None:
    [bad] = read(text, "rules.yml").unreadable
    assert what in bad.what
    assert (bad.file, bad.line) == ("rules.yml", line)


def test_a_document_that_is_broken_does_not_hide_the_one_before_it() -> None:
    found = read(RULES + "---\ngroups: [\n", "x")
    assert ([rule.name for rule in found.rules], len(found.unreadable)) == (["DiskFull"], 1)


def test_an_empty_file_holds_nothing_and_that_is_fine() -> None:
    assert read("", "x") == read("# nothing yet\n", "x") == ((), ())


def test_the_api_s_alerting_rules_are_read() -> None:
    down = {"type": "alerting", "name": "Down", "labels": {"team": "db"}, "annotations": {}}
    group = {"name": "web", "file": "/etc/rules.yml", "rules": [down, {"type": "recording", "name": "x"}]}
    [rule] = read_api({"status": "success", "data": {"groups": [group]}}).rules
    assert (rule.name, rule.group, rule.file, rule.line) == ("Down", "web", "/etc/rules.yml", None)


@pytest.mark.parametrize(
    "answer", [None, [], {"status": "success"}, {"status": "error", "data": {"groups": []}}]
)
def test_another_answer_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="/api/v1/rules"):
        read_api(answer)
