"""Conditions of OnCall's routes -> matchers, where they say the same.

A template is read with Jinja's own grammar: comparisons of labels with texts, joined by `and`, `or` and `not`. Whatever
else it does cannot be said with matchers, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from incidentd.domain.matcher import Matcher

Alternative = tuple[Matcher, ...]
"""Matchers that all have to hold."""

_GROUP = "it looks at the labels of a whole group; here each incident is matched by its own labels"
_SOURCES = {"labels": "", "commonLabels": _GROUP, "groupLabels": _GROUP}
_MAX = 20
"""Alternatives: a condition of more is not one that a person wrote."""
_ANYTHING = {"", ".*", ".+", "^.*$", "(.*)"}
_PAIR = re.compile(r'\\?"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\\?"\s*:(?:\\s[*+]?|\s)*\\?"(?P<value>[^"\\]+)\\?"')
_SAFE = re.compile(r"[\w\s.:/|()-]+")


class Unsayable(Exception):
    """A condition that matchers cannot say; the reason says which part."""


class Condition:
    """What a route asks for."""

    def __init__(self, alternatives: tuple[Alternative, ...], differs: str = "") -> None:
        self.alternatives = alternatives
        """One of them has to hold; an empty one always does."""
        self.differs = differs
        """What is not quite the same; empty if nothing is."""


ALWAYS = Condition(((),))


def regex(text: str) -> Condition:
    """A regular expression that OnCall looks for in the payload as JSON. Raises Unsayable."""
    if text in _ANYTHING:
        return ALWAYS
    found = _PAIR.fullmatch(text.strip())
    if found is None or not _SAFE.fullmatch(found["value"]):
        raise Unsayable("it is looked for anywhere in the payload, and matchers look at single labels")
    name, value = found["name"], found["value"]
    plain = re.fullmatch(r"[\w:/-]+", value) is not None
    try:
        matcher = Matcher(name, "=" if plain else "=~", value)
    except ValueError as refused:
        raise Unsayable(str(refused)) from None
    differs = f'OnCall looks for "{name}" anywhere in the payload; here it is the label'
    return Condition(((matcher,),), differs)


def labels(pairs: object) -> Condition:
    """Labels that OnCall gave to the alert group. Raises Unsayable."""
    found = []
    for pair in pairs if isinstance(pairs, list) else ():
        key, value = (
            _named(pair.get(each)) if isinstance(pair, Mapping) else "" for each in ("key", "value")
        )
        if not key or not value:
            raise Unsayable("its labels have no names")
        found.append(Matcher(key, "=", value))
    if not found:
        raise Unsayable("it has no labels")
    return Condition((tuple(found),), "OnCall's labels of the alert group are taken for labels of the alerts")


def _named(part: object) -> str:
    return str(part.get("name") or "") if isinstance(part, Mapping) else str(part or "")


def template(text: str) -> Condition:
    """A Jinja template that OnCall takes for true if it renders `true`, `ok` or `1`. Raises Unsayable."""
    try:
        parsed = jinja2.Environment(autoescape=True).parse(text.strip())
    except jinja2.TemplateSyntaxError as refused:
        raise Unsayable(f"it is no Jinja template: {refused.message}") from None
    except RecursionError:
        raise Unsayable("it is nested too deeply") from None
    parts = [each for node in parsed.body if isinstance(node, nodes.Output) for each in node.nodes]
    if len(parsed.body) != 1 or len(parts) != 1:
        raise Unsayable("it does more than one {{ comparison }}")
    one = parts[0]
    if isinstance(one, nodes.Const) and one.value is True:
        return ALWAYS
    if isinstance(one, nodes.TemplateData) and one.data.strip().lower() in {"1", "true", "ok"}:
        return ALWAYS
    read = _Reading()
    alternatives = tuple(read.any_of(one, wanted=True))
    if len(alternatives) > _MAX:
        raise Unsayable("it has too many alternatives")
    return Condition(alternatives, "; ".join(read.differs))


class _Reading:
    """A template as alternatives of matchers (disjunctive normal form)."""

    def __init__(self) -> None:
        self.differs: list[str] = []

    def any_of(self, node: nodes.Node, *, wanted: bool) -> list[Alternative]:
        """When `node` is true, or false if that is wanted."""
        if isinstance(node, nodes.Not):
            return self.any_of(node.node, wanted=not wanted)
        if isinstance(node, nodes.And | nodes.Or):
            left, right = (self.any_of(each, wanted=wanted) for each in (node.left, node.right))
            if isinstance(node, nodes.Or) is wanted:
                return left + right
            if len(left) * len(right) > _MAX:
                raise Unsayable("it has too many alternatives")
            return [(*one, *other) for one in left for other in right]
        if isinstance(node, nodes.Compare) and len(node.ops) == 1:
            return [(self._compare(node, wanted=wanted),)]
        raise Unsayable("it is not made of comparisons of labels with texts")

    def _compare(self, node: nodes.Compare, *, wanted: bool) -> Matcher:
        operand = node.ops[0]
        kind = operand.op
        if kind in {"ne", "notin"}:
            kind, wanted = {"ne": "eq", "notin": "in"}[kind], not wanted
        left, right = node.expr, operand.expr
        if kind == "eq":
            if isinstance(left, nodes.Const):
                left, right = right, left
            return Matcher(self._label(left), "=" if wanted else "!=", _text(right))
        if kind == "in" and isinstance(right, nodes.List | nodes.Tuple):
            values = "|".join(re.escape(_text(each)) for each in right.items)
            return Matcher(self._label(left), "=~" if wanted else "!~", values)
        if kind == "in":
            return Matcher(self._label(right), "=~" if wanted else "!~", f"(?s:.*{re.escape(_text(left))}.*)")
        raise Unsayable("it compares by size, and labels are texts")

    def _label(self, node: nodes.Node) -> str:
        """The label that `payload.labels.NAME` or `payload["labels"]["NAME"]` names."""
        path: list[Any] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            if isinstance(node, nodes.Getattr):
                path.append(node.attr)
            else:
                path.append(node.arg.value if isinstance(node.arg, nodes.Const) else None)
            node = node.node
        named = isinstance(node, nodes.Name) and node.name == "payload"
        depth = 2
        if not named or len(path) != depth or path[1] not in _SOURCES or not isinstance(path[0], str):
            raise Unsayable("it looks at more of the payload than its labels")
        differs = _SOURCES[path[1]]
        if differs and differs not in self.differs:
            self.differs.append(differs)
        return path[0]


def _text(node: nodes.Node) -> str:
    """A text; an empty one is refused, for a missing label equals it here and not in Jinja."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and node.value:
        return node.value
    raise Unsayable("it compares with something else than a text")
