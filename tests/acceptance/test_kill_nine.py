"""kill -9 and SIGTERM under load: what was answered 200 is kept, everybody is told, and nobody needlessly twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.harness import ALICE, INGEST, ROUTING_KEY, Vendors, configuration, vendors, write
from tests.acceptance.ledger import Ledger, check, read
from tests.acceptance.load import Load
from tests.acceptance.process import Process, client_of
from tests.acceptance.waiting import until
from tests.fakes.http import Answer, Received
from tests.fakes.pagerduty import PagerDutyFake

ROUNDS = int(os.environ.get("INCIDENTD_KILL_ROUNDS", "8"))
"""How often the daemon is killed."""
SENDERS = 8


class DistantPagerDuty(PagerDutyFake):
    """Answers like the real one a while after it has taken the event: a kill falls into the gap."""

    async def answer(self, received: Received) -> Answer:
        taken = await super().answer(received)
        await asyncio.sleep(0.03)
        return taken


@dataclass
class Scene:
    """A daemon in a process of its own under load, and what its sender was promised."""

    daemon: Process
    vendors: Vendors
    load: Load
    database: Path

    async def drained(self) -> None:
        """Wait until nothing is left to be told."""
        async with client_of(self.daemon, ALICE) as client:
            await until(client.nothing_waits, "the outbox to drain", 30)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with vendors(pager=DistantPagerDuty((ROUTING_KEY,))) as told:
        database = tmp_path / "incidentd.db"
        route = {"notify": ["pager", "hook"]}
        config = configuration(f"sqlite+aiosqlite:///{database}", told, route=route)
        daemon = Process(write(tmp_path / "incidentd.yaml", config))
        load = Load(Ledger(tmp_path / "ledger.jsonl"), lambda: daemon.url, INGEST, pause=0.04)
        try:
            await daemon.start()
            yield Scene(daemon, told, load, database)
        finally:
            await load.close()
            await daemon.cleanup()


async def test_nothing_is_lost_by_kills_at_random_moments(scene: Scene) -> None:
    scene.load.start(SENDERS)
    in_flight = 0
    for _ in range(ROUNDS):
        await scene.load.wait_taken(random.randint(1, 40))
        await scene.daemon.kill9()
        in_flight += read(scene.database).leased
        await scene.daemon.start()
    await scene.load.stop()
    await scene.drained()
    assert await scene.daemon.end() == 0
    repeated = check(scene.load.ledger, read(scene.database), scene.vendors)
    assert repeated <= in_flight, "a message is repeated only if a kill caught it on its way"
    assert set(scene.load.answers) <= {"200", "503", "broken"}


async def test_a_stop_under_load_is_quick_and_clean(scene: Scene) -> None:
    scene.load.start(SENDERS)
    for _ in range(3):
        async with listener(scene.daemon):
            await scene.load.wait_taken(20)
            assert await scene.daemon.end(signal.SIGTERM, seconds=10) == 0
        assert read(scene.database).leased == 0, "leases were handed back"
        await scene.daemon.start()
    await scene.load.stop()
    await scene.drained()
    assert await scene.daemon.end() == 0
    assert check(scene.load.ledger, read(scene.database), scene.vendors) == 0, "nobody was told twice"
    assert set(scene.load.answers) <= {"200", "503", "broken"}


@asynccontextmanager
async def listener(daemon: Process) -> AsyncIterator[None]:
    """Somebody follows the events: such a connection never ends by itself."""
    async with client_of(daemon, ALICE) as client:
        opened = asyncio.Event()
        task = asyncio.create_task(client.events([], opened))
        await opened.wait()
        yield
        task.cancel()
        await asyncio.wait({task})
