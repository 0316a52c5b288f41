"""What a page is made of."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Self

KNOWN = frozenset(
    (
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "p",
        "pre",
        "div",
        "table",
        "tr",
        "th",
        "td",
        "svg",
        "text",
        "tspan",
        "rect",
        "line",
        "polyline",
    )
)
"""The elements of pages that stand alone: none of them runs anything, or loads anything."""


class Tags(HTMLParser):
    """Collects the elements of a page, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.links: list[str] = []

    @classmethod
    def of(cls, page: str) -> Self:
        """Those of one page."""
        found = cls()
        found.feed(page)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "style"}]
