"""Posts to subscribers: each leaves by itself, so that an address that hangs holds up itself and nobody else.

Addresses that took nothing the last time have places of their own: however many hang, the others' places are free
again after one time-out, and from then on those that hang share what is theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from incidentd.domain.notification import Outcome
from incidentd.domain.status_page.subscriber import Links
from incidentd.store.announcements import Leased
from incidentd.store.engine import Store, Tx

PLACES: Final[Mapping[bool, int]] = {False: 48, True: 16}
"""Posts at once: to addresses that answer, and (True) to those that did not the last time."""
_PATIENCE: Final = 0.5
"""Seconds that one look waits for answers; what takes longer is settled by the next look."""

Pairs = Sequence[tuple[Leased, Outcome]]
Rooms = Mapping[bool, int]
Post = tuple[Leased, Links, bool]
"""What to post, with whose links, and whether its address took nothing the last time."""


@dataclass(slots=True)
class Posting:
    """The posts under way of one daemon."""

    store: Store
    due: Callable[[Tx, Rooms], bool]
    """True if `claim` would find something."""
    claim: Callable[[Tx, Rooms], Sequence[Post]]
    """Takes as many of each kind as there is room for."""
    send: Callable[[Leased, Links], Awaitable[Outcome]]
    """Never raises, and ends in bounded time."""
    settle: Callable[[Tx, Pairs], None]
    report: Callable[[Pairs], None]
    """Called after the commit."""
    stopping: Callable[[], bool]
    _under_way: dict[asyncio.Task[Outcome], tuple[Leased, bool]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Post what is due and settle what has ended. Returns soon, also while something hangs."""
        async with self._turn:
            while await self._turned():
                # Whatever comes first frees its place; nobody waits for the others.
                ended, _ = await asyncio.wait(
                    self._under_way, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED
                )
                if not ended:
                    return

    async def stop(self, seconds: float) -> None:
        """Begin nothing more; settle what ends in a part of that time, and leave the rest to its lease."""
        async with self._turn:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=seconds / 4)
                await self._settled(None)
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _turned(self) -> bool:
        """Settle and claim; False if nothing is under way, and nothing is due."""
        hanging = [slow for task, (_, slow) in self._under_way.items() if not task.done()]
        rooms = {slow: most - hanging.count(slow) for slow, most in PLACES.items()}
        ended, stopping = len(hanging) < len(self._under_way), self.stopping()
        if ended or (not stopping and await self.store.read_now(lambda tx: self.due(tx, rooms))):
            # At once: what is settled lets the next notice of its subscriber follow.
            await self._settled(None if stopping else rooms)
        return bool(self._under_way)

    async def _settled(self, rooms: Rooms | None) -> None:
        """Write what became of those that have ended, and take others for their places, in one transaction."""
        ended = [task for task in self._under_way if task.done()]
        pairs = [(self._under_way[task][0], task.result()) for task in ended]

        def work(tx: Tx) -> Sequence[Post]:
            self.settle(tx, pairs)
            return () if rooms is None else self.claim(tx, rooms)

        taken = await self.store.write(work)
        for task in ended:
            del self._under_way[task]
        self.report(pairs)
        for row, links, slow in taken:
            self._under_way[asyncio.ensure_future(self.send(row, links))] = (row, slow)
