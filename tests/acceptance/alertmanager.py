"""Drives a real Alertmanager: starts it with short timers, posts alerts to it, kills and restarts it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.waiting import until
from tests.programs import require

HINT = "apt-get install prometheus-alertmanager"
_START_SECONDS = 20
_BATCH = 1000


def binary() -> str:
    """The program; the test is skipped without it."""
    return require("prometheus-alertmanager", HINT, "alertmanager")


def free_port() -> int:
    """A port that nobody uses now: Alertmanager's peers must know each other's before they start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def config(
    receiver: str,
    *,
    token: str = "",
    group_by: Sequence[str] = ("alertname",),
    group_wait: str = "200ms",
    group_interval: str = "500ms",
) -> dict[str, Any]:
    """An Alertmanager's configuration with one receiver, the daemon at `receiver`."""
    hook: dict[str, Any] = {"url": receiver, "send_resolved": True, "max_alerts": 0}
    if token:
        hook["http_config"] = {"authorization": {"type": "Bearer", "credentials": token}}
    route = {
        "receiver": "incidentd",
        "group_by": list(group_by),
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": "1h",
    }
    return {"route": route, "receivers": [{"name": "incidentd", "webhook_configs": [hook]}]}


class Alertmanager:
    """One process with a folder of its own. With `cluster` (its port, its peers' ports) it gossips."""

    def __init__(
        self, folder: Path, config: dict[str, Any], cluster: tuple[int, Sequence[int]] | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "alertmanager.yml"
        # JSON is YAML.
        self._config.write_text(json.dumps(config), encoding="utf-8")
        self._cluster = cluster
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    def _arguments(self) -> list[str]:
        arguments = [
            binary(),
            f"--config.file={self._config}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=debug",
        ]
        if self._cluster is None:
            return [*arguments, "--cluster.listen-address="]
        own, peers = self._cluster
        here = f"127.0.0.1:{own}"
        return [
            *arguments,
            f"--cluster.listen-address={here}",
            f"--cluster.advertise-address={here}",
            *(f"--cluster.peer=127.0.0.1:{peer}" for peer in peers),
            # The second peer waits this long: longer than a group_interval, so that it posts stale snapshots.
            "--cluster.peer-timeout=1s",
            # A cluster counts as settled after a number of gossip intervals; the usual one means 6 s and more.
            "--cluster.gossip-interval=50ms",
        ]

    async def start(self) -> None:
        """Return when it takes alerts."""
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments(), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10))
        await until(self._answers, f"Alertmanager to start, see {self.folder}/log", _START_SECONDS)

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, (self.folder / "log").read_text()
        try:
            await self._get("/-/ready")
        except aiohttp.ClientConnectionError:
            return False
        if self._cluster is None:
            return True
        status = json.loads(await self._get("/api/v2/status"))["cluster"]
        return status["status"] == "ready" and len(status["peers"]) == 1 + len(self._cluster[1])

    async def _get(self, path: str) -> str:
        assert self._session is not None
        async with self._session.get(self.url + path) as response:
            response.raise_for_status()
            return await response.text()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop or kill it. Its data stay for the next start."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def close(self) -> None:
        """Kill it and let go of everything."""
        await self.end(signal.SIGKILL)
        if self._session is not None:
            await self._session.close()

    async def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Hand over alerts, as Prometheus does."""
        assert self._session is not None
        for start in range(0, len(alerts), _BATCH):
            part = list(alerts[start : start + _BATCH])
            async with self._session.post(f"{self.url}/api/v2/alerts", json=part) as response:
                assert response.status == 200, await response.text()

    async def silence(self, by: str, comment: str, seconds: float = 600, **labels: str) -> str:
        """Silence what has these labels; the silence's id."""
        assert self._session is not None
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
            "createdBy": by,
            "comment": comment,
        }
        async with self._session.post(f"{self.url}/api/v2/silences", json=body) as response:
            assert response.status == 200, await response.text()
            return str((await response.json())["silenceID"])

    async def expire(self, silence: str) -> None:
        """End a silence."""
        assert self._session is not None
        async with self._session.delete(f"{self.url}/api/v2/silence/{silence}") as response:
            assert response.status == 200, await response.text()

    async def failures(self) -> float:
        """How many posts to the receiver failed."""
        lines = (await self._get("/metrics")).splitlines()
        name = "alertmanager_notification_requests_failed_total"
        found = [line for line in lines if line.startswith(name) and 'integration="webhook"' in line]
        return sum(float(line.rpartition(" ")[2]) for line in found)


@asynccontextmanager
async def started(*members: Alertmanager) -> AsyncIterator[None]:
    """Run these, which may be a cluster, and leave nothing behind."""
    try:
        async with asyncio.TaskGroup() as group:
            for member in members:
                group.create_task(member.start())
        yield
    finally:
        for member in members:
            await member.close()


def pair(folder: Path, config: dict[str, Any], *, gossip: bool) -> tuple[Alertmanager, Alertmanager]:
    """Two Alertmanagers with one configuration, which know each other or not."""
    ports = (free_port(), free_port())
    first = (ports[0], [ports[1]]) if gossip else None
    second = (ports[1], [ports[0]]) if gossip else None
    return Alertmanager(folder / "am0", config, first), Alertmanager(folder / "am1", config, second)


def alerts(count: int, groups: int, prefix: str = "Drill") -> list[dict[str, Any]]:
    """`count` alerts dealt out over `groups` alert names, of every severity."""
    severities = ("critical", "warning", "info")
    return [
        {
            "labels": {
                "alertname": f"{prefix}{number % groups:03}",
                "instance": f"host{number:04}:9100",
                "job": "node",
                "severity": severities[number % groups % 3],
            },
            "annotations": {"summary": f"alert {number} of {count}"},
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        }
        for number in range(count)
    ]


def firing(alerts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, beginning now."""
    return [{**alert, "startsAt": _now()} for alert in alerts]


def resolved(alerts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, over as of now."""
    return [{**alert, "endsAt": _now()} for alert in alerts]


def _now() -> str:
    return datetime.now(UTC).isoformat()
