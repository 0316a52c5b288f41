"""What lies in deploy/, read; and the programs that judge it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.programs import require
from tests.shape import ROOT

DEPLOY = ROOT / "deploy"
RULES = (DEPLOY / "prometheus-rules.yml", DEPLOY / "service-rules.yml")
DASHBOARDS = tuple(sorted((DEPLOY / "dashboards").glob("*.json")))
SECRETS = "/run/secrets"
_VARIABLES = {
    "$__range_s": "3600",
    "$__range": "1h",
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$job": ".+",
    "$environment": "production|prod",
}


def read(path: Path) -> Any:
    """A YAML file of one document."""
    return YAML(typ="safe").load(path)


def documents(path: Path) -> list[Any]:
    """A YAML file of several."""
    return list(YAML(typ="safe").load_all(path))


@dataclass(frozen=True)
class Program:
    """A command that says by its exit status what it thinks of a file."""

    name: str
    hint: str

    def judge(self, *arguments: str | Path) -> str:
        """Run it; what it said. AssertionError with that if it is not content."""
        tool = require(self.name, self.hint)
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said


PROMTOOL = Program("promtool", "apt-get install prometheus")
AMTOOL = Program("amtool", "apt-get install prometheus-alertmanager")


def rules() -> Iterator[dict[str, Any]]:
    """Every alerting rule."""
    for path in RULES:
        for group in read(path)["groups"]:
            yield from group["rules"]


def expressions(dashboard: Path) -> Iterator[str]:
    """What a dashboard asks Prometheus, with a value for each of its variables."""
    board = json.loads(dashboard.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [annotation["expr"] for annotation in board["annotations"]["list"]]
    queries = [str(each["query"]["query"]) for each in board["templating"]["list"] if each["type"] == "query"]
    asked += [query.removeprefix("label_values(").rpartition(",")[0] for query in queries]
    for expression in asked:
        for name, value in _VARIABLES.items():
            expression = expression.replace(name, value)  # noqa: PLW2901 - one after another
        yield expression


_NO_NAMES = (
    r'"(?:[^"\\]|\\.)*"',  # strings first: they may hold anything
    r"\{[^}]*\}",
    r"\[[^\]]*\]",
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",
    r"\boffset\s+\w+",
    r"\b\d[\w.]*",
)
_WORDS = {"and", "or", "unless", "bool", "inf", "nan"}


def metric_names(expression: str) -> set[str]:
    """The metrics that a PromQL expression names."""
    for part in _NO_NAMES:
        expression = re.sub(part, " ", expression)
    return set(re.findall(r"[a-zA-Z_:][\w:]*\b(?!\s*\()", expression)) - _WORDS


def groupings(expression: str) -> set[tuple[str, str]]:
    """Metric and label, wherever values of a metric are grouped: `sum by (a) (x)` is x and a."""
    found = set()
    for match in re.finditer(r"\bby\s*\(([^)]*)\)\s*\(", expression):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(expression[end], 0)
            end += 1
        labels = re.findall(r"\w+", match[1])
        found |= {
            (metric, label) for metric in metric_names(expression[match.end() : end - 1]) for label in labels
        }
    return found


def legends(dashboard: Path) -> Iterator[tuple[str, set[str]]]:
    """What a dashboard asks, with the labels by which its legends and its lines tell the answers apart."""
    board = json.loads(dashboard.read_text(encoding="utf-8"))
    asked = [(t["expr"], t["legendFormat"]) for panel in board["panels"] for t in panel.get("targets", [])]
    asked += [(each["expr"], each["titleFormat"]) for each in board["annotations"]["list"]]
    for expression, words in asked:
        yield expression, set(re.findall(r"\{\{(\w+)\}\}", words))


def label_names(expression: str) -> set[tuple[str, str]]:
    """Metric and label, wherever a metric is asked for by labels: `up{job="a"}` is up and job."""
    bare = re.sub(_NO_NAMES[0], '""', expression)
    return {
        (metric, label)
        for metric, inside in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", bare)
        for label in re.findall(r"(\w+)\s*[=!]", inside)
    }
