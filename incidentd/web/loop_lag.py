"""How late the event loop is: what everything else in the process waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

_EVERY: Final = 0.5
_REMEMBERED: Final = 60.0


class LoopLag:
    """Wants to be called twice a second and notes how late that happens."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the loop that runs."""
        self._expect(asyncio.get_running_loop())

    def _expect(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(_EVERY, self._called, loop, loop.time() + _EVERY)

    def _called(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._late.append((now, max(now - due, 0.0)))
        while self._late[0][0] < now - _REMEMBERED:
            self._late.popleft()
        self._expect(loop)

    def close(self) -> None:
        """End."""
        if self._handle is not None:
            self._handle.cancel()

    @property
    def worst(self) -> float:
        """Seconds, in the last minute."""
        return max([late for _, late in self._late], default=0.0)
