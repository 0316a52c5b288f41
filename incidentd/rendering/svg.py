"""Drawings: a burn-down of an error budget, bars, columns over time. Plain SVG without scripts, fonts or addresses.

Texts have the colour of what is around them, and shapes have classes, so that a page can give both its own colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from incidentd.rendering.escape import html

WIDTH, HEIGHT = 640, 200
_LEFT, _TOP, _BOTTOM = 44, 16, 24
_COLOURS = {"green": "#2e7d32", "yellow": "#b8860b", "red": "#c62828", "exhausted": "#6a1b1b"}
_XMLNS = 'xmlns="http://www.w3.org/2000/svg"'
_BARS = 480
"""Width of bars and columns: a telephone's, nearly, so that their words can be read there."""


def burn_down(title: str, course: Sequence[tuple[datetime, float]], state: str) -> str:
    """The share of a budget that was left over time, as one SVG element."""
    least = min([left for _, left in course] + [0.0])
    # Far below zero the drawing would show nothing else.
    low = max(math.floor(least * 4) / 4, -1.0)
    rows = [_grid(value, low) for value in (1.0, 0.5, 0.0, *((low,) if low < 0 else ()))]
    points = " ".join(f"{_x(n, len(course)):.1f},{_y(left, low):.1f}" for n, (_, left) in enumerate(course))
    days = [_day(course[0][0], "start", _LEFT), _day(course[-1][0], "end", WIDTH - 8)] if course else []
    colour = _COLOURS.get(state, "#555")
    line = f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>' if course else ""
    return element(title, "".join([*rows, line, *days]), WIDTH, HEIGHT)


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars: name, length, and the words at its end."""
    most = max([length for _, length, _ in values] + [0.0]) or 1.0
    rows = []
    for n, (name, length, words) in enumerate(values):
        y = 4 + n * 20
        width = 210 * max(length, 0.0) / most
        rows.append(
            f'<text x="190" y="{y + 13}" text-anchor="end">{html(short(name, 24))}</text>'
            f'<rect class="bar" x="196" y="{y + 2}" width="{width:.1f}" height="14" fill="#3f6fb5"/>'
            f'<text x="{202 + width:.1f}" y="{y + 13}">{html(words)}</text>'
        )
    return element(title, "".join(rows), _BARS, 8 + 20 * len(values))


def columns(title: str, values: Sequence[tuple[datetime, float]], highest: str) -> str:
    """Columns over time: the beginning of each span and its height. `highest`: what the longest one is in words."""
    most = max([height for _, height in values] + [0.0]) or 1.0
    step = _BARS / max(len(values), 1)
    gap = min(2.0, step / 4)
    shapes = [
        f'<rect class="bar" x="{n * step:.2f}" y="{110 - 90 * height / most:.1f}" width="{step - gap:.2f}" '
        f'height="{90 * height / most:.1f}" fill="#3f6fb5"><title>{at:%Y-%m-%d}: {height:g}</title></rect>'
        for n, (at, height) in enumerate(values)
        if height > 0
    ]
    base = f'<line class="grid" x1="0" x2="{_BARS}" y1="110.5" y2="110.5" stroke="#ccc"/>'
    words = f'<text x="0" y="13">{html(highest)}</text>'
    ends = ((values[0][0], 0, "start"), (values[-1][0], _BARS, "end")) if values else ()
    days = [f'<text x="{x}" y="126" text-anchor="{anchor}">{at:%Y-%m-%d}</text>' for at, x, anchor in ends]
    return element(title, "".join([words, base, *shapes, *days]), _BARS, 132)


def element(title: str, inside: str, width: int, height: int) -> str:
    """One drawing; `inside` are elements, `title` is unchecked words."""
    name = html(title)
    return (
        f'<svg {_XMLNS} viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{name}" font-family="sans-serif" font-size="12" fill="currentColor"><title>{name}</title>'
        f"{inside}</svg>"
    )


def short(name: str, most: int) -> str:
    """`name` in at most so many letters."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _grid(value: float, low: float) -> str:
    y = _y(value, low)
    dash = "" if value == 0 else ' stroke-dasharray="3 3"'
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"{dash}/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0%}</text>'
    )


def _day(at: datetime, anchor: str, x: int) -> str:
    return f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{at:%Y-%m-%d}</text>'


def _x(n: int, count: int) -> float:
    return _LEFT + (WIDTH - _LEFT - 8) * n / max(count - 1, 1)


def _y(left: float, low: float) -> float:
    share = (1 - max(left, low)) / (1 - low)
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * share


def sparkline(title: str, points: Sequence[tuple[float, float]]) -> str:
    """The course of one series as (when, value): a small line, its least and greatest value."""
    width, height, edge = 240, 48, 4
    since, until = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    values = [value for _, value in points]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    x = [edge + (width - 2 * edge) * (at - since) / ((until - since) or 1.0) for at, _ in points]
    y = [height - edge - (height - 2 * edge) * (value - low) / ((high - low) or 1.0) for value in values]
    line = " ".join([f"{left:.1f},{top:.1f}" for left, top in zip(x, y, strict=True)])
    name = html(f"{title} from {low:.6g} to {high:.6g}" if points else f"{title}: no data")
    return (
        f'<svg {_XMLNS} viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{name}"><title>{name}</title>'
        f'<polyline fill="none" stroke="#3f6fb5" stroke-width="1.5" points="{line}"/></svg>'
    )
