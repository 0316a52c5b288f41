"""Reconciling with an Alertmanager that holds 10,000 alerts: CPU of a round, and how long the loop stands still."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from benchmarks.report import BenchError, Options, Row, at_most
from incidentd.channels.http import HttpClient, HttpLimits
from incidentd.clock import FixedClock
from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.reconcile import Policy
from incidentd.domain.routing import Route
from incidentd.jobs.reconciler import Reconciler
from incidentd.metrics import Metrics
from incidentd.sources.alertmanager import ANSWER_BYTES, Alertmanager
from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.workflows.intake import GroupCommit
from incidentd.workflows.receive import Submission, receive
from incidentd.workflows.reconcile import Heard
from incidentd.workflows.rules import Rules

MANY, MANY_QUICK = 10_000, 2_000
ROUNDS = 5
PER_POST = 1_000
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CPU_LIMIT = 1.0
RULES = Rules(
    Route(notify=("console",)), {"console": ("stdout",)}, grouping=("service",), reconcile={"main": Policy()}
)


def run(options: Options) -> list[Row]:
    """Rounds in which everything agrees, the usual case."""
    return asyncio.run(_run(options.folder / "reconcile.db", MANY_QUICK if options.quick else MANY))


async def _run(file: Path, many: int) -> list[Row]:
    await migrate(url := f"sqlite+aiosqlite:///{file}")
    store, clock, metrics = Store(url), FixedClock(NOW), Metrics()
    body = json.dumps([_raw(number) for number in range(many)]).encode()
    http = HttpClient(HttpLimits(body=ANSWER_BYTES, read=30, total=30))
    intake = GroupCommit(store, clock, metrics, lambda: RULES, lambda _: None, 50_000)
    intake.start()
    try:
        for first in range(0, many, PER_POST):
            post = Submission("main", "bench", tuple(_alert(n) for n in range(first, first + PER_POST)))
            await store.write(lambda tx, post=post: receive(tx, [post], RULES, NOW))  # type: ignore[misc]
        async with _alertmanager(body) as address:
            member = Alertmanager(http, address, {}, clock.now)
            reconciler = Reconciler(
                store,
                clock,
                lambda: RULES,
                lambda: {"main": (member,)},
                intake,
                lambda _: None,
                metrics,
                Heard(),
            )
            cpu, stall = await _measure(reconciler, clock)
    finally:
        await intake.stop()
        await http.aclose()
        await store.close()
    if metrics.registry.get_sample_value(
        "incidentd_reconcile_last_success_timestamp_seconds", {"source": "main"}
    ) != (clock.now().timestamp()):
        raise BenchError("the last round was not good")
    name = f"a round of {many:,} alerts, {len(body) / 1e6:.1f} MB"
    return [
        Row("reconcile", f"{name}: CPU, the Alertmanager's side included", cpu, "s", at_most(CPU_LIMIT)),
        Row("reconcile", f"{name}: longest that the loop stands still", stall * 1000, "ms"),
    ]


async def _measure(reconciler: Reconciler, clock: FixedClock) -> tuple[float, float]:
    """CPU seconds of the middle round, and the longest that the loop was late in any but the first."""
    await reconciler.round("main")  # it notes every alert: once in the life of an alert
    gc.collect()  # as `serve` does
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    spent, stall = [], 0.0
    for _ in range(ROUNDS):
        clock.set(clock.now() + timedelta(minutes=1))
        began, late = time.process_time(), asyncio.create_task(_lateness())
        await reconciler.round("main")
        spent.append(time.process_time() - began)
        late.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await late
        stall = max(stall, _LATE[0])
    return sorted(spent)[ROUNDS // 2], stall


_LATE = [0.0]


async def _lateness() -> None:
    """How much later than asked this task wakes."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.001
        await asyncio.sleep(0.001)
        _LATE[0] = max(_LATE[0], loop.time() - due)


@contextlib.asynccontextmanager
async def _alertmanager(body: bytes) -> AsyncIterator[str]:
    status = {
        "uptime": "2020-01-01T00:00:00Z",
        "versionInfo": {"version": "bench"},
        "cluster": {"status": "disabled"},
    }

    async def alerts(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(status)

    app = web.Application()
    app.router.add_get("/api/v2/alerts", alerts)
    app.router.add_get("/api/v2/status", tell)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _labels(number: int) -> dict[str, str]:
    return {
        "alertname": f"A{number % 200}",
        "service": f"s{number % 50}",
        "instance": f"host{number:05}:9100",
        "severity": "critical",
    }


def _raw(number: int) -> dict[str, object]:
    return {
        "annotations": {"summary": f"alert {number}", "runbook_url": "https://runbooks.example.com/it"},
        "endsAt": "2030-01-01T00:00:00.000Z",
        "fingerprint": f"{number:016x}",
        "receivers": [{"name": "incidentd"}],
        "startsAt": "2026-03-01T12:00:00.123Z",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": "2026-03-01T12:00:00.123Z",
        "generatorURL": "http://prometheus.example.com:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "labels": _labels(number),
    }


def _alert(number: int) -> Alert:
    return Alert(
        "main",
        f"{number:016x}",
        AlertStatus.FIRING,
        _labels(number),
        {"summary": f"alert {number}"},
        NOW,
        None,
    )
