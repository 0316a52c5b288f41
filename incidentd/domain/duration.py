"""Durations as Prometheus and Alertmanager write them: ``5m``, ``1h30m``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS_MS = {
    "y": 365 * 24 * 60 * 60 * 1000,
    "w": 7 * 24 * 60 * 60 * 1000,
    "d": 24 * 60 * 60 * 1000,
    "h": 60 * 60 * 1000,
    "m": 60 * 1000,
    "s": 1000,
    "ms": 1,
}
"""Milliseconds per unit, largest first: the order in which units must be written."""

_SYNTAX = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS_MS))

_MAX_MS = (2**63 - 1) // 1_000_000
"""Go keeps durations in 64 bit nanoseconds; Prometheus refuses what does not fit (about 292 years)."""

_MAX_TEXT = 64
"""Longer than any sensible duration; keeps hostile digits away from int()."""


def parse_duration(text: str) -> timedelta:
    """The duration `text` stands for, in Prometheus' syntax; a year is 365 days, a week 7.

    Raises ValueError saying what is accepted.
    """
    if text == "0":
        return timedelta(0)
    match = _SYNTAX.fullmatch(text) if text and len(text) <= _MAX_TEXT else None
    if match is None:
        raise ValueError(
            f"{text[:_MAX_TEXT]!r} is not a duration; accepted are whole numbers with the units "
            "y, w, d, h, m, s, ms, largest first and each at most once, such as 30s, 5m, 1h30m or 2w"
        )
    counts = (int(digits or 0) for digits in match.groups())
    total = sum(count * size for count, size in zip(counts, _UNITS_MS.values(), strict=True))
    if total > _MAX_MS:
        raise ValueError(f"{text!r} is too long a duration; accepted is at most 292y")
    return timedelta(milliseconds=total)


def format_duration(duration: timedelta) -> str:
    """`duration` in Prometheus' syntax, cut to milliseconds; `parse_duration` reads it back unless negative.

    Years and weeks appear only when nothing remains, as in Prometheus: 90d reads better than 12w6d.
    """
    total = abs(duration) // timedelta(milliseconds=1)
    if total == 0:
        return "0s"
    parts = ["-" if duration < timedelta(0) else ""]
    for unit, size in _UNITS_MS.items():
        count = total // size
        if count == 0 or (unit in ("y", "w") and total % size):
            continue
        parts.append(f"{count}{unit}")
        total -= count * size
    return "".join(parts)
