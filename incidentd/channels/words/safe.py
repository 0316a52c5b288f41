"""Texts from outside made harmless: one line or several, short enough, readable, and something UTF-8 can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MAX_TITLE = 200
MAX_VALUE = 500
MAX_BODY = 2000
_MAX_LINES = 40

_SURROGATES = re.compile("[\ud800-\udfff]")
_REORDER = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_NOT_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_REORDER}\\s]+")


def encodable(text: str) -> str:
    """`text` with each half of a surrogate pair replaced, so that UTF-8 can hold it. Nothing else changes."""
    return _SURROGATES.sub("\ufffd", text)


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, its end replaced by an ellipsis if it is longer."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "\u2026"


def cut_bytes(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, its end replaced by an ellipsis if it is longer."""
    data = text.encode()
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore").rstrip() + "\u2026"


def tidy(text: str, limit: int = MAX_VALUE) -> str:
    """`text` as one harmless line of at most `limit` characters."""
    # Cut first, generously: an annotation may be megabytes, and only its beginning is shown.
    return cut(_NOT_LINE.sub(" ", encodable(text[: limit * 4])).strip(), limit)


def tidy_lines(text: str, limit: int = MAX_BODY) -> str:
    """`text` as harmless lines, at most 40 and `limit` characters together; its line ends are kept."""
    lines = [tidy(line, limit) for line in text[: limit * 4].split("\n", _MAX_LINES)[:_MAX_LINES]]
    return cut("\n".join(lines).strip(), limit)


def when(at: datetime) -> str:
    """An instant for people: ``2026-11-20 10:15 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clock(at: datetime, today: datetime) -> str:
    """An instant for people who read it on the day of `today`: ``10:15 UTC``; on another day with its date."""
    there, here = at.astimezone(UTC), today.astimezone(UTC)
    return f"{there:%H:%M} UTC" if there.date() == here.date() else when(at)


def span(length: timedelta) -> str:
    """A length of time for people, in its two largest units: ``2h 5m``."""
    seconds = max(0, int(length.total_seconds()))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def label_text(labels: Mapping[str, str], limit: int) -> str:
    """Labels on one line, ``a=b, c=d``, in at most `limit` characters."""
    shown = ", ".join(f"{tidy(name, 80)}={tidy(value, 120)}" for name, value in list(labels.items())[:30])
    return cut(shown, limit)
