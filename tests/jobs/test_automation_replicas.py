"""Two daemons on one database whose clocks disagree: neither takes for interrupted what the other still does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from incidentd.clock import FixedClock
from incidentd.config import Config
from incidentd.domain.runbook import Kind, Run
from incidentd.jobs.automation import Automation
from incidentd.metrics import Metrics
from incidentd.store import schema
from incidentd.workflows import automation
from incidentd.workflows.automation import RunAsk
from tests.jobs.test_automation import Scripted, Shop, shop
from tests.workflows.world import START

__all__ = ["shop"]


@pytest.fixture(params=[timedelta(hours=3), timedelta(hours=-3)], ids=["ahead", "behind"])
async def other(shop: Shop, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Automation, FixedClock]]:
    """A second daemon, whose clock is hours off."""
    clock, config = FixedClock(START + request.param), Config()
    job = Automation(shop.store, clock, lambda: config, lambda: shop.rules, lambda _: None, Metrics())
    job.executors = {Kind.COMMAND: Scripted()}
    job._begun = True  # it has been there for long
    yield job, clock
    await job.stop(5)


async def passes(seconds: int, *clocks: FixedClock, looking: tuple[Automation, ...]) -> None:
    """Time passes for both, and these look."""
    for _ in range(0, seconds, 5):
        for clock in clocks:
            clock.set(clock.now() + timedelta(seconds=5))
        for job in looking:
            await job.tick()


async def test_a_run_is_believed_for_as_long_as_its_daemon_lives(
    shop: Shop, other: tuple[Automation, FixedClock]
) -> None:
    job, clock = other
    shop.does.answers = [None]
    await shop.fires()
    await shop.job.tick()
    await passes(200, shop.clock, clock, looking=(shop.job, job))
    assert await shop.runs() == [("running", "")]
    # The first one hangs: it gives no sign of life any more, and the other one looks in its place.
    await passes(70, shop.clock, clock, looking=(job,))
    await job.settle()
    assert (await shop.runs())[0][0] == "succeeded"


async def test_what_came_of_a_change_that_was_given_up_too_early_is_told_all_the_same(
    shop: Shop, other: tuple[Automation, FixedClock]
) -> None:
    job, clock = other
    shop.does.answers = [None]
    await shop.fires("restart", Run.APPROVE)
    rules, now = shop.rules, shop.clock.now()
    await shop.store.write(lambda tx: automation.ask(tx, RunAsk(1, 1, "alice"), rules, now))
    await shop.job.tick()
    await passes(70, shop.clock, clock, looking=(job,))
    assert (await shop.runs())[0][0] == "interrupted"
    [running] = shop.job._running.values()
    running.stop.set()
    await shop.job.settle()
    [(state, summary)] = await shop.runs()
    assert (state, summary.endswith("; but it ended, stopped: stopped")) == ("interrupted", True)
    query = schema.timeline.select().order_by(schema.timeline.c.seq)
    texts = [row.text for row in await shop.store.read(lambda tx: tx.conn.execute(query).all())]
    assert texts[-1] == "step 1 was taken for interrupted, but it ended, stopped: stopped"
    assert sum("step 1" in text for text in texts[-2:]) == 2
