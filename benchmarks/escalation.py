"""Ten thousand escalations that fall due in the same second: until every step is in the outbox."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.report import BenchError, Options, Row, at_most
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
PER_POST = 500
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = 5.0
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
    many = MANY_QUICK if options.quick else MANY
    return asyncio.run(_run(options.folder / "escalation.db", many))


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
