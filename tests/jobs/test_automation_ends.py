"""Results that the database did not take at once, and runs whose daemon stops before they began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from incidentd.store.engine import Store, StoreUnavailableError, Tx
from tests.acceptance.waiting import until
from tests.jobs.test_automation import FINE, Shop, shop

__all__ = ["shop"]
T = TypeVar("T")


class Failing(Store):
    """A store that is away for some writes, and may do something else once one is done."""

    away: int = 0
    refused: int = 0
    then: Callable[[], None] = staticmethod(lambda: None)

    async def write(self, work: Callable[[Tx], T]) -> T:
        if self.away:
            self.away -= 1
            self.refused += 1
            raise StoreUnavailableError("away")
        done = await super().write(work)
        self.then()
        return done


async def test_a_result_is_kept_for_as_long_as_the_database_is_away(shop: Shop, database_url: str) -> None:
    await shop.fires()
    shop.job.store = failing = Failing(database_url)
    shop.does.answers = [FINE]

    def go_away() -> None:
        failing.away, failing.then = 12, lambda: None

    failing.then = go_away
    await shop.job.tick()
    for refused in range(1, 13):
        await until(lambda refused=refused: failing.refused >= refused, f"try {refused}")  # type: ignore[misc]
        shop.clock.set(shop.clock.now() + timedelta(seconds=1))
    await shop.job.settle()
    assert (await shop.runs(), shop.does.tried) == ([("succeeded", "fine")], 1)
    await failing.close()


async def test_a_daemon_that_stops_while_it_is_away_leaves_the_run_and_calls_it_no_fault(
    shop: Shop, database_url: str
) -> None:
    await shop.fires()
    shop.job.store = failing = Failing(database_url)

    def go_away() -> None:
        failing.away, failing.then = 1000, lambda: None

    failing.then = go_away
    await shop.job.tick()
    await until(lambda: failing.refused > 0, "a try")
    await shop.job.stop(5)
    assert await shop.runs() == [("running", "")]
    await failing.close()


async def test_what_was_begun_while_the_daemon_stops_waits_as_before(shop: Shop, database_url: str) -> None:
    await shop.fires()
    shop.job.store = failing = Failing(database_url)
    stopping: list[asyncio.Task[None]] = []

    def stop() -> None:
        failing.then = lambda: None
        shop.job._stopping.set()
        stopping.append(asyncio.create_task(shop.job.stop(5)))

    failing.then = stop
    await shop.job.tick()
    await asyncio.gather(*stopping)
    assert (await shop.runs(), shop.does.tried) == ([("queued", "")], 0)
    await failing.close()
