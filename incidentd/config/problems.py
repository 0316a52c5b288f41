"""What is wrong with a configuration, said so that it can be mended: where, what, what is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the root down to a value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: str
    """The keys from the root down, joined by dots; empty if the file as a whole is meant."""
    what: str
    """What is wrong and what is accepted; never a secret."""
    line: int | None = None
    """Line in the file, from 1, where it is known."""


class ConfigError(Exception):
    """A configuration that is refused, with everything that is wrong with it.

    As text: one line per problem, ``path.to.key: what is wrong; what is accepted (file:line)``.
    """

    def __init__(self, problems: tuple[Problem, ...], file: Path | None = None) -> None:
        self.problems = problems
        self.file = file
        super().__init__("\n".join(self._line(problem) for problem in problems))

    def _line(self, problem: Problem) -> str:
        where = "" if self.file is None else str(self.file)
        text = f"{problem.path or where or 'configuration'}: {problem.what}"
        if problem.line is None:
            return text
        return f"{text} ({where}:{problem.line})" if where else f"{text} (line {problem.line})"


def dotted(path: KeyPath) -> str:
    """`path` as people read it: ``auth.tokens.0.name``."""
    return ".".join(map(str, path))
