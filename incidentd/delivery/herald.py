"""The loop that tells one channel of deployments: after its pages, one at a time, each until the vendor has taken it.

What comes of it says nothing about the destination: a change event that is refused must not hold up a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

import structlog

from incidentd.delivery.env import Env
from incidentd.delivery.gate import Gate
from incidentd.delivery.settle import said
from incidentd.delivery.trouble import Trouble
from incidentd.domain.deployment import Announcement, Deployment
from incidentd.domain.destination import BROKEN_PAUSE, THROTTLE_PAUSE
from incidentd.domain.notification import DeliveryClass, Outcome, Verdict
from incidentd.domain.retry import POLICIES, give_up, next_attempt
from incidentd.store import change_events, destinations, outbox
from incidentd.store.change_events import ChangeEvent, Ending
from incidentd.store.engine import Tx

POLICY = POLICIES[DeliveryClass.LOG]
"""A change event matters as much as a line in a chat."""
_CLASS = "change"
"""In `incidentd_deliveries_total`."""
_FOR_GOOD = frozenset({Verdict.CONTENT_REJECTED, Verdict.TARGET_GONE, Verdict.DISABLED})
_CONTENDED = 0.05
"""Seconds before looking again when another replica was just taking what is due."""

log = structlog.get_logger()


class Attempted(Protocol):
    """A leased row of a small outbox."""

    @property
    def attempts(self) -> int:
        """How often it was tried, with the attempt under way."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was written."""
        ...


def decide(outcome: Outcome, event: Attempted, now: datetime, jitter: float) -> Ending:
    """What becomes of a leased row. `jitter` in [0, 1) spreads the retries."""
    if outcome.verdict is Verdict.OK:
        return Ending("sent", None, now)
    pause = None
    if outcome.verdict is Verdict.DESTINATION_BROKEN:
        pause = BROKEN_PAUSE
    elif outcome.verdict not in _FOR_GOOD:
        asked = outcome.retry_after
        if asked is None and outcome.verdict is Verdict.THROTTLED:
            asked = THROTTLE_PAUSE
        pause = next_attempt(POLICY, event.attempts, asked, jitter)
    if pause is None or give_up(POLICY, now - event.created_at):
        return Ending("dead", said(outcome), now)
    return Ending("pending", said(outcome), now + pause)


class Herald:
    """Claims, says, settles: one row after the other, until retired."""

    def __init__(
        self,
        env: Env,
        channel: str,
        gate: Gate,
        target: str,
        say: Callable[[Announcement], Awaitable[Outcome]],
    ) -> None:
        """`say` never raises, and returns in bounded time. `gate` is the one of the channel's pages."""
        self._env = env
        self._channel = channel
        self._gate = gate
        self._target = target
        self._say = say
        self._wake = asyncio.Event()
        self._retired = False
        self._said: tuple[ChangeEvent, Outcome] | None = None
        """What was said and is not settled yet: if that fails, the next turn does it, and nothing is said twice."""
        self.resting = asyncio.Event()
        """Set while nothing is due and nothing is under way."""

    def poke(self) -> None:
        """Look again, now."""
        self.resting.clear()
        self._wake.set()

    def retire(self) -> None:
        """Take nothing more; `run` returns when what is under way is settled."""
        self._retired = True
        self.poke()

    async def run(self) -> None:
        """Work until retired."""
        trouble = Trouble(self._env.clock, f"{self._channel}/changes")
        while self._said is not None or not self._retired:
            self._wake.clear()
            self.resting.clear()
            try:
                pause = await self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it is, the rest must go out when it is over
                await self._env.clock.wait(asyncio.Event(), trouble.pause(error))
                continue
            trouble.over()
            if pause:
                await self._env.clock.wait(self._wake, pause)
        self.resting.set()

    async def _turn(self) -> float:
        """Say one thing, if there is one. Seconds until the next look, unless somebody calls."""
        if self._said is not None:
            await self._settle(*self._said)
            self._said = None
            return 0
        now = self._env.clock.now()
        due = await self._env.store.read_now(lambda tx: self._look(tx, now))
        if due is None or due > now or not self._room:
            wait = self._env.limits.look
            return self._rest(
                wait if due is None or due <= now else max(min(wait, (due - now).total_seconds()), 0.001)
            )
        event = await self._env.store.write(self._claim)
        if event is None:
            return self._rest(_CONTENDED)
        self._gate.buckets.take(self._target)
        self._said = event, await self._say(Announcement(event.deployment, self._url(event.deployment)))
        return 0

    def _rest(self, seconds: float) -> float:
        if not self._wake.is_set():
            self.resting.set()
        return seconds

    @property
    def _room(self) -> bool:
        # Half of what the vendor takes at once is kept for pages that come in the next moment.
        rate = self._gate.traits.rate
        return self._gate.buckets.tokens(self._target, 0 if rate is None else rate.burst // 2) > 0

    def _look(self, tx: Tx, now: datetime) -> datetime | None:
        """When the next row may leave; None if there is none, or if it has to wait for others."""
        due = change_events.next_due(tx, self._channel)
        if due is None or due > now:
            return due
        self._gate.looked_up(destinations.of(tx, self._channel, now))
        if self._gate.shut(now) or outbox.is_due(tx, self._channel, pages=True, now=now):
            return None
        return due

    def _claim(self, tx: Tx) -> ChangeEvent | None:
        # Read here: under load a unit of work waits for the writer, and a lease must not begin before that.
        now = self._env.clock.now()
        return change_events.claim(tx, self._channel, now, now + self._env.limits.lease)

    async def _settle(self, event: ChangeEvent, outcome: Outcome) -> None:
        now = self._env.clock.now()
        ending = decide(outcome, event, now, self._env.jitter())

        def work(tx: Tx) -> bool:
            if not change_events.settle(tx, event, ending, now):
                return False
            if ending.state == "pending":
                change_events.postpone(tx, self._channel, ending.not_before)
            return True

        ours = await self._env.store.write(work)
        self._report(event, outcome, ending, ours=ours)

    def _report(self, event: ChangeEvent, outcome: Outcome, ending: Ending, *, ours: bool) -> None:
        self._env.metrics.deliveries.labels(self._channel, _CLASS, outcome.verdict.value).inc()
        deployment = event.deployment
        facts = {
            "channel": self._channel,
            "deployment": deployment.id,
            "service": deployment.service,
            "attempts": event.attempts,
        }
        if not ours:
            log.warning("change_event_result_late", outcome=outcome.verdict, **facts)
        elif ending.state == "sent":
            log.info("change_event_sent", **facts)
        elif ending.state == "dead":
            self._env.metrics.deliveries.labels(self._channel, _CLASS, "dead").inc()
            log.error("change_event_dead", error=ending.error, **facts)
        else:
            retry_at = ending.not_before.isoformat()
            log.warning("change_event_failed", error=ending.error, retry_at=retry_at, **facts)

    def _url(self, deployment: Deployment) -> str:
        query = urlencode({"service": deployment.service, "environment": deployment.environment})
        return f"{self._env.public_url.rstrip('/')}/api/v1/deployments?{query}"
