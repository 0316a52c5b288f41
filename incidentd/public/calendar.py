"""A scheduled maintenance as a calendar entry (RFC 5545)."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from incidentd.domain.status_page.page import PublicEvent, PublicPage
from incidentd.public.text import plain

_LINE = 75
"""Octets of a line; longer ones are folded."""


def maintenance(page: PublicPage, event: PublicEvent) -> bytes:
    """The `.ics` of one maintenance. Its UID stays, so that a calendar that reads it again moves the entry."""
    if event.scheduled_for is None or event.scheduled_until is None:
        raise ValueError(f"{event.id} is no maintenance")
    names = {row.id: row.name for row in page.components}
    listed = ", ".join([names[key] for key in event.components if key in names])
    said = event.updates[0].body
    about = f"{listed}\n{said}" if listed else said
    cancelled = event.over and event.resolved_at is not None and event.resolved_at < event.scheduled_for
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//incidentd//status page//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{event.id}@{urlsplit(page.url).hostname}",
        f"SEQUENCE:{len(event.updates) - 1}",
        f"DTSTAMP:{_stamp(event.updated_at)}",
        f"DTSTART:{_stamp(event.scheduled_for)}",
        f"DTEND:{_stamp(event.scheduled_until)}",
        f"SUMMARY:{_text(f'{page.name}: {event.name}')}",
        f"DESCRIPTION:{_text(about)}",
        f"URL:{page.url}/incidents/{event.id}",
        f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join([_folded(line) for line in lines])


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    kept = plain(text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return kept.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """`line` with its end, folded between characters."""
    parts, room = [b""], _LINE
    for letter in line:
        octets = letter.encode()
        if len(parts[-1]) + len(octets) > room:
            parts.append(b"")
            room = _LINE - 1  # the blank that begins it
        parts[-1] += octets
    return b"\r\n ".join(parts) + b"\r\n"
