"""Stopping: in reverse, within one deadline, and none of the steps is left out."""

import asyncio
from collections.abc import Awaitable, Callable

from incidentd.lifecycle import Lifecycle

WHOLE = 0.4


def step(ended: list[str], name: str, *, hangs: bool = False) -> Callable[[float], Awaitable[None]]:
    async def stop(seconds: float) -> None:
        assert seconds <= WHOLE
        ended.append(name)
        if hangs:
            await asyncio.Event().wait()

    return stop


async def test_what_was_started_last_is_stopped_first() -> None:
    ended: list[str] = []
    life = Lifecycle()
    for name in ("port", "database", "intake"):
        life.started(name, step(ended, name))
    assert await life.stop(WHOLE)
    assert ended == ["intake", "database", "port"]


async def test_steps_that_hang_cost_the_whole_time_once_and_hide_no_other() -> None:
    ended: list[str] = []
    life = Lifecycle()
    for number in range(9):
        life.started(str(number), step(ended, str(number), hangs=number % 2 == 0))
    began = asyncio.get_running_loop().time()
    assert not await life.stop(WHOLE)
    assert asyncio.get_running_loop().time() - began < WHOLE * 1.5
    assert ended == [str(number) for number in reversed(range(9))]


async def test_a_step_that_fails_is_reported_and_the_next_one_runs() -> None:
    ended: list[str] = []

    async def fail(_: float) -> None:
        raise OSError("gone already")

    life = Lifecycle()
    life.started("port", step(ended, "port"))
    life.started("database", fail)
    assert not await life.stop(WHOLE)
    assert ended == ["port"]
