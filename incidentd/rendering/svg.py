"""Drawings: a burn-down of an error budget, and bars. Plain SVG without scripts, fonts or addresses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from html import escape

WIDTH, HEIGHT = 640, 200
_LEFT, _TOP, _BOTTOM = 44, 16, 24
_COLOURS = {"green": "#2e7d32", "yellow": "#b8860b", "red": "#c62828", "exhausted": "#6a1b1b"}
_XMLNS = 'xmlns="http://www.w3.org/2000/svg"'


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
    return _svg(title, "".join([*rows, line, *days]), HEIGHT)


def bars(title: str, values: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars: name, length, and the words at its end."""
    most = max([length for _, length, _ in values] + [0.0]) or 1.0
    rows = []
    for n, (name, length, words) in enumerate(values):
        y = 8 + n * 22
        width = 300 * max(length, 0.0) / most
        rows.append(
            f'<text x="170" y="{y + 13}" text-anchor="end">{escape(_short(name))}</text>'
            f'<rect x="178" y="{y + 2}" width="{width:.1f}" height="15" fill="#3f6fb5"/>'
            f'<text x="{184 + width:.1f}" y="{y + 13}">{escape(words)}</text>'
        )
    return _svg(title, "".join(rows), 16 + 22 * len(values))


def _svg(title: str, inside: str, height: int) -> str:
    name = escape(title)
    return (
        f'<svg {_XMLNS} viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{name}" font-family="sans-serif" font-size="11" fill="#333"><title>{name}</title>'
        f"{inside}</svg>"
    )


def _grid(value: float, low: float) -> str:
    y = _y(value, low)
    dash = "" if value == 0 else ' stroke-dasharray="3 3"'
    return (
        f'<line x1="{_LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"{dash}/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0%}</text>'
    )


def _day(at: datetime, anchor: str, x: int) -> str:
    return f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{at:%Y-%m-%d}</text>'


def _x(n: int, count: int) -> float:
    return _LEFT + (WIDTH - _LEFT - 8) * n / max(count - 1, 1)


def _y(left: float, low: float) -> float:
    share = (1 - max(left, low)) / (1 - low)
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * share


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"  # noqa: PLR2004


def sparkline(title: str, points: Sequence[tuple[float, float]]) -> str:
    """The course of one series as (when, value): a small line, its least and greatest value."""
    width, height, edge = 240, 48, 4
    since, until = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    values = [value for _, value in points]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    x = [edge + (width - 2 * edge) * (at - since) / ((until - since) or 1.0) for at, _ in points]
    y = [height - edge - (height - 2 * edge) * (value - low) / ((high - low) or 1.0) for value in values]
    line = " ".join([f"{left:.1f},{top:.1f}" for left, top in zip(x, y, strict=True)])
    name = escape(f"{title} from {low:.6g} to {high:.6g}" if points else f"{title}: no data")
    return (
        f'<svg {_XMLNS} viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{name}"><title>{name}</title>'
        f'<polyline fill="none" stroke="#3f6fb5" stroke-width="1.5" points="{line}"/></svg>'
    )
