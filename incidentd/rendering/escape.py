"""Strangers' words made harmless: for a page, for Markdown, for a spreadsheet."""

from __future__ import annotations

import re
from html import escape
from typing import Final

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|!~])")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_FORMULA: Final = ("=", "+", "-", "@")
_FENCE: Final = re.compile(r"`{3,}")


def plain(text: str) -> str:
    """One line without controls and without what turns the direction of letters round."""
    return _CONTROLS.sub(" ", text)


def html(text: str) -> str:
    """The same inside an element or an attribute in double quotes."""
    return escape(plain(text))


def marked(text: str) -> str:
    """The same in Markdown, where nothing of it means anything."""
    return _MARKS.sub(r"\\\1", plain(text))


def cell(text: str) -> str:
    """The same in a spreadsheet, which would run what looks like a formula."""
    found = plain(text)
    return f"'{found}" if found.startswith(_FORMULA) else found


def lines(text: str) -> str:
    """Several lines, each harmless; no Markdown fence of three or more backticks is left in it."""
    return _FENCE.sub("``", "\n".join([plain(line) for line in text.splitlines()]))
