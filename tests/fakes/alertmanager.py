"""An Alertmanager's API v2 as far as incidentd asks it, with alerts and silences that the test sets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

Json = dict[str, Any]


def alert(
    name: str, fingerprint: str, *, state: str = "active", receivers: tuple[str, ...] = ("incidentd",)
) -> Json:
    """One alert as `GET /api/v2/alerts` has it."""
    return {
        "annotations": {"summary": f"{name} is broken"},
        "endsAt": "2030-01-01T00:00:00Z",
        "fingerprint": fingerprint,
        "receivers": [{"name": each} for each in receivers],
        "startsAt": "2026-03-01T12:00:00.123456789Z",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": state},
        "updatedAt": "2026-03-01T12:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "labels": {"alertname": name, "service": "api", "severity": "critical"},
    }


@dataclass
class AlertmanagerFake:
    """A server below a path prefix. `broken` answers everything with that status and body."""

    up: timedelta = timedelta(hours=1)
    cluster: str = "disabled"
    alerts: list[Json] = field(default_factory=list)
    silences: dict[str, Json] = field(default_factory=dict)
    token: str = ""
    broken: tuple[int, bytes] | None = None
    asked: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/am/api/v2/{path:.*}", self._answer)
        self._server = TestServer(app)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        """Its address, which has a path."""
        return f"http://127.0.0.1:{self._server.port}/am"

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked.append(f"{request.method} {path} {request.headers.get('Authorization', '')}".strip())
        if self.broken is not None:
            return web.Response(status=self.broken[0], body=self.broken[1])
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="Unauthorized")
        if request.method == "DELETE":
            return self._expired(path.removeprefix("silence/"))
        if request.method == "POST":
            return self._silenced(await request.json())
        return web.json_response(
            {"alerts": self.alerts, "silences": list(self.silences.values())}.get(path)
            or (self._status() if path == "status" else [])
        )

    def _status(self) -> Json:
        return {
            "cluster": {"status": self.cluster, "peers": []},
            "config": {"original": "route: {receiver: secret}"},
            "uptime": (datetime.now(UTC) - self.up).isoformat(),
            "versionInfo": {"version": "0.25.0"},
        }

    def _silenced(self, body: Json) -> web.Response:
        if not body.get("matchers"):
            return web.json_response(
                {"code": 612, "message": "matchers in body should have at least 1 items"}, status=422
            )
        number = body.get("id") or f"9571a0de-7d84-4ff3-b3d5-{len(self.silences):012}"
        self.silences[number] = {**body, "id": number, "status": {"state": "active"}}
        return web.json_response({"silenceID": number})

    def _expired(self, number: str) -> web.Response:
        if number not in self.silences:
            return web.Response(status=500, body=json.dumps("silence not found").encode())
        self.silences[number]["status"] = {"state": "expired"}
        return web.Response()
