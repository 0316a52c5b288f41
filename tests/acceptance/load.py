"""Senders that never give up: what Alertmanager does to a receiver, with a ledger of what it was promised."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.ledger import Ledger
from tests.acceptance.waiting import until


@dataclass
class Load:
    """Posts alerts, each of its own group; every second one is resolved later. Unanswered ones are repeated."""

    ledger: Ledger
    address: Callable[[], str]
    """Where a daemon listens now."""
    token: str
    pause: float
    """Seconds between the posts of one sender."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often each status was answered; `broken` for none at all."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _stopping: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, senders: int) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._send()) for _ in range(senders)]

    async def wait_taken(self, more: int) -> None:
        """Wait until so many more alerts have been acknowledged."""
        enough = len(self.ledger.taken) + more
        await until(lambda: len(self.ledger.taken) >= enough, f"{more} alerts to be acknowledged")

    async def stop(self) -> None:
        """Post nothing new; return when everything that was begun has been acknowledged."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Give up whatever is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self) -> None:
        while not self._stopping:
            number = next(self._numbers)
            first = alert(f"Load{number:05}", datetime.now(UTC))
            await self._insist(first)
            if number % 2:
                await self._insist({**first, "status": "resolved", "endsAt": datetime.now(UTC).isoformat()})

    async def _insist(self, one: dict[str, Any]) -> None:
        # Not a wait for a condition but a sender's pause between its attempts.
        while not await self._taken(one):  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.05)
        self.ledger.note([one])
        await asyncio.sleep(self.pause)

    async def _taken(self, one: dict[str, Any]) -> bool:
        client = Client(self.address(), self.token)
        try:
            answer = await client.post(webhook(one))
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self.answers["broken"] += 1
            return False
        finally:
            await client.close()
        self.answers[str(answer.status)] += 1
        return answer.status == 200
