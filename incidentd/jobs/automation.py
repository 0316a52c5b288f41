"""Runs the steps whose turn it is, and ends those that must end. Safe on several replicas: a row says who has it.

That a run begins is committed before anything is done, and what came of it after; in between its daemon gives signs of
life. One whose daemon dies is told as interrupted by another that misses them, or by the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from incidentd.automation.base import Executor, Result
from incidentd.automation.command import CommandExecutor, why_none
from incidentd.automation.http import HttpExecutor
from incidentd.automation.promql import PromqlExecutor
from incidentd.clock import Clock, random_id
from incidentd.config import Config
from incidentd.domain.automation import RETRY_PAUSE, RunState
from incidentd.domain.automation_watch import LEASE, RENEW, Watch
from incidentd.domain.incident import Change
from incidentd.domain.runbook import Kind
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.store import automation, incidents, silences
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.workflows.automation_acts import WITHIN, Act, perform
from incidentd.workflows.automation_course import Claimed, begun, claim
from incidentd.workflows.automation_results import settle, still
from incidentd.workflows.automation_switch import stopped
from incidentd.workflows.automation_tidy import Look, due, handed_back, tidy, unbegun
from incidentd.workflows.rules import Rules

_AGAIN = frozenset({RunState.FAILED, RunState.TIMED_OUT})
"""What another attempt may mend."""
_RESOLVED = "its incident is resolved"
_CLOSING = "the daemon is stopping"

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True)
class _Running:
    """A run under way here."""

    claimed: Claimed
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""


@dataclass(slots=True)
class Automation:
    """Takes steps, as far as the configuration in force allows."""

    store: Store
    clock: Clock
    config: Callable[[], Config]
    rules: Callable[[], Rules]
    changed: Callable[[tuple[Change, ...]], None]
    metrics: Metrics
    executors: Mapping[Kind, Executor] = field(init=False)
    _running: dict[int, _Running] = field(default_factory=dict)
    """Run -> what is under way."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _begun: bool = False
    _renewed: float = float("-inf")
    _watched: Watch = field(default_factory=Watch)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Make what does them."""
        self.executors = {
            Kind.COMMAND: CommandExecutor(lambda: self.config().automation),
            Kind.HTTP: HttpExecutor(lambda: self.config().automation),
            Kind.PROMQL: PromqlExecutor(lambda: self.config().automation, self.clock.now),
        }

    @property
    def job(self) -> Job:
        """What the clockwork runs: it begins runs and does not wait for them."""
        return Job("automation", timedelta(seconds=0.5), self.tick)

    async def stop(self, seconds: float) -> None:
        """Begin nothing further, end what is under way, and write down what became of it."""
        self._stopping.set()
        for each in self._running.values():
            self._end(each, _CLOSING)
        until = self.clock.monotonic() + seconds * 0.8
        # One that ends may just have begun others, which hand theirs back.
        while self._tasks and (left := until - self.clock.monotonic()) > 0:
            if not (await asyncio.wait(set(self._tasks), timeout=left))[0]:
                break
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait for the runs under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tick(self) -> None:
        """End what must end, and begin what may begin."""
        async with self._turn:
            if self._stopping.is_set():
                return
            if not self._begun and (why := why_none(self.config().automation)):
                log.warning("commands_cannot_run", reason=why)
            alone = not self._begun and not self.store.postgresql
            if await self.store.read_now(automation.any_busy):
                await self._look(alone=alone)
            self._begun = True

    async def _look(self, *, alone: bool) -> None:
        rules, now = self.rules(), self.clock.now()
        await self._end_some()
        await self._watch()
        look = Look(now, frozenset(self._running), self._watched.silent, alone)

        def write(tx: Tx) -> tuple[list[Claimed], tuple[Change, ...]]:
            said = tidy(tx, rules, look)
            claimed, more = claim(tx, rules, now)
            for each in claimed:
                begun(tx, each, self._argv(each), now)
            return claimed, (*said, *more)

        if not await self.store.read_now(lambda tx: due(tx, rules, look)):
            return
        claimed, changes = await self.store.write(write)
        if changes:
            self.changed(changes)
        for each in claimed:
            self._start(each)

    async def _watch(self) -> None:
        """Give signs of life of the runs here, and look for those of the others."""
        at = self.clock.monotonic()
        held = {number: each.claimed.run.generation for number, each in self._running.items()}
        if held and at - self._renewed >= RENEW.total_seconds():
            until = self.clock.now() + LEASE
            await self.store.write(lambda tx: automation.renew(tx, held, until))
            self._renewed = at
        known = await self.store.read_now(automation.running)
        signs = {run.id: (run.generation, run.lease_until) for run in known if run.id not in held}
        self._watched = self._watched.after(signs, at)

    def _argv(self, claimed: Claimed) -> list[str]:
        """What a command is to run."""
        if claimed.action.kind is not Kind.COMMAND:
            return []
        return list(self.executors[Kind.COMMAND].plan(claimed.task).data.get("argv", ()))

    def _start(self, claimed: Claimed) -> None:
        running = self._running[claimed.run.id] = _Running(claimed)
        if self._stopping.is_set():  # it began to stop while this was written
            self._end(running, _CLOSING)
        task = asyncio.create_task(self._run(running), name=f"step {claimed.run.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_some(self) -> None:
        """End the runs here that somebody, the switch, or the end of their incident wants ended."""
        if not self._running:
            return
        ids = list(self._running)
        asked = {
            each.claimed.incident.id for each in self._running.values() if each.claimed.action.stop_on_resolve
        }

        def read(tx: Tx) -> tuple[dict[int, str], set[int], str | None]:
            over = {each.id for each in silences.incidents_of(tx, sorted(asked)) if not each.open}
            return automation.stops(tx, ids), over, stopped(tx)

        stops, over, switched = await self.store.read_now(read)
        if not self.rules().automation.enabled:
            switched = switched or "automation.enabled is not set"
        for number, each in self._running.items():
            claimed = each.claimed
            resolved = claimed.action.stop_on_resolve and claimed.incident.id in over
            why = stops.get(number) or switched or (_RESOLVED if resolved else "")
            if why:
                self._end(each, why)

    @staticmethod
    def _end(running: _Running, why: str) -> None:
        running.why = running.why or why
        running.stop.set()

    # -- one run ----------------------------------------------------------------------------------------------
    async def _run(self, running: _Running) -> None:
        claimed, since = running.claimed, self.clock.monotonic()
        try:
            try:
                changes, result = await self._done(running)
            except StoreUnavailableError:  # what came of it is known, and no fault
                raise
            except Exception as error:  # a fault of ours is a failed step, and somebody must see it
                log.exception("step_bug", run=claimed.run.id)
                result = Result(RunState.FAILED, f"a fault in incidentd, see its log: {type(error).__name__}")
                changes = await self._settled(claimed, result)
            kind, outcome = claimed.run.kind.value, result.state.value
            self.metrics.step_runs.labels(kind, outcome).inc()
            self.metrics.step_run_seconds.labels(kind).observe(max(self.clock.monotonic() - since, 0))
            log.info("step_run", run=claimed.run.id, incident=claimed.incident.id, kind=kind, outcome=outcome)
            if changes:
                self.changed(changes)
        except (StoreUnavailableError, StoreRejectedError) as error:
            # Its lease runs out, and it is told as interrupted.
            log.error("step_not_settled", run=claimed.run.id, error=str(error))  # noqa: TRY400 - it says it all
        finally:
            del self._running[claimed.run.id]
        if not self._stopping.is_set():
            await self._next()

    async def _next(self) -> None:
        """Whoever waits for this place gets it at once."""
        try:
            await self.tick()
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("steps_not_looked_at", error=str(error))

    async def _done(self, running: _Running) -> tuple[tuple[Change, ...], Result]:
        claimed = running.claimed
        if running.why == _CLOSING:  # before anything of it was done
            now = self.clock.now()
            await self.store.write(lambda tx: unbegun(tx, claimed, now))
            return (), Result(RunState.INTERRUPTED, running.why)
        if claimed.action.kind in WITHIN:
            return await self._within(claimed)
        executor = self.executors[claimed.action.kind]
        if claimed.run.dry_run:
            result = executor.plan(claimed.task)
        else:
            result = await self._tried(executor, running)
        if result.state is RunState.STOPPED and running.why:
            result = Result(result.state, running.why, result.output, result.data)
            if running.why == _CLOSING:
                return await self._handed_back(claimed, result), replace(result, state=RunState.INTERRUPTED)
        return await self._settled(claimed, result), result

    async def _tried(self, executor: Executor, running: _Running) -> Result:
        action = running.claimed.action
        # What changes something is tried once, whatever its runbook says.
        left = 0 if running.claimed.run.changes else action.retries
        result = await executor.run(running.claimed.task, action.timeout, running.stop)
        while left and result.state in _AGAIN and not running.stop.is_set():
            await self.clock.wait(running.stop, RETRY_PAUSE.total_seconds())
            left -= 1
            result = await executor.run(running.claimed.task, action.timeout, running.stop)
        return result

    async def _settled(self, claimed: Claimed, result: Result) -> tuple[Change, ...]:
        """Write what came of it."""

        def write(tx: Tx) -> tuple[Change, ...]:
            return settle(tx, claimed, result, self.rules(), self.clock.now())

        return await self._written(write)

    async def _written(self, work: Callable[[Tx], T]) -> T:
        """Write what is known now; again and again if the database is away.

        Raises `StoreUnavailableError` once the daemon stops.
        """
        while True:
            try:
                return await self.store.write(work)
            except StoreUnavailableError:
                if self._stopping.is_set():
                    raise
                await self.clock.wait(self._stopping, 1)

    async def _handed_back(self, claimed: Claimed, result: Result) -> tuple[Change, ...]:
        rules, now = self.rules(), self.clock.now()
        return await self.store.write(lambda tx: handed_back(tx, claimed, result, rules, now))

    async def _within(self, claimed: Claimed) -> tuple[tuple[Change, ...], Result]:
        fresh, url = random_id(), self.config().server.public_url

        def write(tx: Tx) -> tuple[tuple[Change, ...], Result]:
            rules, now = self.rules(), self.clock.now()
            [incident] = incidents.by_ids(tx, [claimed.incident.id]) or [claimed.incident]
            if still(tx, claimed) is None:  # ended by others, or an attempt before was written after all
                return (), Result(RunState.INTERRUPTED, "no longer this one's to do")
            result = perform(tx, Act(claimed, incident, fresh, url), rules, now)
            return settle(tx, claimed, result, rules, now), result

        return await self._written(write)
