"""One loop that empties one half of a channel's outbox: its pages, or everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime

from incidentd.delivery import report
from incidentd.delivery.claim import Claim, Taking, claim
from incidentd.delivery.env import Env
from incidentd.delivery.gate import Gate
from incidentd.delivery.message import Claimed
from incidentd.delivery.settle import Settled, decide, of_destination, record
from incidentd.delivery.trouble import Trouble
from incidentd.domain.notification import Outcome
from incidentd.store import destinations, outbox
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
        gate: Gate,
        send: Callable[[Claimed], Awaitable[Outcome]],
        probe: Callable[[], Awaitable[None]],
        settled: Callable[[], None],
    ) -> None:
        """`send` never raises. `settled` is called when rows ended: others of their lanes may leave now."""
        self._env = env
        self._channel = channel
        self._gate = gate
        self._probe = probe
        self._pages = pages
        self._send = send
        self._settled = settled
        self._queue: deque[Claimed] = deque()
        self._sending: dict[asyncio.Task[None], int] = {}
        self._finished: list[tuple[Claimed, Outcome]] = []
        self._unstarted: list[Delivery] = []
        self._spare = 0
        """Messages to each target that are left for pages."""
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
        finished = [claimed.delivery for claimed, _ in self._finished]
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
        due, later = await self._env.store.read_now(lambda tx: self._look(tx, now))
        if self._gate.to_be_probed(now):
            return await self._try_again()
        room = self._gate.room(free, len(self._sending), self._env.limits.claimed_per_slot)
        if not due or not room or self._gate.shut(now) or self._retired.is_set():
            if self._empty and not self._wake.is_set():
                self.resting.set()
            return self._until(later, now)
        taken = await self._claim(room)
        if not taken and self._empty and not self._wake.is_set():
            self.resting.set()
        return 0 if taken else _CONTENDED

    async def _try_again(self) -> float:
        """The destination refused us and has had its pause: one pump asks whether it works again."""
        if not self._pages:
            self.resting.set()
            return self._env.limits.look
        await self._probe()
        return 0

    def _until(self, later: datetime | None, now: datetime) -> float:
        waits = [self._env.limits.look]
        if (tokens := self._gate.buckets.pause()) is not None:
            waits.append(tokens)
        waits += [
            (at - now).total_seconds() for at in (later, self._gate.known.paused_until) if at and at > now
        ]
        return max(min(waits), 0.001)

    def _look(self, tx: Tx, now: datetime) -> tuple[bool, datetime | None]:
        """Whether something may leave, and when the next row wants to."""
        self._gate.looked_up(destinations.of(tx, self._channel, now))
        if self._gate.shut(now):
            return False, None
        limited = not self._pages and self._gate.traits.rate is not None
        # The last message that a target takes is for a page that waits.
        self._spare = int(limited and outbox.is_due(tx, self._channel, pages=True, now=now))
        exhausted = self._gate.buckets.exhausted(self._spare)
        due = outbox.is_due(tx, self._channel, pages=self._pages, now=now, exhausted=exhausted)
        return due, None if due else outbox.next_due(tx, self._channel, pages=self._pages, now=now)

    async def _claim(self, limit: int) -> bool:
        def work(tx: Tx) -> Claim:
            # Read here: under load a unit of work waits for the writer, and a lease must not begin before that.
            now, gate, spare = self._env.clock.now(), self._gate, self._spare
            taking = Taking(
                self._channel,
                self._pages,
                self._env.owner,
                now,
                now + self._env.limits.lease,
                limit,
                gate.traits,
                lambda target: gate.buckets.tokens(target, spare),
                gate.buckets.exhausted(spare),
            )
            return claim(tx, taking)

        claimed = await self._env.store.write(work)
        for one in claimed.leased:
            self._gate.buckets.take(one.delivery.target)
        report.of_closed(self._env.metrics, claimed.closed)
        report.of_missed(self._env.metrics, claimed.missed)
        if claimed.noted:
            self._env.noted()
        if claimed.closed or claimed.missed:
            self._settled()
        self._queue.extend(claimed.leased)
        self._start_queued(self._env.clock.now())
        return bool(claimed)

    def _start_queued(self, now: datetime) -> None:
        while self._queue:
            claimed = self._queue[0]
            # What waited too long goes back: its lease could end during the send, and an acknowledgement
            # may have come in the meantime.
            late = now - claimed.at > self._env.limits.queued
            if late or self._retired.is_set() or self._gate.shut(now):
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
        if of_destination(outcome, claimed.delivery):
            self._gate.heard(outcome, self._env.clock.now())
        self._finished.append((claimed, outcome))
        self.poke()

    async def _settle(self) -> None:
        finished, unstarted = self._finished[:], self._unstarted[:]
        if not finished and not unstarted:
            return
        now, plan = self._env.clock.now(), self._env.plan()
        settled = [
            Settled(c.delivery, outcome, decide(outcome, c.delivery, now, self._env.jitter()), bool(c.bundle))
            for c, outcome in finished
        ]
        known = self._gate.stored
        recorded = await self._env.store.write(lambda tx: record(tx, known, settled, unstarted, plan, now))
        # Only now: after a failure they are written by the next turn.
        del self._finished[: len(finished)], self._unstarted[: len(unstarted)]
        self._gate.written([outcome for _, outcome in finished], recorded.destination)
        for one in settled:
            report.of_attempt(self._env.metrics, one, ours=one.delivery.id in recorded.ours)
        report.of_riders(self._env.metrics, recorded.riders, now)
        report.of_fallback(self._env.metrics, recorded.fell_back)
        if recorded.noted or any(one.dead for one in settled):
            self._env.noted()
        if recorded.fell_back.told or (unstarted and self._retired.is_set()):
            self._env.wake()  # of a retired pump: what it gives back is for its successor
        self._settled()
