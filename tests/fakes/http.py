"""What the fake HTTP vendors share: a server on a free port, scripted answers, and a list of broken rules."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `drop` ends the connection without any, `hang` never answers."""

    status: int = 200
    body: Any = None
    """JSON, or bytes as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpFake:
    """A fake vendor: `async with SomeFake() as fake`, then `fake.url`, `fake.requests`, `fake.violations`."""

    prefix = "/some/proxy"
    """The fakes live below a path, as vendors behind a proxy do."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.violations: list[str] = []
        """The vendor's rules that were broken; empty at the end of a good test."""
        self.url = ""
        self._script: deque[Answer] = deque()
        self._arrived = asyncio.Condition()
        self._leaving = asyncio.Event()

    def script(self, answers: Iterable[Answer]) -> None:
        """Give these answers to the next requests, one each, instead of the usual ones."""
        self._script.extend(answers)

    async def wait_for(self, count: int, seconds: float = 5) -> None:
        """Wait until `count` requests have come in since the start; TimeoutError if they do not."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def answer(self, received: Received) -> Answer:
        """The vendor's usual answer; judges the request."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Bodies as they were sent: some vendors judge their very bytes.
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}{self.prefix}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(self.prefix)
        if path == request.path:
            self.violations.append("the path of base_url was lost")
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, path, headers, await request.read())
        async with self._arrived:
            self.requests.append(received)
            self._arrived.notify_all()
        answer = self._script.popleft() if self._script else await self.answer(received)
        if answer.hang:
            await self._leaving.wait()
        if (answer.drop or answer.hang) and request.transport is not None:
            request.transport.abort()
        if isinstance(answer.body, bytes):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)
