"""Group commit: what is answered is on disk, what is not on disk is refused, and one bad alert stands alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.clock import FixedClock
from incidentd.domain.alert import Alert, AlertStatus, fingerprint_of
from incidentd.domain.routing import Route
from incidentd.metrics import Metrics
from incidentd.store import alert_views, incidents, quarantine, schema
from incidentd.store.engine import Store
from incidentd.store.errors import StoreUnavailableError
from incidentd.workflows.intake import BATCH_ALERTS, GroupCommit, IntakeFullError
from incidentd.workflows.receive import Receipt, Reception, Submission
from incidentd.workflows.rules import Rules

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def alert(name: str, **labels: str) -> Alert:
    labels = {"alertname": name, **labels}
    return Alert("main", fingerprint_of(labels), AlertStatus.FIRING, labels, {}, NOW, None)


def poisonous(name: str) -> Alert:
    """An alert no JSON encoder can take: what a bug in a parser would hand over."""
    labels = {"alertname": name, "bad": object()}
    return Alert("main", f"bad{name}", AlertStatus.FIRING, labels, {}, NOW, None)  # type: ignore[arg-type]


def post(*found: Alert) -> Submission:
    return Submission(found[0].source, "r1", found)


def from_source(source: str, name: str) -> Submission:
    return post(replace(alert(name), source=source))


class Desk:
    """A group commit on a real SQLite file, and what it reported."""

    def __init__(self, store: Store, max_alerts: int) -> None:
        self.store = store
        self.receptions: list[Reception] = []
        self.fail_with: BaseException | None = None
        self.fail_after: Exception | None = None
        self.intake = GroupCommit(store, FixedClock(NOW), Metrics(), self.rules, self.committed, max_alerts)

    def rules(self) -> Rules:
        if self.fail_with is not None:
            raise self.fail_with
        return Rules(route=Route(notify=("console",)), targets={"console": ("standard output",)})

    def committed(self, reception: Reception) -> None:
        self.receptions.append(reception)
        if self.fail_after is not None:
            raise self.fail_after

    async def names(self) -> set[str]:
        found = await self.store.read(lambda tx: alert_views.search(tx, limit=500))
        return {view.labels["alertname"] for _, view, _ in found}


@asynccontextmanager
async def desk(tmp_path: Path, *, max_alerts: int = 1000, start: bool = True) -> AsyncIterator[Desk]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", busy_timeout=0.05)
    await store.write(lambda tx: schema.metadata.create_all(tx.conn))
    made = Desk(store, max_alerts)
    if start:
        made.intake.start()
    try:
        yield made
    finally:
        await made.intake.stop()
        await store.close()


async def test_posts_that_come_together_share_one_commit(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        receipts = await asyncio.gather(*[d.intake.submit(post(alert(f"A{i}"))) for i in range(50)])
        assert len({r.incidents for r in receipts}) == 50
        assert len(d.receptions) < 50
        assert len(await d.names()) == 50
        assert d.intake.queued == 0


async def test_a_full_queue_refuses_and_keeps_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path, max_alerts=3) as d:
        waiting = [asyncio.ensure_future(d.intake.submit(post(alert(f"A{i}")))) for i in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(IntakeFullError, match="full"):
            await d.intake.submit(post(alert("TooMuch")))
        await asyncio.gather(*waiting)
        assert "TooMuch" not in await d.names()


@asynccontextmanager
async def slow_disk(d: Desk) -> AsyncIterator[None]:
    """Nothing is written before the block ends."""
    over = threading.Event()
    writing = asyncio.ensure_future(d.store.write(lambda _: over.wait(30)))
    try:
        yield
    finally:
        over.set()
        await writing


async def waiting(d: Desk, *posts: Submission) -> list[asyncio.Task[Receipt]]:
    """The posts, which have come in."""
    tasks = [asyncio.create_task(d.intake.submit(each)) for each in posts]
    await asyncio.wait(tasks, timeout=0)
    return tasks


async def test_a_source_that_fills_the_queue_cannot_keep_another_one_out(tmp_path: Path) -> None:
    async with desk(tmp_path, max_alerts=6) as d:
        async with slow_disk(d):
            loud = await waiting(d, from_source("loud", "L"))
            loud += await waiting(d, *[from_source("loud", f"L{n}") for n in range(5)])
            assert d.intake.refuses("loud")
            assert not d.intake.refuses("quiet")
            quiet = await waiting(d, *[from_source("quiet", f"Q{n}") for n in range(3)])
            # Both wait: each has half, which the loud one is over and the quiet one has used up.
            for source in ("loud", "quiet"):
                with pytest.raises(IntakeFullError):
                    await d.intake.submit(from_source(source, "TooMuch"))
        await asyncio.gather(*loud, *quiet)
        assert not d.intake.refuses("loud")
        assert d.intake.queued == 0
        assert "TooMuch" not in await d.names()


async def test_small_posts_do_not_wait_for_all_the_large_ones_of_another_source(tmp_path: Path) -> None:
    async with desk(tmp_path, max_alerts=100_000) as d:
        large = [post(*[alert(f"L{n}-{i}") for i in range(BATCH_ALERTS)]) for n in range(3)]
        async with slow_disk(d):
            storm = [*await waiting(d, large[0]), *await waiting(d, *large[1:])]
            small = await waiting(d, *[from_source("quiet", f"S{n}") for n in range(20)])
        await asyncio.gather(*small)
        assert not storm[2].done()
        await asyncio.gather(*storm)


async def test_one_post_larger_than_the_queue_is_still_taken_when_nothing_waits(tmp_path: Path) -> None:
    async with desk(tmp_path, max_alerts=3) as d:
        await d.intake.submit(post(*[alert(f"A{i}") for i in range(10)]))
        assert len(await d.names()) == 10


async def test_a_poisonous_alert_is_set_aside_and_its_neighbours_are_committed(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        good = [alert(f"A{i}") for i in range(7)]
        mixed = post(*good[:3], poisonous("X"), *good[3:])
        receipt, other = await asyncio.gather(d.intake.submit(mixed), d.intake.submit(post(alert("Other"))))
        assert await d.names() == {a.name for a in good} | {"Other"}
        assert len(receipt.incidents) == 7
        assert receipt.set_aside == 1
        assert len(other.incidents) == 1
        aside = await d.store.read(lambda tx: quarantine.search(tx, before=None, limit=10))
        assert [a.reason for a in aside] == ["this daemon could not process it: see its log"]


async def test_a_database_that_cannot_commit_is_an_error_for_everybody_in_the_batch(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        blocker = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        posts = [d.intake.submit(post(alert(f"A{i}"))) for i in range(3)]
        failures = await asyncio.gather(*posts, return_exceptions=True)
        assert all(isinstance(f, StoreUnavailableError) for f in failures)
        blocker.execute("ROLLBACK")
        blocker.close()
        await d.intake.submit(post(alert("Later")))
        assert await d.names() == {"Later"}


async def test_a_failure_that_is_no_fault_of_the_alert_quarantines_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.fail_with = MemoryError("no room")
        with pytest.raises(StoreUnavailableError, match="MemoryError"):
            await d.intake.submit(post(alert("A")))
        d.fail_with = None
        await d.intake.submit(post(alert("A")))
        assert await d.store.read(lambda tx: quarantine.search(tx, before=None, limit=10)) == []
        assert await d.names() == {"A"}


async def test_what_is_done_after_a_commit_cannot_end_intake(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        d.fail_after = OSError("the log is full")
        await d.intake.submit(post(alert("A")))
        await d.intake.submit(post(alert("B")))
        assert await d.names() == {"A", "B"}


async def test_a_sender_that_leaves_does_not_take_its_alerts_along(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        gone = asyncio.ensure_future(d.intake.submit(post(alert("Gone"))))
        await asyncio.sleep(0)
        gone.cancel()
        await d.intake.submit(post(alert("Stayed")))
        assert await d.names() == {"Gone", "Stayed"}


async def test_stopping_finishes_what_was_taken_and_refuses_the_rest(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        taken = [asyncio.ensure_future(d.intake.submit(post(alert(f"A{i}")))) for i in range(20)]
        await asyncio.sleep(0)
        await d.intake.stop()
        assert all(len(receipt.incidents) == 1 for receipt in await asyncio.gather(*taken))
        with pytest.raises(IntakeFullError, match="stopping"):
            await d.intake.submit(post(alert("TooLate")))


async def test_the_same_post_at_once_from_many_connections_makes_one_incident(tmp_path: Path) -> None:
    async with desk(tmp_path) as d:
        await asyncio.gather(*[d.intake.submit(post(alert("Same"))) for _ in range(200)])
        found = await d.store.read(lambda tx: incidents.search(tx, incidents.Search()))
        assert [(i.alerts_firing, i.alerts_total) for i in found] == [(1, 1)]
