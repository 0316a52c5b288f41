"""The only place that reads the time, sleeps, or draws random numbers: tests move it, production has no switches."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for what is measured, and interruptible waiting."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never jumps."""
        ...

    async def wait(self, wake: asyncio.Event, timeout: float) -> bool:  # noqa: ASYNC109 - the port's own time-out
        """Wait until `wake` is set or `timeout` seconds passed; True if it was set. Does not clear it."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never jumps."""
        return time.monotonic()

    async def wait(self, wake: asyncio.Event, timeout: float) -> bool:  # noqa: ASYNC109 - the port's own time-out
        """Wait until `wake` is set or `timeout` seconds passed; True if it was set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await wake.wait()
        return wake.is_set()


class FixedClock:
    """A clock that stands until it is moved. Used by tests and by offline dry runs at a chosen instant."""

    def __init__(self, at: datetime) -> None:
        self._now = at
        self._waiters: set[asyncio.Event] = set()

    def now(self) -> datetime:
        """The instant it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that agree with `now`."""
        return self._now.timestamp()

    def set(self, at: datetime) -> None:
        """Move to `at` and wake everybody who waits: they look at the time again."""
        self._now = at
        for moved in tuple(self._waiters):
            moved.set()

    async def wait(self, wake: asyncio.Event, timeout: float) -> bool:  # noqa: ASYNC109 - the port's own time-out
        """Wait until `wake` is set or the clock was moved far enough."""
        deadline = self.monotonic() + timeout
        while not wake.is_set() and self.monotonic() < deadline:
            moved = asyncio.Event()
            self._waiters.add(moved)
            try:
                await _first_of(wake, moved)
            finally:
                self._waiters.discard(moved)
        return wake.is_set()


async def _first_of(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def jitter() -> float:
    """A random number in [0, 1) for spreading retries; not for secrets."""
    return random.random()  # noqa: S311 - spreads load, guards nothing


_ID_BYTES = 16
_ids: list[str] = []


def random_id(prefix: str = "") -> str:
    """An unguessable identifier, 128 bits, for requests and replicas.

    Drawn in blocks: every call to the system gives up the interpreter lock, and under load getting it back costs
    more than the rest of the request.
    """
    if not _ids:
        block = secrets.token_hex(_ID_BYTES * 256)
        width = _ID_BYTES * 2
        _ids.extend([block[i : i + width] for i in range(0, len(block), width)])
    return prefix + _ids.pop()


def random_bytes(count: int) -> bytes:
    """Unguessable bytes, for keys."""
    return secrets.token_bytes(count)
