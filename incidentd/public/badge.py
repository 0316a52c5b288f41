"""Badges: the state in a word, as SVG without anything to load."""

from __future__ import annotations

from collections.abc import Mapping

from incidentd.domain.status_page.page import PublicPage
from incidentd.domain.status_page.words import WORDS, Level, Status
from incidentd.public.text import escaped

_LETTER = 6.6
"""Width of an average letter at this size; the text is fitted to it, whatever font there is."""
_LEVELS = {
    Level.NONE: "#3b7d42",
    Level.MAINTENANCE: "#273394",
    Level.MINOR: "#634300",
    Level.MAJOR: "#ad5e00",
    Level.CRITICAL: "#770931",
}
_STATUSES = {
    Status.OPERATIONAL: "#3b7d42",
    Status.UNDER_MAINTENANCE: "#273394",
    Status.DEGRADED: "#634300",
    Status.PARTIAL: "#ad5e00",
    Status.MAJOR: "#770931",
}


def badges(page: PublicPage) -> Mapping[str, bytes]:
    """Path -> badge: of the page, and of each component and group."""
    made = {"/badge.svg": _badge(page.name, page.description.lower(), _LEVELS[page.indicator])}
    for row in page.components:
        made[f"/badge/{row.id}.svg"] = _badge(row.name, WORDS[row.status], _STATUSES[row.status])
    return made


def _badge(left: str, right: str, colour: str) -> bytes:
    first, second = _width(left), _width(right)
    title, width = escaped(f"{left}: {right}"), first + second
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}">'
        f'<title>{title}</title><rect width="{width}" height="20" rx="3" fill="#3a4147"/>'
        f'<path fill="{colour}" d="M{first} 0h{second - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{first}z"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(left, 0, first)}{_text(right, first, second)}</g></svg>"
    ).encode()


def _text(text: str, begin: int, width: int) -> str:
    inner = width - 12
    return f'<text x="{begin + 6}" y="14" textLength="{inner}" lengthAdjust="spacingAndGlyphs">{escaped(text)}</text>'


def _width(text: str) -> int:
    return 12 + round(max(len(text), 1) * _LETTER)
