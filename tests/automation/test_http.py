"""HTTP steps against a real server: the allow-list, redirects, slow and endless answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from incidentd.automation.base import Result
from incidentd.automation.http import HEAD_BYTES, HttpExecutor
from incidentd.config.automation import Automation
from incidentd.domain.automation import RunState
from incidentd.domain.runbook import Kind
from tests.acceptance.waiting import until
from tests.automation.world import task_of
from tests.fakes.answering import Answering


@pytest.fixture
async def there() -> AsyncIterator[Answering]:
    """The server that is asked."""
    async with Answering() as opened:
        yield opened


async def ask(
    there: Answering,
    path: str,
    *,
    seconds: float = 5,
    hosts: tuple[str, ...] | None = None,
    stop: asyncio.Event | None = None,
    **more: object,
) -> Result:
    """Ask for one page."""
    section = Automation(enabled=True, http_hosts=(there.host,) if hosts is None else hosts)
    task = task_of(Kind.HTTP, None, url=f"{there.url}{path}", **more)
    return await HttpExecutor(lambda: section).run(task, timedelta(seconds=seconds), stop or asyncio.Event())


async def test_status_and_the_head_of_the_body_are_kept(there: Answering) -> None:
    told = await ask(there, "/health?deep=1")
    assert (told.state, told.summary, told.data) == (
        RunState.SUCCEEDED,
        'HTTP 200: {"fine": true}',
        {"status": 200},
    )
    told = await ask(there, "/broken")
    assert (told.state, told.summary) == (RunState.FAILED, "HTTP 500: it is all broken")
    assert told.output == "it is all broken\ntoken: [secret]\n"
    assert (await ask(there, "/broken", expect=[500, 503])).state is RunState.SUCCEEDED
    told = await ask(there, "/long")
    assert told.output == "z" * HEAD_BYTES + "\n[the rest is left out]"


async def test_a_host_that_is_not_allowed_is_not_asked(there: Answering) -> None:
    for hosts in ((), ("127.0.0.1:1",), ("localhost",), ("127.0.0.1.example.com",)):
        told = await ask(there, "/health", hosts=hosts)
        assert (told.state, told.summary) == (
            RunState.REFUSED,
            f"automation.http_hosts does not have {there.host}",
        )
    assert there.asked == []
    assert (await ask(there, "/health", hosts=("127.0.0.1",))).state is RunState.SUCCEEDED


async def test_a_redirect_is_an_answer_and_is_not_followed(there: Answering) -> None:
    told = await ask(there, "/away")
    assert (told.state, told.summary) == (RunState.FAILED, "HTTP 302, a redirect, which is not followed")
    assert there.asked == ["GET /away"]
    assert (await ask(there, "/away", expect=[302])).state is RunState.SUCCEEDED


async def test_a_post_sends_its_body_once(there: Answering) -> None:
    told = await ask(there, "/restart", method="POST", body='{"a": 1}', content_type="application/json")
    assert (told.state, there.asked, there.bodies) == (RunState.SUCCEEDED, ["POST /restart"], [b'{"a": 1}'])


@pytest.mark.parametrize("path", ["/slow", "/endless"])
async def test_what_does_not_end_is_ended_in_time(there: Answering, path: str) -> None:
    since = time.monotonic()
    told = await ask(there, path, seconds=0.5)
    assert time.monotonic() - since < 2.5
    # The endless one has given its head: more was not asked for.
    assert told.state is (RunState.TIMED_OUT if path == "/slow" else RunState.SUCCEEDED)


async def test_it_is_ended_when_it_is_told_to_stop(there: Answering) -> None:
    stop = asyncio.Event()
    asking = asyncio.create_task(ask(there, "/slow", seconds=60, stop=stop))
    await until(lambda: bool(there.asked), "the request")
    stop.set()
    assert (await asking).state is RunState.STOPPED


async def test_nobody_there_is_a_failure_with_the_host_alone() -> None:
    section = Automation(enabled=True, http_hosts=("127.0.0.1",))
    task = task_of(Kind.HTTP, url="http://127.0.0.1:1/secret-path")
    told = await HttpExecutor(lambda: section).run(task, timedelta(seconds=5), asyncio.Event())
    assert (told.state, told.summary) == (RunState.FAILED, "127.0.0.1: cannot connect")


async def test_a_dry_run_asks_nobody(there: Answering) -> None:
    section = Automation(enabled=True, http_hosts=(there.host,))
    planned = HttpExecutor(lambda: section).plan(task_of(Kind.HTTP, url=f"{there.url}/x", method="POST"))
    assert (planned.summary, there.asked) == (f"would send POST {there.url}/x", [])
