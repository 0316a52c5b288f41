"""The table of what is done because time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from incidentd.channels.base import Http, HttpFailure
from incidentd.clock import Clock, random_id
from incidentd.config import Config
from incidentd.domain.incident import Change
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.store import escalations
from incidentd.store.ballast import Ballast
from incidentd.store.engine import Store, StoreUnavailableError
from incidentd.workflows import drills, flapping, heartbeats, housekeeping, maintenance
from incidentd.workflows.destinations import watch, watch_due
from incidentd.workflows.escalate import run_steps, steps_due
from incidentd.workflows.forgotten import forgotten_due, run_forgotten
from incidentd.workflows.respond import run_timers, timers_due
from incidentd.workflows.rules import Rules
from incidentd.workflows.self_check import audit, stuck

_REFUSED = 400
_TICK = timedelta(seconds=0.5)
"""How late a step may be that is due as soon as its alert comes."""
_LOOK_AHEAD = timedelta(seconds=0.4)
"""Shorter than the tick, so that one look is over when the next begins."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chores:
    """The jobs of one daemon. Each may be late, run twice, or run on several replicas."""

    store: Store
    clock: Clock
    rules: Callable[[], Rules]
    """Those in force: a reload replaces them."""
    config: Callable[[], Config]
    """As above."""
    changed: Callable[[tuple[Change, ...]], None]
    """Called after every commit that changed incidents."""
    stopping: asyncio.Event
    ballast: Ballast | None
    metrics: Metrics
    http: Http
    read_runbooks: Callable[[], Awaitable[None]]
    """Read the runbooks whose files have changed."""
    listening: heartbeats.Listening = field(default_factory=heartbeats.Listening)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("timers", timedelta(seconds=1), self.run_timers),
            Job("escalations", _TICK, self.keep_escalating),
            Job("self_audit", timedelta(minutes=2), self.audit),
            Job("self_check", timedelta(minutes=1), self.show_signs_of_life),
            Job("destinations", timedelta(seconds=2), self.watch_destinations),
            Job("drills", timedelta(seconds=2), self.drill),
            Job("maintenance", timedelta(seconds=2), self.end_maintenance),
            Job("flapping", timedelta(seconds=5), self.settle_flapping),
            Job("heartbeats", timedelta(seconds=5), self.watch_heartbeats),
            Job("runbooks", timedelta(seconds=10), self.read_runbooks),
            Job("housekeeping", timedelta(minutes=10), self.housekeep),
        )

    async def run_timers(self) -> None:
        """End the snoozes, holds and acknowledgements that are due, and remind those who hold something for long."""
        now, rules = self.clock.now(), self.rules()
        # A look costs no turn of the writer, and nearly every tick finds nothing.
        if await self.store.read_now(lambda tx: timers_due(tx, now)):
            self.changed(await self.store.write(lambda tx: run_timers(tx, rules, now)))
        if await self.store.read_now(lambda tx: forgotten_due(tx, now)):
            self.changed(await self.store.write(lambda tx: run_forgotten(tx, rules, now)))

    async def keep_escalating(self) -> None:
        """Run each step at its instant, as far as that comes before the next tick."""
        until = self.clock.now() + _LOOK_AHEAD
        due = await self.store.read_now(escalations.next_due)
        while due is not None and due <= until:
            left = due - self.clock.now()
            await self.clock.wait(self.stopping, max(left.total_seconds(), 0))
            await self.escalate()
            last, due = due, await self.store.read_now(escalations.next_due)
            if due == last:
                break  # others work on it

    async def escalate(self) -> None:
        """Run the steps of escalations that are due, batch by batch: intake gets its turn in between."""
        now, rules = self.clock.now(), self.rules()
        while not self.stopping.is_set() and await self.store.read_now(lambda tx: steps_due(tx, now)):
            changes = await self.store.write(lambda tx: run_steps(tx, rules, now))
            self.changed(changes)
            if not changes:
                break  # others work on what is left

    async def audit(self) -> None:
        """Look for escalations that stand still; tell of them and start them anew."""
        now, rules = self.clock.now(), self.rules()
        found = await self.store.read_now(lambda tx: stuck(tx, rules, now))
        self.metrics.escalation_stuck.set(len(found))
        if found:
            log.error("escalations_stuck", incidents=found)
            self.changed(await self.store.write(lambda tx: audit(tx, rules, now)))

    async def show_signs_of_life(self) -> None:
        """Tell an outside monitor that the self-audit finds nothing; say nothing else, for silence is its alarm."""
        address, now, rules = self.config().self_check.heartbeat_url, self.clock.now(), self.rules()
        if address is None or await self.store.read_now(lambda tx: bool(stuck(tx, rules, now))):
            return
        try:
            answer = await self.http.request("GET", address.get_secret_value(), {}, b"")
        except HttpFailure as failure:
            log.warning("heartbeat_not_sent", error=str(failure))
            return
        if answer.status >= _REFUSED:
            log.warning("heartbeat_not_sent", error=f"HTTP {answer.status}")

    async def watch_destinations(self) -> None:
        """Open and resolve incidents about channels that cannot deliver."""
        now, rules = self.clock.now(), self.rules()
        if await self.store.read_now(lambda tx: watch_due(tx, rules, now)):
            self.changed(await self.store.write(lambda tx: watch(tx, rules, now)))

    async def drill(self) -> None:
        """Start the drills that are due, and end and judge those under way."""
        now, rules = self.clock.now(), self.rules()
        if await self.store.read_now(lambda tx: drills.due(tx, rules, now)):
            identities = [random_id()[:12] for _ in rules.drills]
            self.changed(await self.store.write(lambda tx: drills.run(tx, rules, now, identities)))

    async def end_maintenance(self) -> None:
        """Tell of what still fires when a window is over."""
        now, rules = self.clock.now(), self.rules()
        if await self.store.read_now(lambda tx: maintenance.end_due(tx, rules, now)):
            self.changed(await self.store.write(lambda tx: maintenance.end(tx, rules, now)))

    async def settle_flapping(self) -> None:
        """Resolve what has been quiet for long enough after coming and going."""
        now, rules = self.clock.now(), self.rules()
        if await self.store.read_now(lambda tx: flapping.settle_due(tx, rules, now)):
            self.changed(await self.store.write(lambda tx: flapping.settle(tx, rules, now)))

    async def watch_heartbeats(self) -> None:
        """Open and resolve incidents about heartbeats, and settle what was withheld because of them."""
        now, rules = self.clock.now(), self.rules()
        since = self.listening.at(now, self.store.refusals)
        try:
            if await self.store.read_now(lambda tx: heartbeats.watch_due(tx, rules, since, now)):
                self.changed(await self.store.write(lambda tx: heartbeats.watch(tx, rules, since, now)))
        except StoreUnavailableError:
            # What cannot be written down cannot be heard: nobody is missing because of that.
            self.listening.since = None
            raise

    async def housekeep(self) -> None:
        """Forget what is old, and keep the database's files small."""
        await housekeeping.housekeep(
            self.store, self.config().retention, self.clock.now(), self.stopping.is_set
        )
        if self.ballast is not None:
            await asyncio.to_thread(self.ballast.ensure)
