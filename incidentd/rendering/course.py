"""The course of one incident, drawn: its states, its alerts, deployments and pages on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.rendering.escape import html
from incidentd.rendering.svg import element, short

WIDTH = 480
_ROW, _TOP, _BOTTOM = 34, 8, 22
_FILL = {
    "triggered": "#c62828",
    "acknowledged": "#b8860b",
    "deployment": "#6a4fb3",
    "alert": "#8a97a5",
    "bar": "#3f6fb5",
}
_LEAST = 3.0
"""Width of what took no time, so that it is seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted, or happened: then its end is its beginning."""

    since: datetime
    until: datetime
    kind: str
    """A key of `_FILL`."""
    words: str
    """What a pointer over it shows."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of the drawing."""

    name: str
    spans: tuple[Span, ...]
    key: tuple[str, ...] = ()
    """Kinds to name beside it, each in its colour."""


def course(title: str, lanes: Sequence[Lane]) -> str:
    """The lanes one below the other, over the time from the first to the last instant in them, as one element."""
    instants = [at for lane in lanes for span in lane.spans for at in (span.since, span.until)]
    if not instants:
        return element(title, "", WIDTH, _TOP + _BOTTOM)
    first, last = min(instants), max(instants)
    parts = [_lane(lane, _TOP + n * _ROW, first, last) for n, lane in enumerate(lanes)]
    height = _TOP + _ROW * len(lanes) + _BOTTOM
    form = "%H:%M:%S" if last - first < timedelta(minutes=3) else "%H:%M"
    days = "" if first.date() == last.date() else "%Y-%m-%d "
    ends = ((first, 0, "start", f"%Y-%m-%d {form}"), (last, WIDTH, "end", f"{days}{form}"))
    parts += [
        f'<text x="{x}" y="{height - 6}" text-anchor="{anchor}">{at:{shape}}Z</text>'
        for at, x, anchor, shape in ends
    ]
    return element(title, "".join(parts), WIDTH, height)


def _lane(lane: Lane, y: int, first: datetime, last: datetime) -> str:
    rule = f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y + 24}" y2="{y + 24}" stroke="#ccc"/>'
    drawn = "".join([_span(span, y + 18, first, last) for span in lane.spans])
    key = "".join([f' <tspan class="{kind}" fill="{_FILL[kind]}">{kind}</tspan>' for kind in lane.key])
    return f'<text x="0" y="{y + 12}">{html(short(lane.name, 64))}{key}</text>{rule}{drawn}'


def _span(span: Span, y: int, first: datetime, last: datetime) -> str:
    whole = max((last - first).total_seconds(), 1.0)
    x = (span.since - first).total_seconds() / whole * WIDTH
    width = max((span.until - span.since).total_seconds() / whole * WIDTH, _LEAST)
    x = min(x, WIDTH - width)
    return (
        f'<rect class="{span.kind}" fill="{_FILL[span.kind]}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="12">'
        f"<title>{html(span.words)}</title></rect>"
    )
