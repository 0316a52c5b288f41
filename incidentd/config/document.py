"""YAML 1.2 to plain values, with the line of every key; nothing of the text but keys appears in a problem."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from incidentd.config.problems import KeyPath, Problem, dotted
from incidentd.fields import env_reference

_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset({"null", "bool", "int", "float"})
_MAX_VALUES = 100_000
"""Aliases of aliases grow without bound; a configuration does not."""


@dataclass(slots=True)
class Document:
    """What a file says, before anybody judged whether it makes sense."""

    raw: Any = field(default_factory=dict)
    """Mappings, lists and scalars; a whole value ``${NAME}`` has become an `EnvReference`."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """Line, from 1, of each key and list item."""
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int | None:
        """Line of `path`, or of the nearest thing above it that stands in the file."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def parse(text: str) -> Document:
    """Read `text` as far as it can be read; what cannot be read is among the problems."""
    document = Document()
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as refused:
        mark = refused.problem_mark
        document.problems.append(Problem("", _syntax(refused), None if mark is None else mark.line + 1))
    except YAMLError:
        document.problems.append(
            Problem("", "has characters that YAML does not allow; accepted: plain UTF-8 text")
        )
    else:
        if node is not None:
            document.raw = _Reader(document, yaml).value(node, ())
    if document.raw is None:
        document.raw = {}
    if not document.problems and not isinstance(document.raw, dict):
        document.problems.append(
            Problem("", "is not a mapping; accepted: sections such as server: and channels:")
        )
    return document


def _syntax(refused: MarkedYAMLError) -> str:
    # The message may quote the text around the mistake, which may be a secret; marks such as ',' stay.
    reason = re.sub(r"'[^'<>]{2,}'", "...", str(refused.problem or refused.context or "cannot be read"))
    return f"is not YAML: {reason}"


class _Reader:
    """One walk over the composed nodes."""

    def __init__(self, document: Document, yaml: YAML) -> None:
        self._document = document
        self._construct = yaml.constructor.construct_object
        self._above: set[int] = set()
        self._count = 0

    def value(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
        self._count += 1
        if id(node) in self._above or self._count > _MAX_VALUES:
            if self._count <= _MAX_VALUES + 1:
                self._problem(path, node, "repeats itself without end; accepted: aliases of things that end")
            return None
        self._above.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._scalar(node, path) if isinstance(node, ScalarNode) else None
        finally:
            self._above.discard(id(node))

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(path, key_node, "has a key that is no plain text; accepted: keys of text")
                continue
            # A key is what is written: `1:` and `on:` are the texts "1" and "on".
            key = key_node.value
            here = (*path, key)
            if key in found:
                first = self._document.lines[here]
                self._problem(
                    here, key_node, f"is given twice, first in line {first}; accepted: each key once"
                )
            elif str(key_node.tag) == f"{_TAG}merge":
                self._problem(here, key_node, "merge keys are not YAML 1.2; write the keys out")
            else:
                self._document.lines[here] = key_node.start_mark.line + 1
                found[key] = self.value(value_node, here)
        return found

    def _item(self, node: Node, path: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
        self._document.lines[path] = node.start_mark.line + 1
        return self.value(node, path)

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
        kind = str(node.tag).removeprefix(_TAG)
        if kind in _PLAIN:
            return self._construct(node)
        # YAML 1.2 knows no dates: a field that wants one reads the text.
        if kind not in ("str", "timestamp"):
            self._problem(path, node, "has a YAML tag; accepted: plain values, without !")
            return None
        return env_reference(node.value) or node.value

    def _problem(self, path: KeyPath, node: Node, what: str) -> None:
        self._document.problems.append(Problem(dotted(path), what, node.start_mark.line + 1))
