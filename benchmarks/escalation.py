"""Escalations: ten thousand that fall due in the same second, until every step is in the outbox; and single steps on
an idle daemon, from the instant they are due to the first request at a webhook receiver.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bodies import posts
from benchmarks.daemon import daemon
from benchmarks.first_page import receiver
from benchmarks.report import BenchError, Options, Row, at_most, percentile
from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.contact import Contact, Person
from incidentd.domain.escalation import Policy, Step, parse_target
from incidentd.domain.routing import Route
from incidentd.store import schema
from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.workflows.escalate import run_steps, steps_due
from incidentd.workflows.paging import Paging
from incidentd.workflows.receive import Submission, receive
from incidentd.workflows.rules import Rules

MANY, MANY_QUICK = 10_000, 1_000
SINGLE, SINGLE_QUICK = 200, 20
AFTER = 5
"""Seconds from the alert to the step."""
WAIT = 20.0
PER_POST = 500
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = 5.0
LATEST = 1.0
_OPENED = """
    SELECT alerts.fingerprint, incidents.opened_at FROM alerts JOIN incidents ON alerts.incident_id = incidents.id
"""
_STEPS = (Step(timedelta(minutes=5), (parse_target("user:alice"), parse_target("channel:pager"))),)
_ALICE = Person("alice", (Contact("mail", ("alice@example.com",)),))
RULES = Rules(
    Route(notify=("console",), escalation="primary"),
    {name: (name,) for name in ("console", "mail", "pager")},
    grouping=("alertname",),
    paging=Paging(policies={"primary": Policy("primary", _STEPS, repeat=2)}, people={"alice": _ALICE}),
)


def run(options: Options) -> list[Row]:
    """Steps of incidents that opened in the same instant, each telling one person and one channel."""
    many, single = (MANY_QUICK, SINGLE_QUICK) if options.quick else (MANY, SINGLE)
    together = asyncio.run(_run(options.folder / "escalation.db", many))
    late = sorted(_one_by_one(options, single))
    name = f"{single} single steps on an idle daemon: due to first request"
    return [
        *together,
        Row("escalation", f"{name}, p50", percentile(late, 50) * 1000, "ms"),
        Row("escalation", f"{name}, p99", percentile(late, 99) * 1000, "ms"),
        Row("escalation", f"{name}, worst", late[-1] * 1000, "ms", at_most(LATEST * 1000)),
    ]


def _one_by_one(options: Options, wanted: int) -> list[float]:
    """How late each step was, in seconds."""
    with receiver() as (port, came):
        channels = f'{{hook: {{kind: webhook, url: "http://127.0.0.1:{port}/"}}}}'
        more = (
            "severity: {urgency: {info: low}}\n"
            f'escalation: {{bench: {{steps: [{{after: {AFTER}s, notify: ["channel:hook"]}}]}}}}\n'
        )
        idle = daemon(options.folder, own_incidents=True, channels=channels, notify="[]", more=more)
        with idle as server:
            heard: dict[str, float] = {}
            for post in islice(posts("e", 1), wanted):
                # Away from the rhythm of whatever ticks inside.
                time.sleep(random.uniform(0.05, 0.25))
                server.post(post.body)
            while len(heard) < wanted:
                try:
                    at, fingerprint = came.get(timeout=WAIT)
                except queue.Empty:
                    raise BenchError(f"{len(heard)} steps of {wanted} were heard of") from None
                heard.setdefault(fingerprint, at)
            wall = time.time() - time.perf_counter()
            server.stop()
        with contextlib.closing(sqlite3.connect(server.database)) as connection:
            due = {fingerprint: opened / 1e6 + AFTER for fingerprint, opened in connection.execute(_OPENED)}
    shutil.rmtree(server.folder)
    return [at + wall - due[fingerprint] for fingerprint, at in heard.items()]


async def _run(file: Path, many: int) -> list[Row]:
    url = f"sqlite+aiosqlite:///{file}"
    await migrate(url)
    store = Store(url)
    try:
        for first in range(0, many, PER_POST):
            post = Submission("main", "bench", tuple(_alert(n) for n in range(first, first + PER_POST)))
            await store.write(lambda tx, post=post: receive(tx, [post], RULES, NOW))  # type: ignore[misc]
        seconds, longest = await _escalate(store, NOW + timedelta(minutes=5))
        await _check(store, many)
    finally:
        await store.close()
    name = f"{many:,} escalations due in the same second"
    return [
        Row("escalation", f"{name}: all steps in the outbox", seconds, "s", at_most(LIMIT)),
        Row("escalation", f"{name}: longest that intake waits for one batch", longest * 1000, "ms"),
    ]


async def _escalate(store: Store, now: datetime) -> tuple[float, float]:
    """As the tick does it: seconds for everything, and for the longest unit of work."""
    began, longest = time.perf_counter(), 0.0
    while await store.read_now(lambda tx: steps_due(tx, now)):
        at = time.perf_counter()
        await store.write(lambda tx: run_steps(tx, RULES, now))
        longest = max(longest, time.perf_counter() - at)
    return time.perf_counter() - began, longest


async def _check(store: Store, many: int) -> None:
    row = schema.deliveries.c
    query = sa.select(sa.func.count()).where(row.notice == "escalated")
    found = await store.read(lambda tx: tx.conn.execute(query).scalar_one())
    if found != 2 * many:
        raise BenchError(f"{found} rows of {2 * many}")


def _alert(number: int) -> Alert:
    labels = {"alertname": f"A{number}", "service": f"s{number % 50}", "severity": "critical"}
    return Alert(
        source="main",
        fingerprint=f"{number:016x}",
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={"summary": f"alert {number}"},
        starts_at=NOW,
        ends_at=None,
        generator_url="http://prometheus/graph",
    )
