"""What iCalendar says of times that are taken: leave and holidays. Bytes in, begins and ends out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from typing import Any
from zoneinfo import ZoneInfo

from incidentd.domain.schedule_time import instant

HINT = "pip install 'incidentd[calendar]'"
"""What brings the library that reads and writes iCalendar."""
MAX_BYTES = 2 * 1024 * 1024
"""Of one calendar."""
_MAX_EVENTS = 2000
_BEGIN = b"BEGIN:VEVENT"
_DAY = timedelta(days=1)
_YEARS = range(1970, 2200)
"""Far enough for anybody, and no arithmetic leaves the calendar."""

Events = tuple[tuple[date, date], ...]
"""Begin and end of each event, dates or times; without a zone they are meant in that of the schedule."""


def periods(events: Events, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The events as instants, for a schedule in `zone`; those that last no time are left out."""
    for begin, end in events:
        starts_at, ends_at = _instant(begin, zone), _instant(end, zone)
        if starts_at < ends_at:
            yield starts_at, ends_at


def _instant(at: date, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        return instant(datetime.combine(at, time()), zone)
    return instant(at, zone) if at.tzinfo is None else at.astimezone(UTC)


def require_library() -> None:
    """Raise ValueError if nothing can read iCalendar here."""
    if find_spec("icalendar") is None:
        raise ValueError(f"needs the library that reads iCalendar: {HINT}")


class _RefusedError(ValueError):
    """A calendar that cannot be followed; what other errors say is the library's own and tells nobody anything."""


def events_of(content: bytes) -> Events:
    """Every event that is not cancelled. Raises ValueError saying what is wrong with the calendar, whatever it is."""
    require_library()
    # Counted before anything is parsed: what is too much is not worth the time.
    if (count := content.count(_BEGIN)) > _MAX_EVENTS:
        raise ValueError(f"has {count} events; accepted: at most {_MAX_EVENTS}")
    try:
        return tuple(_events(content))
    except _RefusedError:
        raise
    except (ValueError, IndexError, KeyError, AttributeError, TypeError, OverflowError):
        # What the library makes of contents that are no calendar.
        raise ValueError("is not an iCalendar file; accepted: one that begins with BEGIN:VCALENDAR") from None


def _events(content: bytes) -> Iterator[tuple[date, date]]:
    from icalendar import Calendar  # noqa: PLC0415 - an extra, and slow to import

    for event in Calendar.from_ical(content).walk("VEVENT"):
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield _period(event)


def _period(event: Any) -> tuple[date, date]:  # noqa: ANN401 - an optional library's own type
    name = str(event.get("SUMMARY", "without a name"))[:60]
    if "RRULE" in event or "RDATE" in event:
        raise _RefusedError(f"the event {name!r} repeats; accepted: single events, so write each one out")
    start, end, length = event.get("DTSTART"), event.get("DTEND"), event.get("DURATION")
    begin = getattr(start, "dt", None)
    if not isinstance(begin, date):
        raise _RefusedError(f"the event {name!r} has no DTSTART; accepted: events with a begin")
    if end is not None:
        until = end.dt
    elif length is not None:
        until = begin + length.dt
    else:
        # An event of a day without an end lasts that day; one with a time lasts no time at all (RFC 5545, 3.6.1).
        until = begin if isinstance(begin, datetime) else begin + _DAY
    if isinstance(begin, datetime) != isinstance(until, datetime):
        raise _RefusedError(
            f"the event {name!r} begins with a date and ends with a time, or the other way round"
        )
    if begin.year not in _YEARS or until.year not in _YEARS:
        raise _RefusedError(f"the event {name!r} is not between the years {_YEARS[0]} and {_YEARS[-1]}")
    return begin, until
