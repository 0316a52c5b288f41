"""What it costs to know who asks: a token among a thousand, a signed-in person, and a guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from benchmarks.report import Options, Row, at_most
from incidentd.channels.http import HttpClient
from incidentd.clock import SystemClock
from incidentd.config import Config, Scope
from incidentd.metrics import Metrics
from incidentd.store import schema, tokens
from incidentd.store.engine import Store
from incidentd.web.auth import Authenticator
from incidentd.web.context import Context
from incidentd.web.problems import Problem
from incidentd.workflows import accounts
from incidentd.workflows.accounts import Person
from incidentd.workflows.rules import rules_of
from incidentd.workflows.tokens import new_token

TOKENS = 1000
LIMIT_US = 200.0
"""Microseconds."""


def run(options: Options) -> list[Row]:
    """Measure in one process, without HTTP around it."""
    return asyncio.run(_run(options))


async def _run(options: Options) -> list[Row]:
    rounds = 2000 if options.quick else 20_000
    store = Store(f"sqlite+aiosqlite:///{options.folder}/authenticate.db")
    http = HttpClient()
    try:
        await store.write(lambda tx: schema.metadata.create_all(tx.conn))
        return await _measure(store, http, rounds)
    finally:
        await http.aclose()
        await store.close()


async def _measure(store: Store, http: HttpClient, rounds: int) -> list[Row]:
    context = _context(store, http)
    now = datetime.now(UTC)
    made = [new_token(f"t{number}", ["read"], None, None, now) for number in range(TOKENS)]
    await store.write(lambda tx: [tokens.add(tx, stored) for _, stored in made])
    secret, session = accounts.new_session(Person("alice", "local", "viewer", None), now)
    auth = Authenticator(context, lambda: None)
    auth.sessions.know(session)

    known, guess = f"Bearer {made[TOKENS // 2][0]}", "Bearer inc_00000000_" + "x" * 43
    rows = []
    for what, headers in (
        (f"a token among {TOKENS}", {"Authorization": known}),
        ("a guess", {"Authorization": guess}),
        ("a signed-in person", {"Cookie": f"incidentd={secret}"}),
    ):
        request = make_mocked_request("GET", "/api/v1/incidents", headers={"Host": "localhost", **headers})
        cost = await _cost(partial(_admit, auth, request), rounds)
        rows.append(Row("authenticate", what, cost, "us", at_most(LIMIT_US)))
    return rows


async def _admit(auth: Authenticator, request: web.Request) -> None:
    try:
        await auth.admit(request, Scope.READ)
    except Problem:
        return


_nobody: Any = None
"""Nothing is posted."""


async def _cost(once: Callable[[], Awaitable[None]], rounds: int) -> float:
    """Microseconds of one call: the median of ten parts, of which a busy machine disturbs some."""
    parts = []
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(rounds // 10):
            await once()
        parts.append((time.perf_counter() - began) / (rounds // 10))
    return median(parts) * 1e6


def _context(store: Store, http: HttpClient) -> Context:
    config, clock = Config(), SystemClock()

    async def reload() -> list[str]:
        return []

    return Context(
        config=config,
        rules=rules_of(config, {"console": ("stdout",)}),
        store=store,
        intake=_nobody,
        clock=clock,
        metrics=Metrics(),
        http=http,
        changed=lambda _: None,
        channel_health=list,
        reload=reload,
        started_at=clock.monotonic(),
    )
