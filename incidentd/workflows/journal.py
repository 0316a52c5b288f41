"""Keeping the bodies that were taken: gathered in memory, written a little later in compressed frames.

A body is gathered after its alerts are committed, and nobody waits for it to be written: an end without warning loses
the last seconds of the journal, and no alert. What leaves memory carries no credentials.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from incidentd.config.journal import Journal
from incidentd.store import journal as store
from incidentd.store.engine import Store, StoreUnavailableError, Tx
from incidentd.store.journal import Kept
from incidentd.workflows import audit

SPOOL_BYTES = 32 * 1024**2
"""Bodies that may wait in memory; what comes beyond that is not kept, and counted."""
FRAME_BYTES = 1024**2
"""Bodies of one frame, more only if a single one is larger: the writer is busy with it for a few milliseconds."""
OLDEST = timedelta(seconds=10)
"""A quiet daemon writes its few bodies that late, a busy one as soon as a frame is full."""
_AT_ONCE = 100
"""Frames per transaction when forgetting."""
_USERINFO = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*:\\?/\\?/)[^/\s\"?#]*(?:@|\\u0040)")
"""User and password in an address, up to the last at sign before its path."""


def without_userinfo(body: bytes) -> bytes:
    """`body` with every ``https://user:password@host`` as ``https://host``."""
    if b"@" not in body and b"\\u0040" not in body:
        return body
    return _USERINFO.sub(rb"\1", body)


@dataclass(slots=True)
class Spool:
    """Bodies that wait to be written. Bounded; lost at a crash."""

    _waiting: deque[Kept] = field(default_factory=deque)
    _bytes: int = 0

    def keep(self, at: datetime, source: str, sender: str, body: bytes) -> bool:
        """Take a body whose alerts are committed; `sender` is its format. False if there is no room for it."""
        if self._bytes + len(body) > SPOOL_BYTES:
            return False
        self._waiting.append(Kept(at, source, sender, body))
        self._bytes += len(body)
        return True

    def due(self, now: datetime) -> bool:
        """True if there is a frame's worth, or something has waited for long enough."""
        if not self._waiting:
            return False
        waited = now - self._waiting[0].at
        return self._bytes >= FRAME_BYTES or not timedelta() <= waited < OLDEST

    def take(self) -> list[Kept]:
        """The bodies of the next frame; empty if nothing waits."""
        taken: list[Kept] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0].body) <= FRAME_BYTES):
            taken.append(self._waiting.popleft())
            size += len(taken[-1].body)
        self._bytes -= size
        return taken

    async def write_all(self, to: Store) -> int:
        """Write what waits, frame by frame; how many bodies. Raises `StoreUnavailableError`: the rest still waits."""
        written = 0
        while bodies := self.take():
            clean, frame = await asyncio.to_thread(_frame, bodies)
            try:
                await to.write(partial(store.add, bodies=clean, frame=frame))
            except StoreUnavailableError:
                self._put_back(bodies)
                raise
            written += len(bodies)
        return written

    def _put_back(self, bodies: list[Kept]) -> None:
        self._waiting.extendleft(reversed(bodies))
        self._bytes += sum([len(kept.body) for kept in bodies])


def _frame(bodies: list[Kept]) -> tuple[list[Kept], bytes]:
    # Compressing lets other threads run, and none of it happens while a sender waits.
    clean = [kept._replace(body=without_userinfo(kept.body)) for kept in bodies]
    return clean, store.pack(clean)


async def prune(
    from_: Store, settings: Journal, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Forget what is too old or too much, in short transactions; how many frames."""
    gone = 0
    for step in (partial(_prune_old, now - settings.keep, now), partial(_trim, settings.max_size, now)):
        while not stopping() and (done := await from_.write(step)):
            gone += done
    return gone


def _prune_old(before: datetime, now: datetime, tx: Tx) -> int:
    done = store.delete_old(tx, before, _AT_ONCE)
    audit.deleted(tx, "journal", done, before, now)
    return done


def _trim(max_bytes: int, now: datetime, tx: Tx) -> int:
    done = store.trim(tx, max_bytes, _AT_ONCE)
    audit.deleted(tx, "journal", done, None, now)
    return done
