"""One open channel: its sender, its two pumps, and how it is doing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from incidentd.channels.base import Sender
from incidentd.delivery.env import Env
from incidentd.delivery.message import Claimed, build
from incidentd.delivery.pump import Pump
from incidentd.delivery.settle import said, storable
from incidentd.domain.notification import Message, Outcome, Verdict

_CLOSE_SECONDS = 12.0

log = structlog.get_logger()

BUG = Outcome(Verdict.RETRY, "bug", "a fault in incidentd, see its log")
LATE = Outcome(Verdict.AMBIGUOUS, "timeout", "the channel did not answer in time")


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel is doing, as far as its own attempts tell."""

    name: str
    target: str
    up: bool | None = None
    """Whether the last attempt was accepted; None before the first."""
    last_error: str | None = None
    """What the last attempt failed with, in one line; None if it did not."""
    last_attempt_at: datetime | None = None
    last_accepted_at: datetime | None = None
    failures: int = 0
    """Attempts in a row that were not accepted."""
    sending: int = 0
    """Sends under way."""


class Line:
    """A channel under one sender. A reload that changes the channel makes a new line."""

    def __init__(self, env: Env, channel: str, sender: Sender) -> None:
        self.sender = sender
        self._env = env
        self._channel = channel
        self._health = ChannelHealth(channel, sender.target)
        self._calls: set[asyncio.Task[Outcome]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        # Slots of their own: chat must never starve pages.
        self.pumps = tuple(
            Pump(env, channel, pages=pages, send=self.deliver, settled=self.poke) for pages in (True, False)
        )

    @property
    def health(self) -> ChannelHealth:
        """As of now."""
        return replace(self._health, sending=sum(pump.sending for pump in self.pumps))

    def start(self) -> None:
        """Begin to take rows."""
        self._tasks = [
            asyncio.create_task(pump.run(), name=f"deliver-{self._channel}") for pump in self.pumps
        ]

    def poke(self) -> None:
        """Look into the outbox now."""
        for pump in self.pumps:
            pump.poke()

    async def end(self, seconds: float | None) -> bool:
        """Take nothing more, wait for what is under way, close the sender; False if `seconds` were too few."""
        for pump in self.pumps:
            pump.retire()
        left: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=seconds)
        for task in left:
            task.cancel()
        for pump in self.pumps:
            pump.abandon()
        if left:
            await asyncio.wait(left)
        await self._close(_CLOSE_SECONDS if seconds is None else min(seconds, _CLOSE_SECONDS))
        return not left

    async def _close(self, seconds: float) -> None:
        if self._closed:
            return
        self._closed = True
        closing = asyncio.create_task(self.sender.close())
        _, late = await asyncio.wait({closing, *self._calls}, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)
        if closing.done() and not closing.cancelled() and (error := closing.exception()):
            log.error("channel_close_failed", channel=self._channel, exc_info=error)

    async def deliver(self, claimed: Claimed) -> Outcome:
        """Say it once. Never raises, and returns in bounded time whatever the sender does."""
        try:
            message = build(claimed, instance=self._env.instance, public_url=self._env.public_url)
            outcome = await self._call(message)
        except Exception:  # a fault in one channel or one message must not end the loop
            log.exception("channel_bug", channel=self._channel, delivery=claimed.delivery.id)
            outcome = BUG
        outcome = _checked(outcome)
        self._note(outcome)
        return outcome

    async def _call(self, message: Message) -> Outcome:
        call = asyncio.create_task(self.sender.send(message))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        done = asyncio.Event()
        call.add_done_callback(lambda _: done.set())
        if not await self._env.clock.wait(done, self._env.limits.send):
            # Left running: breaking it off halfway could lose a connection, or the answer.
            return LATE
        if call.cancelled():
            raise RuntimeError("the sender cancelled itself")
        return call.result()

    def _ended(self, call: asyncio.Task[Outcome]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # looked at, or asyncio would complain of one that nobody waits for any more

    def _note(self, outcome: Outcome) -> None:
        now = self._env.clock.now()
        up = outcome.verdict is Verdict.OK
        self._health = replace(
            self._health,
            up=up,
            last_error=None if up else said(outcome),
            last_attempt_at=now,
            last_accepted_at=now if up else self._health.last_accepted_at,
            failures=0 if up else self._health.failures + 1,
        )
        self._env.metrics.channel_up.labels(self._channel).set(1 if up else 0)


def _checked(outcome: Outcome) -> Outcome:
    """A reference comes from a vendor: only what the database can keep is kept."""
    if outcome.reference is None:
        return outcome
    return replace(
        outcome, reference={storable(str(k)): storable(str(v)) for k, v in outcome.reference.items()}
    )
