"""Alerting rules: Prometheus' rule files, the PrometheusRule objects that hold the same, and the answer of its API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from incidentd.domain.rule_lint import AlertRule, Code, Finding

_MERGE = "tag:yaml.org,2002:merge"
_KINDS = "accepted: a rule file (groups:), or a PrometheusRule (spec.groups)"
_CRD = "PrometheusRule"


class RuleFile(NamedTuple):
    """What was found in one place."""

    rules: tuple[AlertRule, ...]
    unreadable: tuple[Finding, ...]
    """What could not be understood. The rest was read."""


def read(text: str, file: str) -> RuleFile:
    """The alerting rules of all YAML documents in `text`; recording rules are left out."""
    found = _Found(file)
    try:
        # Composed, not constructed: the nodes know their lines, and a label such as 1 keeps its spelling.
        for document in YAML(typ="safe", pure=True).compose_all(text):
            found.document(document)
    except MarkedYAMLError as refused:
        mark = refused.problem_mark
        reason = str(refused.problem or refused.context or "cannot be read")
        found.bad(f"is not YAML: {reason}", _TEMPLATED, None if mark is None else mark.line + 1)
    except (YAMLError, RecursionError):
        found.bad("has characters or depths that YAML does not allow", "accepted: plain UTF-8 text", None)
    return RuleFile(tuple(found.rules), tuple(found.unreadable))


_TEMPLATED = "a template of Helm or Jsonnet has to be rendered first"


def read_api(answer: Any) -> RuleFile:  # noqa: ANN401 - whatever was answered
    """The alerting rules in an answer of ``/api/v1/rules?type=alert``. Raises ValueError if it is none."""
    data = _map(_map(answer).get("data"))
    groups = data.get("groups")
    if _map(answer).get("status") != "success" or not isinstance(groups, list):
        raise ValueError("the answer is not that of Prometheus' /api/v1/rules")
    rules = tuple(
        AlertRule(
            name=str(rule["name"]),
            labels=_texts(rule.get("labels")),
            annotations=_texts(rule.get("annotations")),
            group=str(_map(group).get("name", "")),
            file=str(_map(group).get("file", "")),
        )
        for group in groups
        for rule in map(_map, _map(group).get("rules") or ())
        if rule.get("type") == "alerting" and rule.get("name")
    )
    return RuleFile(rules, ())


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in _map(value).items()}


class _Found:
    """What one file has shown so far."""

    def __init__(self, file: str) -> None:
        self.rules: list[AlertRule] = []
        self.unreadable: list[Finding] = []
        self._file = file

    def bad(self, what: str, remedy: str, line: int | None) -> None:
        self.unreadable.append(Finding(Code.UNREADABLE, what, remedy, None, self._file, line))

    def document(self, node: Node | None) -> None:
        """One YAML document; an empty one holds nothing."""
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return
        top = _fields(node)
        kind = _text(top.get("kind"))
        if kind.endswith("List") and "items" in top:
            for item in _items(top.get("items")):
                self.document(item)
            return
        if kind not in ("", _CRD):
            return  # a neighbour in a file of Kubernetes objects
        holder = _fields(top.get("spec")) if kind == _CRD or "groups" not in top else top
        if "groups" not in holder:
            self.bad("holds no rules", _KINDS, _line(node))
            return
        for group in _items(holder["groups"]):
            self._group(_fields(group), _line(group))

    def _group(self, group: Mapping[str, Node], line: int) -> None:
        name = _text(group.get("name"))
        if "rules" not in group:
            self.bad(f'group "{name}" has no rules', "add rules:, or delete the group", line)
        for node in _items(group.get("rules")):
            rule = _fields(node)
            if "alert" in rule:
                self._rule(rule, name, _line(node))
            elif "record" not in rule:
                self.bad("is no rule", "accepted: an alert: or a record: with its expr:", _line(node))

    def _rule(self, rule: Mapping[str, Node], group: str, line: int) -> None:
        labels, annotations = (
            {name: _text(value) for name, value in _fields(rule.get(key)).items()}
            for key in ("labels", "annotations")
        )
        self.rules.append(AlertRule(_text(rule["alert"]), labels, annotations, group, self._file, line))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _text(node: Node | None) -> str:
    return str(node.value) if isinstance(node, ScalarNode) else ""


def _items(node: Node | None) -> Iterable[Node]:
    return node.value if isinstance(node, SequenceNode) else ()


def _fields(node: Node | None) -> dict[str, Node]:
    """The keys of a mapping, those merged in by ``<<`` included; its own win."""
    if not isinstance(node, MappingNode):
        return {}
    merged: dict[str, Node] = {}
    own: dict[str, Node] = {}
    for key, value in node.value:
        if str(key.tag) == _MERGE or _text(key) == "<<":
            for other in _merged(value):
                merged = {**_fields(other), **merged}
        elif isinstance(key, ScalarNode):
            own[_text(key)] = value
    return {**merged, **own}


def _merged(node: Node) -> Iterator[Node]:
    yield from node.value if isinstance(node, SequenceNode) else [node]
