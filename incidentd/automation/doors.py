"""The HTTP client of one run: its time is the step's, and what it began is over when the run is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from incidentd.channels.http import HttpClient, HttpLimits, trusted

T = TypeVar("T")
_CONNECT = 5.0
_GRACE = 0.5


class StoppedError(Exception):
    """It was told to stop."""


@asynccontextmanager
async def client(timeout: timedelta, body: int) -> AsyncIterator[HttpClient]:  # noqa: ASYNC109 - of every call of it
    """A client whose calls take no longer than `timeout` and read `body` bytes; it follows no redirect."""
    seconds = timeout.total_seconds()
    tls = await asyncio.to_thread(trusted)
    limits = HttpLimits(
        connect=min(_CONNECT, seconds), read=seconds, total=seconds, grace=_GRACE, per_host=2, body=body
    )
    made = HttpClient(limits, tls=tls)
    try:
        yield made
    finally:
        await made.aclose(0)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to. Raises `StoppedError` if `stop` is set before."""
    if stop.is_set():
        work.close()
        raise StoppedError
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise StoppedError
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
