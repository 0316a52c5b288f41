"""Whether alerts could be stored now: a real write, asked for by the health routes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from incidentd.store.engine import StoreRejectedError, StoreUnavailableError
from incidentd.store.probe import write_probe
from incidentd.web.context import Context

_PROBE_EVERY_SECONDS: Final = 5.0
_PROBE_FAILED_EVERY_SECONDS: Final = 1.0
_PROBE_WAIT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the last write was committed."""

    ok: bool
    latency_ms: float
    detail: str


class WriteProbe:
    """A real write, at most every five seconds however often somebody asks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._task: asyncio.Task[Probe] | None = None
        self._last: Probe | None = None
        self._at = 0.0

    async def ask(self) -> Probe:
        """The newest result, fresh if it is time, never later than two seconds."""
        now = self._context.clock.monotonic()
        every = _PROBE_EVERY_SECONDS if self._last and self._last.ok else _PROBE_FAILED_EVERY_SECONDS
        if self._last is not None and now - self._at < every:
            return self._last
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="write probe")
        try:
            async with asyncio.timeout(_PROBE_WAIT_SECONDS):
                self._last = await asyncio.shield(self._task)
        except TimeoutError:
            self._last = Probe(ok=False, latency_ms=_PROBE_WAIT_SECONDS * 1000, detail="no commit within 2 s")
        self._at = self._context.clock.monotonic()
        return self._last

    async def _write(self) -> Probe:
        clock, started = self._context.clock, self._context.clock.monotonic()
        now = clock.now()
        try:
            await self._context.store.write(lambda tx: write_probe(tx, now))
        except (StoreUnavailableError, StoreRejectedError) as error:
            return Probe(ok=False, latency_ms=since_ms(self._context, started), detail=str(error))
        return Probe(ok=True, latency_ms=since_ms(self._context, started), detail="")

    async def close(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await self._task


def since_ms(context: Context, started: float) -> float:
    """Milliseconds since a monotonic instant."""
    return round((context.clock.monotonic() - started) * 1000, 2)
