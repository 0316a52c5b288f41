"""Drives a real Prometheus: it scrapes what the test gives it and evaluates one rule every second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.acceptance.alertmanager import free_port
from tests.acceptance.waiting import until
from tests.programs import require

HINT = "apt-get install prometheus"
_START_SECONDS = 30
_EVERY = "1s"


def binary() -> str:
    """The program; the test is skipped without it."""
    return require("prometheus", HINT)


class Shop:
    """Something to watch: it exports `shop_up`, which is what `up` says."""

    def __init__(self) -> None:
        self.up = True
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self._server.host}:{self._server.port}"

    async def _metrics(self, _: web.Request) -> web.Response:
        # The content type that Prometheus 3 insists on.
        headers = {"Content-Type": "text/plain; version=0.0.4"}
        return web.Response(text=f"# TYPE shop_up gauge\nshop_up {int(self.up)}\n", headers=headers)


def job(name: str, address: str, token_file: Path | None = None) -> dict[str, Any]:
    """A scrape of `address`, with the bearer token in `token_file` if there is one."""
    scrape: dict[str, Any] = {"job_name": name, "static_configs": [{"targets": [address]}]}
    if token_file is not None:
        scrape["authorization"] = {"type": "Bearer", "credentials_file": str(token_file)}
    return scrape


SHOP_DOWN = {
    "alert": "ShopDown",
    "expr": "shop_up == 0",
    "labels": {"severity": "critical", "service": "shop"},
    "annotations": {"summary": "{{ $labels.instance }} is down"},
}


class Prometheus:
    """One process with a folder of its own."""

    def __init__(self, folder: Path, alertmanager: str, *jobs: dict[str, Any]) -> None:
        """`alertmanager`: the address it sends to, host and port."""
        folder.mkdir()
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        rules = folder / "rules.yml"
        # JSON is YAML.
        rules.write_text(json.dumps({"groups": [{"name": "shop", "rules": [SHOP_DOWN]}]}))
        config = {
            "global": {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "evaluation_interval": _EVERY},
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": list(jobs),
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Return when it scrapes."""
        arguments = [
            binary(),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            f"--web.external-url={self.url}/",
            # What is found before Alertmanager is known is sent again at once, not after a minute.
            "--rules.alert.resend-delay=1s",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10))
        await until(self._ready, f"Prometheus to start, see {self.folder}/log", _START_SECONDS)

    async def _ready(self) -> bool:
        assert self._process is not None
        assert self._session is not None
        assert self._process.returncode is None, (self.folder / "log").read_text()
        try:
            async with self._session.get(f"{self.url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def value(self, expression: str) -> float | None:
        """The value of an expression that has at most one series; None if it has none."""
        assert self._session is not None
        async with self._session.get(f"{self.url}/api/v1/query", params={"query": expression}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        found = answer["data"]["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    async def close(self) -> None:
        """Kill it and let go of everything."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def started(prometheus: Prometheus) -> AsyncIterator[Prometheus]:
    """Run it, and leave nothing behind."""
    try:
        await prometheus.start()
        yield prometheus
    finally:
        await prometheus.close()


async def complaints(exposition: str) -> str:
    """What `promtool check metrics` says of a text exposition; empty if it has nothing against it."""
    process = await asyncio.create_subprocess_exec(
        require("promtool", HINT),
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(exposition.encode())
    return said.decode() if process.returncode or said else ""
