"""A real server on a free port, over a real SQLite store, with an intake that commits each post by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from incidentd.channels.http import HttpClient
from incidentd.clock import SystemClock
from incidentd.config import Config
from incidentd.delivery.worker import ChannelHealth
from incidentd.domain.alert import fingerprint_of
from incidentd.domain.incident import Change
from incidentd.metrics import Metrics
from incidentd.store import schema
from incidentd.store import tokens as token_store
from incidentd.store.engine import StoreUnavailableError, Tx
from incidentd.web.context import Context
from incidentd.web.desk import DESK, Desk
from incidentd.web.server import build, harden
from incidentd.workflows.receive import Receipt, Submission, receive
from incidentd.workflows.rules import rules_of
from incidentd.workflows.tokens import new_token
from tests.audited import WatchedStore

Json = dict[str, Any]
T = TypeVar("T")
TOKENS = {
    scope: f"token-with-the-scope-{scope}" for scope in ("ingest", "read", "respond", "manage", "admin")
}
COMPONENTS = [
    {"name": "Checkout", "group": "Core", "match": ['service="checkout"']},
    {"name": "Search", "group": "Core", "match": ['service="search"']},
    {"name": "Blog", "match": ['service="blog"']},
]


class MovableClock(SystemClock):
    """The machine's clock, put forward by the test."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead.total_seconds()


@dataclass
class DirectIntake:
    """Commits each post at once, or fails as the test says."""

    daemon: Daemon
    failure: Exception | None = None
    posts: list[Submission] = field(default_factory=list)
    full: bool = False
    gate: asyncio.Event | None = None
    """Posts wait until it is set."""

    def refuses(self, source: str) -> bool:
        return self.full and source != ""

    async def submit(self, submission: Submission) -> Receipt:
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            await self.gate.wait()
        self.posts.append(submission)
        context = self.daemon.context
        rules, now = context.rules, context.clock.now()
        reception = await context.store.write(lambda tx: receive(tx, [submission], rules, now))
        context.changed(reception.changes)
        return reception.receipts[0]


class FlakyStore(WatchedStore):
    """A store that is away when the test says so."""

    reads_fail = False
    reads_left: int | None = None
    """So many more are answered; None: all of them."""
    writes_fail = False
    writes = 0

    async def read(self, query: Callable[[Tx], T]) -> T:
        if self.reads_left is not None:
            self.reads_fail = self.reads_left <= 0
            self.reads_left -= 1
        if self.reads_fail:
            raise StoreUnavailableError("disk I/O error at /var/lib")
        return await super().read(query)

    async def read_now(self, query: Callable[[Tx], T]) -> T:
        if self.reads_fail:
            raise StoreUnavailableError("disk I/O error at /var/lib")
        return await super().read_now(query)

    async def write(self, work: Callable[[Tx], T]) -> T:
        self.writes += 1
        if self.writes_fail:
            raise StoreUnavailableError("disk I/O error at /var/lib")
        return await super().write(work)


class Daemon:
    """One server under test and a client for it."""

    def __init__(self, config: Config, store: FlakyStore) -> None:
        self.store = store
        self.clock = MovableClock()
        self.http = HttpClient()
        self.intake = DirectIntake(self)
        self.changes: list[Change] = []
        self.health: list[ChannelHealth] = []
        self.reload_problems: list[str] = []
        self.context = Context(
            config=config,
            rules=rules_of(config, {"console": ("stdout",)}),
            store=store,
            intake=self.intake,
            clock=self.clock,
            metrics=Metrics(),
            http=self.http,
            changed=self.changes.extend,
            channel_health=lambda: self.health,
            reload=self._reload,
            started_at=self.clock.monotonic(),
        )
        self.app = build(self.context)
        self.url = ""
        self.port = 0
        self.session: aiohttp.ClientSession

    async def _reload(self) -> list[str]:
        return self.reload_problems

    @property
    def desk(self) -> Desk:
        return self.app[DESK]

    async def noted(self) -> None:
        """Wake the event streams, as the daemon does after a commit."""
        self.context.noted.ring()

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> tuple[aiohttp.ClientResponse, Any]:
        """One request; the answer with its JSON, or its bytes. `token` is a scope or a whole token."""
        given = dict(headers or {})
        if token is not None:
            given["Authorization"] = f"Bearer {TOKENS.get(token, token)}"
        async with self.session.request(
            method, self.url + path, headers=given, allow_redirects=False, **rest
        ) as answer:
            data: Any = await answer.read()
        if "json" in answer.content_type and data:
            data = await answer.json(content_type=None)
        return answer, data

    async def get(
        self, path: str, token: str | None = "read", **rest: Any
    ) -> tuple[aiohttp.ClientResponse, Any]:
        return await self.call("GET", path, token=token, **rest)

    async def post(
        self, path: str, body: object = None, token: str | None = "respond", **rest: Any
    ) -> tuple[aiohttp.ClientResponse, Any]:
        if body is not None:
            rest["json"] = body
        return await self.call("POST", path, token=token, **rest)

    async def alert(self, *alerts: Json, token: str = "ingest") -> Json:
        """Post a webhook body; its answer, which must be 200."""
        answer, data = await self.post("/webhooks/alertmanager", webhook(*alerts), token)
        assert answer.status == 200, data
        return dict(data)

    async def new_token(self, name: str, scopes: list[str], **rest: Any) -> str:
        """A token of the database."""
        text, stored = new_token(name, scopes, rest.get("source"), rest.get("expires_at"), self.clock.now())
        await self.context.store.write(lambda tx: token_store.add(tx, stored))
        return text

    def sample(self, name: str, **labels: str) -> float:
        """The value of a series, 0 if it does not exist."""
        return self.context.metrics.registry.get_sample_value(name, labels) or 0.0


def webhook(*alerts: Json) -> Json:
    """Alertmanager's body, version 4."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="A"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "incidentd",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://am:9093",
        "alerts": list(alerts),
    }


def alert(
    name: str = "Down", status: str = "firing", start: str = "2026-11-20T17:00:00Z", **labels: str
) -> Json:
    """One alert of a body."""
    told = {"alertname": name, "severity": "critical", **labels}
    return {
        "status": status,
        "labels": told,
        "annotations": {"summary": f"{name} is down", "runbook_url": "https://runbooks.example/down"},
        "startsAt": start,
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-20T17:05:00Z",
        "generatorURL": "http://prom/graph",
        "fingerprint": fingerprint_of(told),
    }


def config_of(tmp_path: Path, *, tokens: bool = True, **sections: Any) -> Config:
    """A configuration with one token per scope."""
    listed = [{"name": f"{scope}er", "token": token, "scopes": [scope]} for scope, token in TOKENS.items()]
    return Config.model_validate(
        {
            "database": {"url": f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"},
            "auth": {"tokens": listed if tokens else []},
            "sources": {"main": {}, "other": {}},
            "status_page": {"name": "Acme", "components": COMPONENTS},
            **sections,
        }
    )


@contextlib.asynccontextmanager
async def running(config: Config, *, header_seconds: float = 5.0) -> AsyncIterator[Daemon]:
    """A server that listens on a free port of loopback."""
    store = FlakyStore(config.database.url.get_secret_value())
    await store.write(lambda tx: schema.metadata.create_all(tx.conn))
    daemon = Daemon(config, store)
    runner = web.AppRunner(daemon.app, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    harden(runner, header_seconds)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    daemon.port = runner.addresses[0][1]
    daemon.url = f"http://127.0.0.1:{daemon.port}"
    try:
        async with aiohttp.ClientSession() as daemon.session:
            yield daemon
    finally:
        await runner.cleanup()
        await daemon.http.aclose()
        await store.close()
    assert store.silent == [], "these change something and write no audit entry"


Start = Callable[..., contextlib.AbstractAsyncContextManager[Daemon]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a server with other sections of the configuration."""
    return lambda header_seconds=5.0, **sections: running(
        config_of(tmp_path, **sections), header_seconds=header_seconds
    )


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A server with one token per scope."""
    async with running(config_of(tmp_path)) as started:
        yield started


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until `true`, at most five seconds."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - there is no event for what the test looks at
            await asyncio.sleep(0)
