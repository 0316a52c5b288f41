"""Stopping as carefully as starting: named steps, last in first out, one deadline, none hiding the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


Stop = Callable[[float], Awaitable[object]]
"""Ends one part. It is told how many seconds it has; what takes longer is left behind."""
_KEPT_FOR_EACH = 1 / 20
"""Of the whole time, for every step that is still to come: one that hangs must not use up what the others need."""


def at_once(do: Callable[[], object]) -> Stop:
    """A stop that needs no waiting."""

    async def stop(_: float) -> None:
        do()

    return stop


class Lifecycle:
    """What has been started, in order."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Stop]] = []

    def started(self, name: str, stop: Stop) -> None:
        """Remember how to stop what has just been started."""
        self._steps.append((name, stop))

    async def stop(self, seconds: float) -> bool:
        """Stop everything in reverse, in `seconds` over all; True if every step ended well and in time."""
        time = asyncio.get_running_loop().time
        clean, deadline = True, time() + seconds
        while self._steps:
            name, stop = self._steps.pop()
            kept = seconds * _KEPT_FOR_EACH
            left = deadline - time() - kept * len(self._steps)
            clean = await _bounded(name, stop, max(left, kept)) and clean
        return clean


async def _bounded(name: str, stop: Stop, seconds: float) -> bool:
    # The step is not cancelled when its time is up: it may be in the middle of a commit.
    task = asyncio.ensure_future(stop(seconds))
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        log.error("stop_step_late", step=name, seconds=round(seconds, 1))
        return False
    if (error := task.exception()) is not None:
        log.error("stop_step_failed", step=name, exc_info=error)
        return False
    return True
