"""Waiting for something to become true: the one place of these tests that lets time pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

Condition = Callable[[], bool | Awaitable[bool]]


async def until(condition: Condition, what: str, seconds: float = 20) -> None:
    """Return as soon as `condition` holds; AssertionError naming `what` if it does not within `seconds`."""
    if not await within(seconds, condition):
        raise AssertionError(f"waited {seconds} s in vain for {what}")


async def within(seconds: float, condition: Condition) -> bool:
    """True as soon as `condition` holds, False if it does not within `seconds`."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.02
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return True
        if loop.time() > deadline:
            return False
        await asyncio.sleep(pause)
        # What is slow is asked less often: asking takes time from what is waited for.
        pause = min(pause * 1.3, 0.25)
