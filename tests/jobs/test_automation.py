"""Running steps: attempts, what ends them, results that the database did not take, and what a fault of ours is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.automation.base import Result, Task
from incidentd.clock import FixedClock
from incidentd.config import Config
from incidentd.domain import response
from incidentd.domain.automation import RunState
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.domain.runbook_match import Shelf
from incidentd.jobs.automation import Automation
from incidentd.metrics import Metrics
from incidentd.store import schema
from incidentd.store.engine import Store
from incidentd.store.schema_automation import step_runs
from incidentd.workflows import respond
from incidentd.workflows.receive import Submission, receive
from tests.acceptance.waiting import until
from tests.workflows.automating import POLICY
from tests.workflows.world import RULES, START, fires

FINE, BAD = Result(RunState.SUCCEEDED, "fine"), Result(RunState.FAILED, "bad")


@dataclass
class Scripted:
    """An executor that answers as it is told to; None: it waits to be stopped."""

    answers: list[Result | Exception | None] = field(default_factory=list)
    tried: int = 0

    async def run(self, task: Task, timeout: timedelta, stop: asyncio.Event) -> Result:  # noqa: ASYNC109 - see Executor
        self.tried += 1
        answer = self.answers.pop(0) if self.answers else FINE
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            await stop.wait()
            return Result(RunState.STOPPED, "stopped")
        return answer

    def plan(self, task: Task) -> Result:
        return replace(FINE, data={"argv": [task.action.attributes["command"]]})


@dataclass
class Shop:
    """A store, the job, and its one executor."""

    store: Store
    clock: FixedClock
    job: Automation
    does: Scripted
    rules: Any = None

    async def fires(self, command: str = "look", run: Run = Run.AUTO, **action: Any) -> None:
        """An incident whose first step begins by itself."""
        step = Step(1, "Look", Action(Kind.COMMAND, run, attributes={"command": command}, **action))
        book = Runbook("a", "A", (parse_matcher('alertname=~".+"'),), (step,), "text", "hash")
        self.rules = replace(RULES, runbooks=Shelf((book,)), automation=POLICY)
        posts, now = [Submission("main", "r", (fires("a"),))], self.clock.now()
        await self.store.write(lambda tx: receive(tx, posts, self.rules, now))

    async def runs(self) -> list[tuple[str, str]]:
        query = step_runs.select().order_by(step_runs.c.id)
        rows = await self.store.read(lambda tx: tx.conn.execute(query).all())
        return [(row.state, row.summary) for row in rows]

    async def over(self) -> tuple[str, str]:
        """Run what is due to its end; what came of the first run."""
        await self.job.tick()
        await self.job.settle()
        return (await self.runs())[0]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    store, clock = Store(database_url), FixedClock(START)
    await store.write(lambda tx: schema.metadata.create_all(tx.conn))
    config, does = Config(), Scripted()
    job = Automation(store, clock, lambda: config, lambda: opened.rules, lambda _: None, Metrics())
    job.executors = {Kind.COMMAND: does}
    opened = Shop(store, clock, job, does)
    yield opened
    await job.stop(5)
    await store.close()


async def test_what_only_looks_is_tried_again_as_often_as_its_step_says(shop: Shop) -> None:
    shop.does.answers = [BAD, BAD, FINE]
    await shop.fires(retries=2)
    await shop.job.tick()
    for attempt in (1, 2):
        await until(lambda attempt=attempt: shop.does.tried == attempt, f"attempt {attempt}")  # type: ignore[misc]
        await asyncio.sleep(0)
        shop.clock.set(shop.clock.now() + timedelta(seconds=2))
    assert (await shop.over(), shop.does.tried) == (("succeeded", "fine"), 3)


async def test_without_retries_a_failure_is_one(shop: Shop) -> None:
    shop.does.answers = [BAD]
    await shop.fires()
    assert (await shop.over(), shop.does.tried) == (("failed", "bad"), 1)


async def test_a_step_that_says_so_ends_with_its_incident(shop: Shop) -> None:
    shop.does.answers = [None]
    await shop.fires(stop_on_resolve=True)
    await shop.job.tick()
    now = shop.clock.now()

    def resolve(tx: Any) -> object:
        end = response.resolve
        return respond.act(tx, 1, lambda i: end(i, "alice", "", now, force=True), shop.rules, now)

    await shop.store.write(resolve)
    await shop.job.tick()
    assert await shop.over() == ("stopped", "its incident is resolved")


async def test_one_that_does_not_goes_on(shop: Shop) -> None:
    shop.does.answers = [None]
    await shop.fires()
    await shop.job.tick()
    await shop.job.tick()
    assert (await shop.runs())[0][0] == "running"
    shop.rules = replace(shop.rules, automation=replace(POLICY, enabled=False))
    await shop.job.tick()
    assert await shop.over() == ("stopped", "automation.enabled is not set")


async def test_a_fault_of_ours_is_a_failed_step(shop: Shop) -> None:
    shop.does.answers = [ZeroDivisionError("x")]
    await shop.fires()
    assert await shop.over() == ("failed", "a fault in incidentd, see its log: ZeroDivisionError")
