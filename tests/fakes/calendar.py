"""A calendar on the web, as Nextcloud or Google serve it: with an ETag, behind a secret address."""

from __future__ import annotations

import hashlib
from typing import Final

from tests.fakes.http import Answer, HttpFake, Received

SECRET: Final = "private-0123456789abcdef"


def ical(*events: str) -> str:
    """A calendar of events, each given as its lines."""
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}\r\nDTSTAMP:20260101T000000Z\r\n{event}\r\nEND:VEVENT\r\n"
        for number, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n"


class CalendarFake(HttpFake):
    """Serves `content`; a request that knows it already is told so."""

    def __init__(self, *events: str) -> None:
        super().__init__()
        self.content = ical(*events)
        self.not_modified = 0
        """How many were told that nothing has changed."""

    @property
    def address(self) -> str:
        """The secret one."""
        return f"{self.url}/{SECRET}/basic.ics"

    async def answer(self, received: Received) -> Answer:
        if received.path != f"/{SECRET}/basic.ics" or received.method != "GET":
            self.violations.append(f"{received.method} {received.path}")
        etag = f'"{hashlib.sha256(self.content.encode()).hexdigest()}"'
        if received.headers.get("if-none-match") == etag:
            self.not_modified += 1
            return Answer(304, b"", {"ETag": etag})
        return Answer(200, self.content.encode(), {"ETag": etag})
