"""Stopping as carefully as starting: named steps, last in first out, each bounded, none hiding the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


class Lifecycle:
    """What has been started, in order."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], Awaitable[object]], float]] = []

    def started(self, name: str, stop: Callable[[], Awaitable[object]], bound: float) -> None:
        """Remember how to stop what has just been started; `bound` in seconds."""
        self._steps.append((name, stop, bound))

    async def stop(self) -> bool:
        """Stop everything in reverse; True if every step ended well and in time."""
        clean = True
        while self._steps:
            name, stop, bound = self._steps.pop()
            clean = await _bounded(name, stop, bound) and clean
        return clean


async def _bounded(name: str, stop: Callable[[], Awaitable[object]], bound: float) -> bool:
    # The step is not cancelled when its time is up: it may be in the middle of a commit.
    task = asyncio.ensure_future(stop())
    done, _ = await asyncio.wait({task}, timeout=bound)
    if not done:
        log.error("stop_step_late", step=name, seconds=bound)
        return False
    if (error := task.exception()) is not None:
        log.error("stop_step_failed", step=name, exc_info=error)
        return False
    return True
