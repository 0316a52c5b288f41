"""Local wall time to instants, exact where clocks are changed. Pure; the standard library's time zones only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which clocks in `zone` first show `local`, a time without a zone.

    A time that clocks skip in spring is the first instant after the gap; one that they show twice in autumn is the
    first of both. So a later local time is never an earlier instant.
    """
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall(at, zone) == local:
        return at
    # In a gap. Read by the offset before it, `local` is an instant after the change; by the one after it, before.
    later, earlier = at, local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = later.astimezone(zone).utcoffset()
    while later - earlier > _SECOND:
        middle = earlier + (later - earlier) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).utcoffset() == after:
            later = middle
        else:
            earlier = middle
    return later.replace(microsecond=0)


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What clocks in `zone` show at `at`, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
