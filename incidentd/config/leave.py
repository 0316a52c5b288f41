"""`users.NAME.leave`: when somebody is away, read from an iCalendar file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from incidentd.config.secrets import SecretReader
from incidentd.config.section import Section
from incidentd.domain.schedule_time import instant
from incidentd.fields import SECRETS

HINT = "pip install 'incidentd[calendar]'"
"""What brings the library that reads and writes iCalendar."""
_MAX_BYTES = 1024 * 1024
_MAX_EVENTS = 2000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LeaveFile:
    """What an iCalendar file says of somebody's leave."""

    path: str
    """As written in the configuration."""
    events: tuple[tuple[date, date], ...] = field(default=(), repr=False)
    """Begin and end of each, dates or times; without a zone they are meant in that of the schedule."""

    def periods(self, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """The leave as instants, for a schedule in `zone`."""
        for begin, end in self.events:
            starts_at, ends_at = _instant(begin, zone), _instant(end, zone)
            if starts_at < ends_at:
                yield starts_at, ends_at


def _instant(at: date, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        return instant(datetime.combine(at, time()), zone)
    return instant(at, zone) if at.tzinfo is None else at.astimezone(UTC)


def _file(value: object, info: ValidationInfo) -> LeaveFile:
    if isinstance(value, LeaveFile):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("is not a path; accepted: the path of an iCalendar file, such as leave/alice.ics")
    if "://" in value:
        raise ValueError(
            "is an address; accepted: the path of an iCalendar file, for addresses are not asked"
        )
    reader = (info.context or {}).get(SECRETS)
    folder = reader.folder if isinstance(reader, SecretReader) else Path()
    return LeaveFile(value, tuple(_events(_content(folder / value))))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as refused:
        raise ValueError(f"the file {path} cannot be read: {refused.strerror or 'unreadable'}") from None
    if len(content) > _MAX_BYTES:
        raise ValueError(
            f"the file {path} is larger than 1 MiB; name one that holds this person's leave alone"
        )
    return content


def _events(content: bytes) -> Iterator[tuple[date, date]]:
    try:
        from icalendar import Calendar  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise ValueError(f"needs the library that reads iCalendar: {HINT}") from None
    try:
        events = Calendar.from_ical(content).walk("VEVENT")
    except (ValueError, IndexError, KeyError):
        raise ValueError("is not an iCalendar file; accepted: one that begins with BEGIN:VCALENDAR") from None
    if len(events) > _MAX_EVENTS:
        raise ValueError(f"has {len(events)} events; accepted: at most {_MAX_EVENTS}")
    for event in events:
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield _period(event)


def _period(event: Any) -> tuple[date, date]:  # noqa: ANN401 - an optional library's own type
    name = str(event.get("SUMMARY", "without a name"))[:60]
    if "RRULE" in event or "RDATE" in event:
        raise ValueError(f"the event {name!r} repeats; accepted: single events, so write each leave out")
    start, end, length = event.get("DTSTART"), event.get("DTEND"), event.get("DURATION")
    begin = getattr(start, "dt", None)
    if not isinstance(begin, date):
        raise ValueError(f"the event {name!r} has no DTSTART; accepted: events with a begin")  # noqa: TRY004 - as above
    if end is None and length is None:
        # An event of a day without an end lasts that day; one with a time lasts no time at all (RFC 5545, 3.6.1).
        return begin, begin if isinstance(begin, datetime) else begin + _DAY
    until = end.dt if end is not None else begin + length.dt
    if isinstance(begin, datetime) != isinstance(until, datetime):
        raise ValueError(
            f"the event {name!r} begins with a date and ends with a time, or the other way round"
        )
    return begin, until


class Leave(Section):
    """When somebody is away: no schedule puts them on duty then."""

    file: Annotated[
        LeaveFile,
        PlainValidator(_file),
        PlainSerializer(lambda found: found.path, return_type=str),
        WithJsonSchema({"type": "string", "examples": ["leave/alice.ics"]}),
    ]
    """An iCalendar file, relative to the configuration file; read at start and at each reload. Every event in it is
    leave. Needs the extra `calendar`."""
