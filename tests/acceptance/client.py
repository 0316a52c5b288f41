"""A client of the daemon's HTTP interface, as a sender of alerts and as a person's program."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

ALERTS = "/webhooks/alertmanager"


@dataclass(frozen=True)
class Answer:
    """What the daemon answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.text)


class Client:
    """Talks to the daemon at `url`, with a token if there is one. Close it."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # No limit: Alertmanager opens one connection per group.
        self._session = aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(30)
        )

    async def close(self) -> None:
        """End the connections."""
        await self._session.close()

    async def call(
        self, method: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, as it is; redirects are not followed."""
        # aiohttp warns of large bodies that are not files.
        sent = None if data is None else io.BytesIO(data)
        async with self._session.request(
            method, self.url + path, data=sent, headers=headers, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    async def post(self, body: bytes, path: str = ALERTS) -> Answer:
        """A webhook post."""
        return await self.call("POST", path, body, {"Content-Type": "application/json"})

    async def get(self, path: str) -> Any:
        """The JSON of something that is there."""
        answer = await self.call("GET", path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.text}"
        return answer.json

    async def act(self, path: str, **body: Any) -> Any:
        """Do something that is allowed; what it answered."""
        answer = await self.call(
            "POST", f"/api/v1/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        assert answer.status in {200, 201}, f"{path}: {answer.status} {answer.text}"
        return answer.json

    async def all(self, path: str) -> list[Any]:
        """Every item of a list, over all its pages."""
        items: list[Any] = []
        separator = "&" if "?" in path else "?"
        page = await self.get(f"{path}{separator}limit=500")
        items += page["items"]
        while page["next_cursor"]:
            page = await self.get(f"{path}{separator}limit=500&cursor={page['next_cursor']}")
            items += page["items"]
        return items

    async def incidents(self, **query: str) -> list[Any]:
        """Incidents in the order they were opened."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        found = await self.all("/api/v1/incidents" + (f"?{asked}" if asked else ""))
        return sorted(found, key=lambda incident: incident["id"])

    async def incident(self, number: int) -> Any:
        """One incident with its alerts and deliveries."""
        return await self.get(f"/api/v1/incidents/{number}")

    async def timeline(self, number: int) -> list[Any]:
        """What happened to it."""
        return await self.all(f"/api/v1/incidents/{number}/timeline")

    async def deliveries(self) -> list[Any]:
        """Everything that was or will be told."""
        return await self.all("/api/v1/deliveries")

    async def nothing_waits(self) -> bool:
        """True if every delivery is done."""
        states = [await self.all(f"/api/v1/deliveries?state={state}") for state in ("pending", "leased")]
        return not any(states)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of `name` that carry `labels`."""
        answer = await self.call("GET", "/metrics")
        assert answer.status == 200, answer.text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        total = 0.0
        for line in answer.text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(each in series for each in wanted):
                total += float(value)
        return total

    async def events(self, seen: list[Any], opened: asyncio.Event, after: int = 0) -> None:
        """Follow the event stream until cancelled, adding each entry to `seen`."""
        async with self._session.get(
            f"{self.url}/api/v1/events",
            headers={"Last-Event-ID": str(after)},
            timeout=aiohttp.ClientTimeout(None),
        ) as stream:
            assert stream.status == 200
            assert stream.content_type == "text/event-stream"
            opened.set()
            async for line in stream.content:
                if line.startswith(b"data:"):
                    seen.append(json.loads(line.removeprefix(b"data:")))  # noqa: PERF401 - others read it meanwhile
