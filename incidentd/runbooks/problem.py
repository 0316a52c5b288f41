"""What is wrong with a runbook, said so that it can be mended: file and line, what, what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from incidentd.config.problems import Problem


@dataclass(frozen=True, slots=True)
class RunbookProblem:
    """One thing that is wrong with one file. As text: ``FILE:LINE: what is wrong; what is accepted``."""

    file: str
    line: int | None
    """From 1; None if the file as a whole is meant."""
    what: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.what}"


class RunbookError(Exception):
    """A runbook that is refused, with everything that is wrong with it."""

    def __init__(self, problems: tuple[RunbookProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


def located(problems: Iterable[Problem], file: str, line: int, within: str = "") -> list[RunbookProblem]:
    """Problems of a piece of YAML as those of the file that it stands in; `within` names the piece.

    `line` is where the piece begins: something that is missing has no line of its own.
    """
    found = []
    for problem in problems:
        place = ".".join(filter(None, (within, problem.path)))
        found.append(
            RunbookProblem(file, problem.line or line, f"{place}: {problem.what}" if place else problem.what)
        )
    return found
