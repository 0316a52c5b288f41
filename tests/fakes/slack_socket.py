"""A fake of Slack's side of what comes in: Socket Mode over a real WebSocket, and the addresses for answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.http import Answer, HttpFake, Received

APP_TOKEN = "xapp-1-fake"


class SlackSocketFake(HttpFake):
    """`base_url` is `url`. `acks` holds every acknowledgement, `said` every answer to a `response_url`."""

    def __init__(self, *, alive: bool = True) -> None:
        """Not `alive`: pings are not answered."""
        super().__init__()
        self.alive = alive
        self.connections: list[web.WebSocketResponse] = []
        self.acks: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self._tickets: set[str] = set()

    @property
    def response_url(self) -> str:
        """Where an answer may be posted."""
        return f"{self.url}/actions/T0TEAM/1/abc"

    async def until(self, true: Any) -> None:
        """Wait until `true()`; TimeoutError after five seconds."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(true)

    async def connected(self, count: int) -> None:
        """Wait for the `count`-th connection since the start."""
        await self.until(lambda: len(self.connections) >= count)

    async def send(self, kind: str, payload: dict[str, Any], envelope_id: str = "e-1", **rest: Any) -> None:
        """Send an envelope over the newest connection."""
        envelope = {"type": kind, "envelope_id": envelope_id, "payload": payload, **rest}
        await self.connections[-1].send_str(json.dumps(envelope))

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell the newest connection to go, as Slack does every few hours."""
        await self.connections[-1].send_str(json.dumps({"type": "disconnect", "reason": reason}))

    async def acked(self, envelope_id: str = "e-1") -> dict[str, Any]:
        """Wait for the acknowledgement of an envelope."""
        await self.until(lambda: any(ack["envelope_id"] == envelope_id for ack in self.acks))
        return next(ack for ack in self.acks if ack["envelope_id"] == envelope_id)

    async def answer(self, received: Received) -> Answer:
        if received.path == "/apps.connections.open":
            if received.headers.get("authorization") != f"Bearer {APP_TOKEN}":
                return Answer(body={"ok": False, "error": "invalid_auth"})
            ticket = f"t{len(self.requests)}"
            self._tickets.add(ticket)
            url = self.url.replace("http://", "ws://")
            return Answer(body={"ok": True, "url": f"{url}/link?ticket={ticket}"})
        if received.path.startswith("/actions/"):
            async with self._arrived:
                self.said.append(json.loads(received.body))
                self._arrived.notify_all()
            return Answer(body=b"ok")
        return Answer(404, body=b"")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/link"):
            return await super()._handle(request)
        if request.query.get("ticket", "") not in self._tickets:
            self.violations.append("a ticket is good for one connection")
        self._tickets.discard(request.query.get("ticket", ""))
        ws = web.WebSocketResponse(autoping=self.alive)
        await ws.prepare(request)
        await ws.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        async with self._arrived:
            self.connections.append(ws)
            self._arrived.notify_all()
        leaving = asyncio.ensure_future(self._leaving.wait())
        leaving.add_done_callback(lambda _: asyncio.ensure_future(ws.close()))
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                async with self._arrived:
                    self.acks.append(json.loads(message.data))
                    self._arrived.notify_all()
        leaving.cancel()
        return ws
