"""What tests/test_shape.py asks about a source file: sizes, names, comments. It reads and never imports."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Source:
    """One Python file of the project."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root of the project, as in `incidentd/clock.py`."""
        inside = self.path.is_relative_to(ROOT)
        return (self.path.relative_to(ROOT) if inside else self.path).as_posix()

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return ast.parse(self.text, filename=self.name)

    @cached_property
    def comments(self) -> dict[int, str]:
        """Line number to comment, without what only talks to a tool."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        found = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
        directive = re.compile(
            r"^(noqa|type: ignore|pragma|fmt)(\[[\w, -]+\]|: ?[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|: ?\w+)?"
        )
        return {line: directive.sub("", text).strip(" -#") for line, text in found.items()}

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def origins(self) -> dict[str, str]:
        """Name in this file to what was imported under it: `{"dt": "datetime.datetime"}`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.asname is not None
                    found[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if whole else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return found

    def uses(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything used from another module, whatever it was imported as."""
        origins = self.origins()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                parts = dotted(node)
                if parts and parts[0] in origins:
                    yield node.lineno, ".".join([origins[parts[0]], *parts[1:]])


def dotted(node: ast.expr) -> list[str]:
    """Return `a.b.c` as its parts; nothing for an expression that is no plain name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return [*head, node.attr]
    return []


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last line of the body, docstring included, decorators not."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def sources(*folders: str) -> list[Source]:
    """Every Python file below the folders, sorted by path."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path) for path in sorted(found)]


def broad_handlers(source: Source) -> Iterator[ast.ExceptHandler]:
    """Every handler that catches everything."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {"".join(dotted(each)[-1:]) for each in caught if each is not None}
        if node.type is None or names & {"Exception", "BaseException"}:
            yield node
