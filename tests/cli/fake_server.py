"""A stand-in for the daemon's HTTP API, on a port of its own, in a thread: the CLI blocks while it calls."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
TOKEN = "s3cret-token-of-alice"


def incident(number: int = 12, **changes: Any) -> Json:
    """An incident as the API shows it."""
    return {
        "id": number,
        "ref": f"INC-{number}",
        "title": "HighLatency checkout",
        "state": "triggered",
        "severity": "critical",
        "service": "checkout",
        "group_key": "k",
        "labels": {"alertname": "HighLatency"},
        "opened_at": "2026-11-21T08:00:00Z",
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "resolved_by": None,
        "snoozed_until": None,
        "alerts_firing": 1,
        "alerts_total": 1,
        "reopen_count": 0,
        "runbook": None,
        "url": f"http://127.0.0.1/incidents/{number}",
    } | changes


def delivery(number: int = 57, **changes: Any) -> Json:
    """A delivery as the API shows it."""
    return {
        "id": number,
        "incident_id": 12,
        "channel": "console",
        "target": "stdout",
        "class": "page",
        "state": "sent",
        "attempts": 1,
        "last_error": None,
        "created_at": "2099-01-01T00:00:00Z",
        "sent_at": None,
    } | changes


def problem(status: int, title: str, detail: str = "", **members: Any) -> web.Response:
    """An error answer (RFC 9457)."""
    body = {"title": title, "detail": detail, "status": status, **members}
    return web.json_response(body, status=status, content_type="application/problem+json")


@dataclass
class FakeServer:
    """Answers what the test put in; records what was asked."""

    incidents: dict[int, Json] = field(default_factory=dict)
    alerts: list[Json] = field(default_factory=list)
    answers: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    """Path -> the answer that replaces the usual one."""
    streams: list[bytes | web.Response] = field(default_factory=list)
    """What each connection to the event stream gets, in turn."""
    token: str | None = None
    requests: list[tuple[str, str, Json | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def page(self, items: list[Json], cursor: str | None = None) -> Callable[[], web.Response]:
        """A list answer."""
        return lambda: web.json_response({"items": items, "next_cursor": cursor})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Record, authenticate, answer."""
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, str(request.rel_url), body))
        self.headers.append(dict(request.headers))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return problem(401, "unauthorised", "a token is needed")
        if request.path in self.answers:
            return self.answers[request.path]()
        if request.path == "/webhooks/alertmanager":
            return self._webhook(body or {})
        if request.path == "/api/v1/events":
            return await self._events(request)
        return self._api(request, body or {})

    def _api(self, request: web.Request, body: Json) -> web.Response:
        match request.path.removeprefix("/api/v1/").split("/"):
            case ["incidents"] if request.method == "POST":
                return web.json_response(incident(13, **{"state": "triggered"} | body), status=201)
            case ["incidents"]:
                return self.page(list(self.incidents.values()))()
            case ["alerts"]:
                return self.page(self.alerts)()
            case ["incidents", number, *verb]:
                found = self.incidents.get(int(number))
                if found is None:
                    return problem(404, "not found", f"no incident {number}")
                return web.json_response(_acted(found, verb[0] if verb else "", body))
        return problem(404, "not found", "no such route")

    def _webhook(self, body: Json) -> web.Response:
        """Open or resolve incident 12 as the daemon would, with one settled delivery for it."""
        alert = body["alerts"][0]
        previous = self.incidents.get(12, {}).get("deliveries", [])
        told = [*previous, delivery(57 + len(previous))]
        firing = alert["status"] == "firing"
        self.alerts = [
            {"fingerprint": alert["fingerprint"], "status": alert["status"], "starts_at": alert["startsAt"]}
            | {"labels": alert["labels"], "incident_id": 12}
        ]
        state = "triggered" if firing else "resolved"
        self.incidents[12] = incident(state=state, deliveries=told, severity=alert["labels"]["severity"])
        return web.json_response(
            {"request_id": "r", "received": 1, "accepted": 1, "quarantined": 0, "incidents": [12]}
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        content = self.streams.pop(0)
        if isinstance(content, web.Response):
            return content
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(content)
        if not self.streams:
            # The last one stays open, as the daemon's does: the client ends it.
            await asyncio.Event().wait()
        return response


def _acted(found: Json, verb: str, body: Json) -> Json:
    changes: dict[str, Json] = {
        "acknowledge": {"state": "acknowledged", "acknowledged_by": "alice"},
        "resolve": {"state": "resolved", "resolved_by": "alice"},
        "snooze": {"snoozed_until": "2026-11-21T10:00:00Z"},
        "unacknowledge": {"state": "triggered"},
        "reopen": {"state": "triggered"},
    }
    return found | changes.get(verb, {})


class ServerThread:
    """Runs a FakeServer until `stop`."""

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        """Serve; returns when the port is known."""
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        """Stop serving and wait for the end."""
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.fake.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.fake.url = f"http://127.0.0.1:{port}"
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()


def sse(number: int, **changes: Any) -> bytes:
    """One server-sent timeline entry."""
    entry = {
        "seq": number,
        "at": "2026-11-21T08:00:00Z",
        "kind": "acknowledged",
        "actor": "alice",
        "text": "looking",
    }
    entry |= {"incident_id": 12, "id": number, "data": {}} | changes
    return f"id: {number}\nevent: timeline\ndata: {json.dumps(entry)}\n\n".encode()
