"""Conversations in tasks of their own: a cancelled caller cannot break one off halfway."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LateError(Exception):
    """The work did not finish in time; it may still be running."""


class Tasks:
    """The conversations that are under way."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    async def run(self, work: Coroutine[Any, Any, T], seconds: float, grace: float) -> T:
        """What `work` returns or raises, or `LateError` after `seconds`.

        Neither that nor cancelling the caller stops the work at once: it has `grace` more seconds to end
        by its own time-outs and is cancelled only then.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        try:
            # Unlike await and wait_for(), wait() leaves the task alone when time is up or we are cancelled.
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():
                timer = task.get_loop().call_later(grace, task.cancel)
                task.add_done_callback(lambda _: timer.cancel())
        if not task.done() or task.cancelled():
            raise LateError
        return task.result()

    async def drain(self, seconds: float) -> None:
        """Wait up to `seconds` for everything under way, then cancel the rest."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        for task in (left := set(self._running)):
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would log it as forgotten when nobody waits any more
