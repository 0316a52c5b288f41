"""What event streams share: one listener that wakes them all, and the care for numbers committed out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from incidentd.store.timeline import StoredEntry
from incidentd.web.context import Context
from incidentd.web.problems import LimitReached

MAX_STREAMS: Final = 64
_GAP: Final = timedelta(seconds=5)


class Hub:
    """Wakes every open stream when the timeline grew or the daemon stops."""

    def __init__(self, context: Context, max_streams: int = MAX_STREAMS) -> None:
        self._context = context
        self.max_streams = max_streams
        self._streams: set[asyncio.Event] = set()
        self._stopping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._context.noted.heed(self.wake)
        self._stopping = asyncio.create_task(self._until_stop(), name="events stop")

    async def close(self) -> None:
        """Stop listening."""
        self._context.noted.ignore(self.wake)
        if self._stopping is not None:
            self._stopping.cancel()
            await asyncio.wait({self._stopping})

    def join(self) -> asyncio.Event:
        """A stream's wake-up. Raises 503 when there are too many."""
        if len(self._streams) >= self.max_streams:
            raise LimitReached("too many event streams are open")
        wake = asyncio.Event()
        self._streams.add(wake)
        return wake

    def leave(self, wake: asyncio.Event) -> None:
        """The stream has ended."""
        self._streams.discard(wake)

    async def _until_stop(self) -> None:
        await self._context.stopping.wait()
        self.wake()

    def wake(self) -> None:
        """Let every stream look what happened, and whether it may go on."""
        for wake in self._streams:
            wake.set()


class GapWatch:
    """Holds entries back behind a missing number: on PostgreSQL a smaller id may be committed later.

    A number that never comes (rolled back, or forgotten by retention) is waited for `_GAP` at most, counted from
    the entry behind it and from when the gap was first seen.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._behind: int | None = None
        self._since = 0.0

    def ready(self, last: int, entries: Sequence[StoredEntry]) -> Sequence[StoredEntry]:
        """The entries that can go out, the last one sent having the id `last`."""
        if not self._context.store.postgresql:
            return entries
        for place, entry in enumerate(entries):
            if entry.id != last + 1 and self._waits(last, entry):
                return entries[:place]
            last = entry.id
        return entries

    def _waits(self, last: int, entry: StoredEntry) -> bool:
        clock = self._context.clock
        if clock.now() - entry.at >= _GAP:
            return False
        if self._behind != last:
            self._behind, self._since = last, clock.monotonic()
        return clock.monotonic() - self._since < _GAP.total_seconds()
