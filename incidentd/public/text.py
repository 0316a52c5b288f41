"""Public texts on their way into a format: instants, markup, and characters that no XML may hold."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202d\u202e\ud800-\udfff\ufffe\uffff]")
"""Also the two characters that write what follows backwards: a name must not reorder the line it stands in."""


def stamp(at: datetime) -> str:
    """An instant with exactly three fraction digits: some readers of the format fail without."""
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def stamp_or_none(at: datetime | None) -> str | None:
    """As `stamp`."""
    return None if at is None else stamp(at)


def plain(text: str) -> str:
    """`text` without what can stand in no XML document, and in no sensible text."""
    return _FORBIDDEN.sub("", text)


def escaped(text: str) -> str:
    """`text` for HTML and XML, between tags and in attributes."""
    return html.escape(plain(text))


def fragment(body: str) -> str:
    """A public text as HTML: escaped once, with its line breaks."""
    return escaped(body).replace("\r\n", "\n").replace("\n", "<br />")


def label(word: str) -> str:
    """A status as people read it: `in_progress` is `In progress`."""
    return word.replace("_", " ").capitalize()
