"""From the text of one file to a runbook, or to everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
import re
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError

from incidentd.config.document import parse
from incidentd.config.explain import explain, nearest
from incidentd.config.problems import Problem
from incidentd.config.section import Section
from incidentd.domain.runbook import Action, Kind, Runbook, Step
from incidentd.runbooks.front import FrontMatter
from incidentd.runbooks.markdown import Block, Item, Outline, outline
from incidentd.runbooks.problem import RunbookError, RunbookProblem, located
from incidentd.runbooks.steps import MODELS, action_of

MAX_BYTES = 256 * 1024
"""A longer file is refused."""
MAX_STEPS = 50
_MAX_LINES = 200
"""Lines of one piece of YAML."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_KINDS = ", ".join(Kind)

T = TypeVar("T", bound=Section)


def read_runbook(content: bytes, file: str, name: str) -> Runbook:
    """The runbook that `content` is; `file` names it in problems. Raises `RunbookError`."""
    text = _text(content, file, name)
    front, body = _split(text, file)
    matter, problems = _front_matter(front, file)
    written = outline(body, file)
    problems += [*written.problems, *_of_outline(written, file)]
    steps, wrong = _steps(written, file)
    problems += wrong
    if problems or matter is None:
        raise RunbookError(tuple(sorted(problems, key=lambda problem: problem.line or 0)))
    return Runbook(
        name=name,
        title=written.title or name,
        match=matter.match,
        steps=steps,
        text=text,
        hash=hashlib.sha256(content).hexdigest(),
        service=matter.service,
        severities=matter.severity,
        owner=matter.owner,
        version=matter.version,
        tested=matter.tested,
    )


def step_lines(text: str, file: str) -> list[int]:
    """The line of each step of a runbook that was read: of what automates it, if it has that."""
    _, body = _split(text, file)
    return [item.blocks[0].line - 1 if item.blocks else item.line for item in outline(body, file).items]


def _text(content: bytes, file: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        accepted = "up to 63 of a-z, 0-9, - and _, a letter or digit at both ends, then .md"
        raise _refused(file, f"the file's name is no name of a runbook; accepted: {accepted}")
    if len(content) > MAX_BYTES:
        raise _refused(file, f"is longer than {MAX_BYTES // 1024} KiB")
    if b"\0" in content:
        raise _refused(file, "has NUL bytes; accepted: Markdown as UTF-8 text")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as refused:
        raise _refused(file, f"is not UTF-8 text (byte {refused.start})") from None


def _refused(file: str, what: str, line: int | None = None) -> RunbookError:
    return RunbookError((RunbookProblem(file, line, what),))


def _split(text: str, file: str) -> tuple[str, str]:
    """Front matter and body, each with the other's lines left empty so that line numbers are those of the file."""
    lines = text.split("\n")
    ends = [number for number, line in enumerate(lines[1:], start=1) if line.rstrip() in {"---", "..."}]
    if lines[0].rstrip() != "---":
        raise _refused(file, 'has no front matter; accepted: "---", keys such as match:, "---" at the top', 1)
    if not ends:
        raise _refused(file, 'the front matter has no end; accepted: a line "---" after it', 1)
    end = ends[0]
    if end > _MAX_LINES:
        raise _refused(file, f"the front matter is longer than {_MAX_LINES} lines", 1)
    return "\n" + "\n".join(lines[1:end]), "\n" * (end + 1) + "\n".join(lines[end + 1 :])


def _front_matter(text: str, file: str) -> tuple[FrontMatter | None, list[RunbookProblem]]:
    return _model(FrontMatter, text, file, 1, "")


def _model(
    model: type[T], text: str, file: str, line: int, within: str
) -> tuple[T | None, list[RunbookProblem]]:
    """The piece of YAML that begins in `line` as a `model`."""
    document = parse(text)
    if not isinstance(document.raw, dict):
        what = f"is no mapping; accepted: keys such as {next(iter(model.model_fields))}:"
        return None, located([Problem("", what)], file, line, within)
    if document.problems:
        return None, located(document.problems, file, line, within)
    try:
        return model.model_validate(document.raw), []
    except ValidationError as refused:
        # The models are flat: whatever is unknown is unknown at the top.
        problems = explain(refused, document, lambda _, __: model.model_fields)
        return None, located(problems, file, line, within)


def _of_outline(written: Outline, file: str) -> list[RunbookProblem]:
    if written.steps_line is None:
        near = [line for line, text in written.sections if get_close_matches(text.lower(), ["steps"])]
        what = "has no steps; accepted: a section ## Steps with numbered items"
        return [RunbookProblem(file, near[0] if near else None, what)]
    what, count = "", len(written.items)
    if not count:
        what = "## Steps is empty; accepted: numbered items (1.) and task items (- [ ])"
    elif count > MAX_STEPS:
        what = f"## Steps has {count} steps; accepted: at most {MAX_STEPS}"
    return [RunbookProblem(file, written.steps_line, what)] if what else []


def _steps(written: Outline, file: str) -> tuple[tuple[Step, ...], list[RunbookProblem]]:
    steps, problems = [], []
    for number, item in enumerate(written.items, start=1):
        if not item.text:
            problems.append(RunbookProblem(file, item.line, f"step {number} does not say what to do"))
        action, wrong = _action(number, item, file)
        problems += wrong
        steps.append(Step(number, item.text, action))
    return tuple(steps), problems


def _action(number: int, item: Item, file: str) -> tuple[Action | None, list[RunbookProblem]]:
    if not item.blocks:
        return None, []
    if len(item.blocks) > 1:
        what = f"step {number} has two step blocks; make two steps of it"
        return None, [RunbookProblem(file, item.blocks[1].line - 1, what)]
    block = item.blocks[0]
    if block.kind not in set(Kind):
        what = f"{block.kind} is no kind of step; accepted: {_KINDS}{nearest(block.kind, list(Kind))}"
        return None, [RunbookProblem(file, block.line - 1, what)]
    return _validated(Kind(block.kind), block, file, f"step {number}")


def _validated(
    kind: Kind, block: Block, file: str, within: str
) -> tuple[Action | None, list[RunbookProblem]]:
    if block.yaml.count("\n") > _MAX_LINES:
        return None, [RunbookProblem(file, block.line, f"{within} is longer than {_MAX_LINES} lines")]
    text = "\n" * (block.line - 1) + block.yaml
    given, problems = _model(MODELS[kind], text, file, block.line - 1, within)
    return action_of(kind, given) if given is not None else None, problems
