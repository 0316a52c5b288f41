"""Asking calendars: one request each when it is due, by whichever replica is first; what they said goes to all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import structlog

from incidentd.channels.base import HttpAnswer, HttpFailure
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.config.ical import MAX_BYTES, events_of
from incidentd.config.leave import Asked
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.store import calendars as store
from incidentd.store.calendars import StoredCalendar
from incidentd.store.engine import Store
from incidentd.workflows import calendars
from incidentd.workflows.calendars import Answered

_LEASE = timedelta(minutes=2)
"""How long others leave an address alone that somebody asks: longer than asking can take."""
_REDIRECTS = 3
_OK, _NOT_MODIFIED = 200, 304
_MOVED = frozenset({301, 302, 303, 307, 308})
_MOST_ETAG = 512
"""Characters of a validator that are kept."""
_ACCEPT = "text/calendar"

log = structlog.get_logger()


class Asking(Protocol):
    """The one HTTP client, as far as calendars need it."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes = b"",
        *,
        guarded: bool = False,
        most: int,
    ) -> HttpAnswer:
        """The answer with at most `most` bytes of its body, or `HttpFailure`."""
        ...


class UnreadableError(Exception):
    """Why there is no calendar. Names no address, for it may be a secret."""


@dataclass(slots=True)
class CalendarReader:
    """Keeps what the configured addresses say; one for each daemon."""

    store: Store
    clock: Clock
    http: Asking
    config: Callable[[], Config]
    metrics: Metrics
    changed: Callable[[], Awaitable[None]]
    """Called when any of them says something else, whichever replica has read it."""
    _versions: dict[str, int] = field(default_factory=dict)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """A look is one quick read, and none where no address is configured."""
        return (Job("calendars", timedelta(seconds=5), self.read),)

    async def read(self) -> None:
        """Ask those that are due."""
        config, now = self.config(), self.clock.now()
        if not config.calendars and not self._versions:
            return
        keys = [each.key for each in config.calendars]
        known = await self.store.read_now(lambda tx: store.standing(tx, keys))
        due = [each for each in config.calendars if _due(known.get(each.key), now, now + _longest(each))]
        if due:
            await asyncio.gather(*[self._ask(each) for each in due])
            await self.store.write(lambda tx: calendars.forget(tx, config, now))
            known = await self.store.read_now(lambda tx: store.standing(tx, keys))
        versions = {key: each.version for key, each in known.items()}
        if versions != self._versions:
            await self.changed()
            self._versions = versions

    async def _ask(self, asked: Asked) -> None:
        now, names = self.clock.now(), [place.path for place in asked.places]
        known = await self.store.write(
            lambda tx: store.claim(tx, asked.key, now, now + _LEASE, now + _longest(asked))
        )
        if known is None:
            return
        try:
            answer = await self._answer(asked, known)
        except UnreadableError as why:
            error = str(why)
            log.warning("calendar_unreadable", calendars=names, error=error)
            self.metrics.calendar_reads.labels("failed").inc()
            await self.store.write(lambda tx: calendars.unreadable(tx, asked, known, error, now))
            return
        changed = await self.store.write(lambda tx: calendars.answered(tx, asked, known, answer, now))
        self.metrics.calendar_reads.labels("changed" if changed else "unchanged").inc()
        if changed or known.failing_since is not None:
            log.info("calendar_read", calendars=names, changed=changed)

    async def _answer(self, asked: Asked, known: StoredCalendar) -> Answered:
        """What the address says now. Raises `UnreadableError`."""
        headers = {"Accept": _ACCEPT}
        if known.version and known.etag:
            headers["If-None-Match"] = known.etag
        if known.version and known.modified:
            headers["If-Modified-Since"] = known.modified
        answer = await self._followed(asked.url.get_secret_value(), headers)
        if answer.status == _NOT_MODIFIED and known.version:
            return Answered(None, known.etag, known.modified)
        if answer.status != _OK:
            raise UnreadableError(f"HTTP {answer.status}")
        if len(answer.body) > MAX_BYTES:
            raise UnreadableError("is larger than 2 MiB")
        try:
            # Beside the loop: a big one takes a while.
            text = await asyncio.to_thread(lambda: calendars.text_of(events_of(answer.body)))
        except ValueError as wrong:
            raise UnreadableError(str(wrong)) from None
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        return Answered(text, etag[:_MOST_ETAG], modified[:_MOST_ETAG])

    async def _followed(self, url: str, headers: Mapping[str, str]) -> HttpAnswer:
        """The answer behind a few redirects. Where they lead elsewhere, it is not the operator who chose the place."""
        first, at = urlsplit(url), url
        for _ in range(_REDIRECTS + 1):
            elsewhere = urlsplit(at)[:2] != first[:2]
            try:
                answer = await self.http.request("GET", at, headers, guarded=elsewhere, most=MAX_BYTES + 1)
            except HttpFailure as failure:
                raise UnreadableError(str(failure)) from None
            location = answer.headers.get("location", "")
            if answer.status not in _MOVED or not location:
                return answer
            try:
                at = urljoin(at, location)
                secure = urlsplit(at).scheme == "https"
            except ValueError:
                raise UnreadableError("is redirected to what is no address") from None
            if first.scheme == "https" and not secure:
                raise UnreadableError("is redirected from https to http")
        raise UnreadableError("is redirected too often")


def _due(known: StoredCalendar | None, now: datetime, latest: datetime) -> bool:
    return known is None or not now < known.next_at <= latest


def _longest(asked: Asked) -> timedelta:
    """No more can be left until the next time; what says otherwise is from a clock or a configuration of before."""
    return max(asked.refresh, _LEASE)
