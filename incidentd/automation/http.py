"""`http` steps: one request to a host that the configuration allows; status and the head of the body are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from incidentd.automation.base import Result, Task, one_line, readable, refused
from incidentd.automation.doors import StoppedError, client, unless
from incidentd.channels.base import HttpAnswer, HttpFailure
from incidentd.channels.http import HttpClient
from incidentd.config.automation import Automation
from incidentd.domain.automation import RunState, place_of

HEAD_BYTES = 8 * 1024
"""Of a body that is kept."""
_GOOD = range(200, 300)
_REDIRECTS = range(300, 400)
_LATE = frozenset({"timeout", "connect_timeout", "busy"})


@dataclass(frozen=True, slots=True)
class HttpExecutor:
    """Asks hosts of the allow-list in force."""

    config: Callable[[], Automation]

    async def run(self, task: Task, timeout: timedelta, stop: asyncio.Event) -> Result:  # noqa: ASYNC109 - see Executor
        """Ask once. A redirect is an answer and is not followed, wherever it leads."""
        given = task.action.attributes
        url = str(given["url"])
        # Asked again, and not only when the run began: a reload may have changed it.
        if not self.config().policy.allows(url):
            return refused(f"automation.http_hosts does not have {place_of(url)}")
        try:
            async with client(timeout, HEAD_BYTES + 1) as http:
                answer = await unless(stop, _request(http, given))
        except StoppedError:
            return Result(RunState.STOPPED, "stopped; whether it was answered is not known")
        except HttpFailure as failure:
            state = RunState.TIMED_OUT if failure.code in _LATE else RunState.FAILED
            return Result(state, one_line(failure.detail), data={"code": failure.code})
        return _result(answer, tuple(given.get("expect") or ()))  # type: ignore[arg-type]

    def plan(self, task: Task) -> Result:
        """Say what would be asked."""
        given = task.action.attributes
        if not self.config().policy.allows(str(given["url"])):
            return refused(f"automation.http_hosts does not have {place_of(str(given['url']))}")
        asked = f"would send {given.get('method') or 'GET'} {given['url']}"
        return Result(RunState.SUCCEEDED, one_line(asked))


async def _request(http: HttpClient, given: Any) -> HttpAnswer:  # noqa: ANN401 - attributes of a step, checked when it was read
    method, body = given.get("method") or "GET", given.get("body")
    headers = {"Content-Type": given["content_type"]} if body is not None else {}
    return await http.request(method, given["url"], headers, (body or "").encode())


def _result(answer: HttpAnswer, expected: tuple[int, ...]) -> Result:
    status = answer.status
    good = status in (expected or _GOOD)
    output = readable(answer.body[:HEAD_BYTES])
    if len(answer.body) > HEAD_BYTES:
        output += "\n[the rest is left out]"
    words = f"HTTP {status}"
    if not good and status in _REDIRECTS:
        words += ", a redirect, which is not followed"
    head = one_line(output.partition("\n")[0])
    words = one_line(f"{words}: {head}" if head else words)
    return Result(RunState.SUCCEEDED if good else RunState.FAILED, words, output, {"status": status})
