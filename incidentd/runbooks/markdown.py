"""A runbook's Markdown: its title, the items of `## Steps`, and the blocks that automate them, each with its line."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from incidentd.runbooks.problem import RunbookProblem

_BOXES = ("[ ] ", "[x] ", "[X] ")
_SECTION = 2
_TEXT = 500
"""Characters of a step's text that are kept."""


@dataclass(slots=True)
class Block:
    """A fenced block that automates a step."""

    kind: str
    yaml: str
    line: int
    """Of its first line of YAML, from 1."""


@dataclass(slots=True)
class Item:
    """One item of the steps."""

    line: int
    text: str = ""
    blocks: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class Outline:
    """What matters of the text."""

    title: str = ""
    items: list[Item] = field(default_factory=list)
    steps_line: int | None = None
    """Where `## Steps` stands."""
    sections: list[tuple[int, str]] = field(default_factory=list)
    """Every heading with its line."""
    problems: list[RunbookProblem] = field(default_factory=list)


@functools.cache
def parser() -> MarkdownIt:
    """The dialect: CommonMark with tables, HTML shown as text."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def outline(text: str, file: str) -> Outline:
    """Read `text`, in which the front matter has been blanked out so that its lines still count."""
    return _Reader(file, text.split("\n")).read(parser().parse(text))


@dataclass(slots=True)
class _Reader:
    """One walk over the tokens."""

    file: str
    lines: list[str]
    found: Outline = field(default_factory=Outline)
    inside: bool = False
    """In the section of the steps."""
    lists: list[bool] = field(default_factory=list)
    """The lists around the current token: whether each is numbered."""
    item: Item | None = None

    def read(self, tokens: Sequence[Token]) -> Outline:
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            match token.type:
                case "heading_open" if not self.lists:
                    self._heading(token, following)
                case "ordered_list_open" | "bullet_list_open":
                    self.lists.append(token.type.startswith("ordered"))
                case "ordered_list_close" | "bullet_list_close":
                    self.lists.pop()
                case "list_item_open" if self.inside and len(self.lists) == 1:
                    self._begin(token)
                case "list_item_close" if len(self.lists) == 1:
                    self._end()
                case "inline" if self.item is not None and not self.item.text and len(self.lists) == 1:
                    self.item.text = plain(token)[:_TEXT]
                case "fence":
                    self._fence(token)
        return self.found

    def _heading(self, token: Token, following: Token | None) -> None:
        level, text = int(token.tag[1:]), plain(following) if following is not None else ""
        self.found.sections.append((_line(token), text.strip()))
        if level == 1 and not self.found.title:
            self.found.title = text
        if level <= _SECTION:
            self.inside = level == _SECTION and text.strip().lower() == "steps"
            if self.inside:
                if self.found.steps_line is not None:
                    self._problem(_line(token), f"## Steps stands in line {self.found.steps_line} already")
                self.found.steps_line = _line(token)

    def _begin(self, token: Token) -> None:
        self.item = Item(_line(token))

    def _end(self) -> None:
        item, self.item = self.item, None
        if item is None:
            return
        boxed = item.text.startswith(_BOXES)
        if not boxed and not self.lists[0]:
            # A plain list is prose, unless somebody meant it.
            if item.blocks:
                self._problem(item.line, "is no step; accepted: numbered items (1.) and task items (- [ ])")
            return
        item.text = item.text[4:].strip() if boxed else item.text
        self.found.items.append(item)

    def _fence(self, token: Token) -> None:
        words = token.info.split()
        line, last = _line(token), self.lines[(token.map or [0, 1])[1] - 1]
        if not last.strip().startswith(token.markup) or (token.map or [0, 2])[1] - line < 1:
            self._problem(
                line, "this block has no end, or a line of it stands left of the item it belongs to"
            )
            return
        if words[:1] == ["step"]:
            self._problem(line, f"write ```yaml {' '.join(words)}: GitHub then shows it as YAML")
        elif words[:2] != ["yaml", "step"]:
            return
        elif self.item is None:
            self._problem(line, "a step block stands outside of a step; indent it below its item in ## Steps")
        elif len(words) != 3:  # noqa: PLR2004 - yaml step KIND
            self._problem(line, "write ```yaml step KIND, such as ```yaml step promql, and nothing more")
        else:
            self.item.blocks.append(Block(words[2], token.content, line + 1))

    def _problem(self, line: int, what: str) -> None:
        self.found.problems.append(RunbookProblem(self.file, line, what))


def step_kind(token: Token) -> str | None:
    """What kind of step a fenced block automates; None if it is another token."""
    words = token.info.split() if token.type == "fence" else []
    return words[2] if len(words) == 3 and words[:2] == ["yaml", "step"] else None  # noqa: PLR2004 - yaml step KIND


def plain(token: Token) -> str:
    """The text of an inline token on one line, without its marks."""
    return " ".join("".join(_pieces(token.children or ())).split())


def _pieces(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        yield " " if token.type in {"softbreak", "hardbreak"} else token.content


def _line(token: Token) -> int:
    return (token.map or [0])[0] + 1
