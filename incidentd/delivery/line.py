"""One open channel: its sender, its two pumps, and how it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from incidentd.channels.announcing import Announcer
from incidentd.channels.base import NOT_PROBED, Sender
from incidentd.delivery import notes
from incidentd.delivery.attempts import attempt
from incidentd.delivery.env import Env
from incidentd.delivery.gate import Gate
from incidentd.delivery.herald import Herald
from incidentd.delivery.message import Claimed, build
from incidentd.delivery.pump import Pump
from incidentd.delivery.settle import follow, said, storable, try_one
from incidentd.delivery.texts import texts_for
from incidentd.delivery.traits import Traits
from incidentd.domain.deployment import Announcement
from incidentd.domain.destination import DestinationState
from incidentd.domain.notification import Message, Outcome, Verdict
from incidentd.log import unbound

_CLOSE_SECONDS = 12.0
_FOR_SENDING, _FOR_CLOSING = 0.7, 0.1
"""Parts of the time that a stop has."""

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
    state: DestinationState = DestinationState.OK
    since: datetime | None = None
    """When it came into this state."""
    paused_until: datetime | None = None
    """Nothing is sent before."""


class Line:
    """A channel under one sender. A reload that changes the channel makes a new line."""

    def __init__(self, env: Env, channel: str, sender: Sender, traits: Traits) -> None:
        self.sender = sender
        self.traits = traits
        self._env = env
        self._channel = channel
        self._health = ChannelHealth(channel, ", ".join(sender.targets))
        self._calls: set[asyncio.Task[Outcome]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self.gate = Gate(env.clock, channel, traits, only_target=len(sender.targets) == 1)
        # Slots of their own: chat must never starve pages.
        self.pumps = tuple(
            Pump(
                env,
                channel,
                pages=pages,
                gate=self.gate,
                send=self.deliver,
                probe=self.probe,
                settled=self.poke,
            )
            for pages in (True, False)
        )
        self.heralds: tuple[Herald, ...] = ()
        """One, if the channel can tell of deployments."""
        if isinstance(sender, Announcer):
            self.heralds = (
                Herald(env, channel, self.gate, sender.targets[0], partial(self._announce, sender)),
            )

    @property
    def loops(self) -> tuple[Pump | Herald, ...]:
        """Everything that takes rows."""
        return (*self.pumps, *self.heralds)

    @property
    def health(self) -> ChannelHealth:
        """As of now."""
        known = self.gate.known
        return replace(
            self._health,
            sending=sum(pump.sending for pump in self.pumps),
            state=known.state,
            since=known.since,
            paused_until=known.paused_until,
        )

    def start(self) -> None:
        """Begin to take rows."""
        self._tasks = [
            # They outlive the request that asked for a reload.
            asyncio.create_task(loop.run(), name=f"deliver-{self._channel}", context=unbound())
            for loop in self.loops
        ]

    def poke(self) -> None:
        """Look into the outbox now."""
        for loop in self.loops:
            loop.poke()

    async def end(self, seconds: float | None) -> bool:
        """Take nothing more, wait for what is under way, close the sender; False if `seconds` were too few.

        Most of the time is for sends under way; some is left for whoever asked.
        """
        for loop in self.loops:
            loop.retire()
        left: set[asyncio.Task[None]] = set()
        if self._tasks:
            _, left = await asyncio.wait(
                self._tasks, timeout=None if seconds is None else seconds * _FOR_SENDING
            )
        for task in left:
            task.cancel()
        for pump in self.pumps:
            pump.abandon()
        if left:
            await asyncio.wait(left)
        await self._close(_CLOSE_SECONDS if seconds is None else seconds * _FOR_CLOSING)
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
        with attempt(self._env.tracer, claimed) as ended:
            try:
                outcome = await self._call(self.sender.send(self._message(claimed)))
            except Exception:  # a fault in one channel or one message must not end the loop
                log.exception("channel_bug", channel=self._channel)
                outcome = BUG
            ended(outcome)
        outcome = _checked(outcome)
        self._note(outcome)
        return outcome

    async def _announce(self, sender: Announcer, announcement: Announcement) -> Outcome:
        """Tell of a deployment. Like `deliver`, but how the channel is doing is not judged by it."""
        try:
            return await self._call(sender.announce(announcement))
        except Exception:  # a fault in one channel must not end the loop
            log.exception("channel_bug", channel=self._channel, delivery=None)
            return BUG

    def _message(self, claimed: Claimed) -> Message:
        env, row = self._env, claimed.delivery
        message = build(
            claimed, instance=env.instance, public_url=env.public_url, alertmanagers=env.plan().alertmanagers
        )
        if self.traits.personal and env.ack_links and notes.is_page(row) and claimed.incident.open:
            # Of when it was written, or put back by a person: every attempt says the same.
            args = (row.incident_id, row.episode, row.target, row.waiting_since, message.delivery_id)
            message = replace(message, acknowledge_url=env.ack_links.url(*args))
        return replace(message, texts=texts_for(self.traits.texts, message))

    async def probe(self) -> None:
        """Ask a destination that refused us whether it works again, and write down what it says."""
        try:
            outcome = _checked(await self._call(self.sender.probe()))
        except Exception:  # a fault in one channel must not end the loop
            log.exception("channel_bug", channel=self._channel, delivery=None)
            outcome = BUG
        outcome = self._as_probe(outcome)
        self._note(outcome)
        env = self._env
        known, plan, now = self.gate.stored, env.plan(), env.clock.now()
        if outcome.verdict is Verdict.OK and outcome.code == NOT_PROBED:
            self.gate.looked_up(await env.store.write(lambda tx: try_one(tx, known, now)))
        else:
            self.gate.looked_up(await env.store.write(lambda tx: follow(tx, known, [outcome], plan, now)))
        log.info("destination_probed", channel=self._channel, outcome=outcome.verdict, error=said(outcome))
        self.poke()

    def _as_probe(self, outcome: Outcome) -> Outcome:
        told = {Verdict.OK, Verdict.DISABLED, Verdict.DESTINATION_BROKEN}
        if outcome.verdict in told or (outcome.verdict is Verdict.TARGET_GONE and self.gate.only_target):
            return outcome
        # It has not said that it takes us again, and the next probe has to wait too.
        return replace(outcome, verdict=Verdict.DESTINATION_BROKEN)

    async def _call(self, asked: Coroutine[Any, Any, Outcome]) -> Outcome:
        call = asyncio.create_task(asked)
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


def _checked(outcome: Outcome) -> Outcome:
    """A reference comes from a vendor: only what the database can keep is kept."""
    if outcome.reference is None:
        return outcome
    return replace(
        outcome, reference={storable(str(k)): storable(str(v)) for k, v in outcome.reference.items()}
    )
