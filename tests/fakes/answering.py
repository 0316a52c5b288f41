"""A server that steps of runbooks ask: some pages, redirects, a page that never ends, and Prometheus' query API."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

from aiohttp import web


class Answering:
    """`async with Answering() as there`, then `there.url` and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.host = ""
        """``127.0.0.1:PORT``."""
        self.asked: list[str] = []
        """``GET /path``, in order."""
        self.bodies: list[bytes] = []
        self.queries: list[dict[str, str]] = []
        """Of Prometheus: what each form held."""
        self.gone_on = asyncio.Event()
        """Set it to let a slow page answer."""
        self.values: list[float] = [1.0, 2.0, 4.0]
        self.series = 1

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/v1/{what}", self._prometheus)
        app.router.add_route("*", "/{path:.*}", self._page)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gone_on.set()
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.bodies.append(await request.read())
        match request.path:
            case "/away":
                return web.Response(
                    status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}
                )
            case "/slow":
                await self.gone_on.wait()
            case "/broken":
                return web.Response(status=500, text="it is all broken\ntoken: xoxb-123456789012\n")
            case "/long":
                return web.Response(body=b"z" * 5_000_000)
            case "/endless":
                return await self._endless(request)
        return web.json_response({"fine": True})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while not self.gone_on.is_set():
            await answer.write(b"x" * 1024)
        return answer

    async def _prometheus(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        self.queries.append({**form, "authorization": request.headers.get("Authorization", "")})
        if form["query"] == "slow":
            await self.gone_on.wait()
        if form["query"] == "wrong(":
            return web.json_response({"status": "error", "error": "1:7: parse error"}, status=400)
        metric = [{"__name__": "up", "instance": f"i{n}"} for n in range(self.series)]
        if request.match_info["what"] == "query":
            found = [{"metric": each, "value": [1, str(self.values[-1])]} for each in metric]
            data = {"resultType": "vector", "result": found}
        else:
            course = [[1000 + n * 60, str(value)] for n, value in enumerate(self.values)]
            data = {"resultType": "matrix", "result": [{"metric": each, "values": course} for each in metric]}
        return web.json_response({"status": "success", "data": data})
