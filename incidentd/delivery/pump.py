"""One loop that empties one half of a channel's outbox: its pages, or everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime

from incidentd.delivery import report
from incidentd.delivery.claim import Claim, claim
from incidentd.delivery.env import Env
from incidentd.delivery.message import Claimed
from incidentd.delivery.settle import Settled, decide, record
from incidentd.delivery.trouble import Trouble
from incidentd.domain.notification import Outcome
from incidentd.store import outbox
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx

_CONTENDED = 0.05
"""Seconds before looking again when another replica was just taking what is due."""


class Pump:
    """Claims, sends with a bounded number of slots, settles. Each turn of its loop does all three as far as it can.

    Sends that end while a transaction is under way are settled together in the next one.
    """

    def __init__(
        self,
        env: Env,
        channel: str,
        *,
        pages: bool,
        send: Callable[[Claimed], Awaitable[Outcome]],
        settled: Callable[[], None],
    ) -> None:
        """`send` never raises. `settled` is called when rows ended: others of their lanes may leave now."""
        self._env = env
        self._channel = channel
        self._pages = pages
        self._send = send
        self._settled = settled
        self._queue: deque[Claimed] = deque()
        self._sending: dict[asyncio.Task[None], int] = {}
        self._finished: list[tuple[Delivery, Outcome]] = []
        self._unstarted: list[Delivery] = []
        self._wake = asyncio.Event()
        self._retired = asyncio.Event()
        self.resting = asyncio.Event()
        """Set while nothing is due and nothing is under way."""

    @property
    def sending(self) -> int:
        """Sends under way."""
        return len(self._sending)

    @property
    def held(self) -> set[int]:
        """The rows this pump has leased and will settle, even if their leases end in the meantime."""
        waiting = [claimed.delivery for claimed in self._queue]
        finished = [row for row, _ in self._finished]
        return {row.id for row in (*waiting, *finished, *self._unstarted)} | set(self._sending.values())

    def poke(self) -> None:
        """Look again, now."""
        self.resting.clear()
        self._wake.set()

    def retire(self) -> None:
        """Take nothing more; `run` returns when what is under way is settled."""
        self._retired.set()
        self.poke()

    async def run(self) -> None:
        """Work until retired."""
        trouble = Trouble(self._env.clock, f"{self._channel}/{'pages' if self._pages else 'rest'}")
        while not (self._retired.is_set() and self._empty):
            self._wake.clear()
            self.resting.clear()
            try:
                pause = await self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, pages must go out when it is over
                # Not on the wake event: calls come faster than a sick database recovers.
                await self._env.clock.wait(asyncio.Event(), trouble.pause(error))
                continue
            trouble.over()
            if pause:
                await self._env.clock.wait(self._wake, pause)
        self.resting.set()

    def abandon(self) -> None:
        """Let go of sends under way: whoever asked cannot wait for them. Their rows stay leased."""
        for task in self._sending:
            task.cancel()

    @property
    def _empty(self) -> bool:
        return not (self._queue or self._sending or self._finished or self._unstarted)

    async def _turn(self) -> float:
        """Do what can be done now. Seconds until the next look, unless somebody calls."""
        now = self._env.clock.now()
        self._start_queued(now)
        await self._settle()
        free = self._env.limits.slots - len(self._sending)
        if self._retired.is_set() or self._queue or free <= 0:
            return self._env.limits.look
        due, later = await self._env.store.read(lambda tx: self._due(tx, now))
        if not due:
            if self._empty and not self._wake.is_set():
                self.resting.set()
            return self._until(later, now)
        taken = await self._claim(free * self._env.limits.claimed_per_slot)
        if not taken and self._empty:
            self.resting.set()
        return 0 if taken else _CONTENDED

    def _until(self, later: datetime | None, now: datetime) -> float:
        look = self._env.limits.look
        return look if later is None else min(look, max((later - now).total_seconds(), 0.001))

    def _due(self, tx: Tx, now: datetime) -> tuple[bool, datetime | None]:
        if outbox.is_due(tx, self._channel, pages=self._pages, now=now):
            return True, None
        return False, outbox.next_due(tx, self._channel, pages=self._pages, now=now)

    async def _claim(self, limit: int) -> bool:
        def work(tx: Tx) -> Claim:
            # Read here: under load a unit of work waits for the writer, and a lease must not begin before that.
            owner, now = self._env.owner, self._env.clock.now()
            until = now + self._env.limits.lease
            return claim(
                tx, self._channel, pages=self._pages, owner=owner, now=now, lease_until=until, limit=limit
            )

        claimed = await self._env.store.write(work)
        report.of_closed(self._env.metrics, claimed.closed)
        if claimed.noted:
            self._env.noted()
        if claimed.closed:
            self._settled()
        self._queue.extend(claimed.leased)
        self._start_queued(self._env.clock.now())
        return bool(claimed)

    def _start_queued(self, now: datetime) -> None:
        while self._queue:
            claimed = self._queue[0]
            # What waited too long goes back: its lease could end during the send, and an acknowledgement
            # may have come in the meantime.
            if self._retired.is_set() or now - claimed.at > self._env.limits.queued:
                self._unstarted.append(self._queue.popleft().delivery)
            elif len(self._sending) < self._env.limits.slots:
                self._start(self._queue.popleft())
            else:
                break

    def _start(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._attempt(claimed), name=f"send-{claimed.delivery.id}")
        self._sending[task] = claimed.delivery.id
        task.add_done_callback(self._sending.pop)

    async def _attempt(self, claimed: Claimed) -> None:
        outcome = await self._send(claimed)
        self._finished.append((claimed.delivery, outcome))
        self.poke()

    async def _settle(self) -> None:
        finished, unstarted = self._finished[:], self._unstarted[:]
        if not finished and not unstarted:
            return
        now = self._env.clock.now()
        settled = [
            Settled(row, outcome, decide(outcome, row, now, self._env.jitter())) for row, outcome in finished
        ]
        ours = await self._env.store.write(lambda tx: record(tx, settled, unstarted, now))
        # Only now: after a failure they are written by the next turn.
        del self._finished[: len(finished)], self._unstarted[: len(unstarted)]
        for one in settled:
            report.of_attempt(self._env.metrics, one, ours=one.delivery.id in ours)
        if any(one.dead for one in settled):
            self._env.noted()
        self._settled()
