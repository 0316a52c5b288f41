"""What the process uses, and what a figure near its limit does to the daemon's health."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.store.vitals import Vitals, vitals
from incidentd.tracing import Carrier, Telemetry
from incidentd.web.loop_lag import LoopLag
from incidentd.web.resources import Process, database, findings, process
from tests.web.conftest import Daemon

WELL = Process(
    memory=100_000_000,
    memory_limit=256_000_000,
    cpu=1.0,
    descriptors=50,
    descriptor_limit=1024,
    threads=5,
    disk_free=10_000_000_000,
)
SQLITE = Vitals("SQLite 3.40.1", 1_000_000, log=4_000_000, free=0)
POSTGRESQL = Vitals("PostgreSQL 15.18", 1_000_000, connections=9, connection_limit=97)


def bad(used: Process, lag: float = 0.0) -> list[str]:
    """The checks that are not well."""
    return [name for name, well, _, _ in findings(used, lag) if not well]


def test_what_is_far_from_its_limit_is_well() -> None:
    assert bad(WELL) == []
    said = {name: words for name, _, words, _ in findings(WELL, 0.0)}
    assert (said["memory"], said["descriptors"], said["disk"]) == (
        "100 of 256 MB",
        "50 of 1024 open",
        "10000 MB free",
    )


@pytest.mark.parametrize(
    ("used", "lag", "name"),
    [
        (replace(WELL, memory=210_000_000), 0.0, "memory"),
        (replace(WELL, descriptors=820), 0.0, "descriptors"),
        (replace(WELL, disk_free=200_000_000), 0.0, "disk"),
        (WELL, 1.5, "event loop"),
    ],
)
def test_what_comes_near_its_limit_degrades(used: Process, lag: float, name: str) -> None:
    assert bad(used, lag) == [name]


def test_a_system_that_tells_little_is_believed_to_be_well(tmp_path: Path) -> None:
    used = process(None, proc=tmp_path / "none", cgroup=tmp_path / "none")
    assert (used.memory, used.memory_limit, used.descriptors, used.threads, used.disk_free) == (None,) * 5
    assert bad(used) == []
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = process(tmp_path, cgroup=tmp_path / "memory.max")
    assert unlimited.memory_limit is None
    assert unlimited.disk_free is not None
    assert bad(replace(unlimited, descriptor_limit=-1)) == []


@pytest.mark.parametrize(
    ("known", "well", "words"),
    [
        (SQLITE, True, "SQLite 3.40.1, 1.0 MB, write-ahead log 4.0 MB"),
        (replace(SQLITE, log=600 * 1024**2), False, "SQLite 3.40.1, 1.0 MB, write-ahead log 629.1 MB"),
        (POSTGRESQL, True, "PostgreSQL 15.18, 1.0 MB, 9 of 97 connections"),
        (replace(POSTGRESQL, connections=80), False, "PostgreSQL 15.18, 1.0 MB, 80 of 97 connections"),
        (
            replace(POSTGRESQL, standby=True),
            False,
            "PostgreSQL 15.18, 1.0 MB, 9 of 97 connections, a standby, which takes no writes",
        ),
    ],
)
def test_the_database_is_judged_by_its_own_figures(known: Vitals, well: bool, words: str) -> None:
    assert database(known) == (well, words)


async def test_each_kind_of_database_tells_its_figures(database_url: str) -> None:
    await migrate(database_url)
    store = Store(database_url)
    try:
        known = await store.read(lambda tx: vitals(tx, store.path))
    finally:
        await store.close()
    assert known.size > 100_000
    assert known.version.startswith("PostgreSQL 1" if store.postgresql else "SQLite 3.")
    assert (known.log is None) == (known.free is None) == store.postgresql
    assert (known.connections is not None) == store.postgresql
    assert not known.standby


async def test_the_health_answer_has_the_figures(daemon: Daemon) -> None:
    _, data = await daemon.get("/health/detailed")
    figures = data["resources"]
    assert figures["memory_bytes"] > 10_000_000
    assert figures["open_descriptors"] > 3
    assert figures["threads"] >= 1
    assert figures["database_bytes"] > 0
    assert figures["database_connections"] is None


async def test_what_carries_telemetry_away_degrades_and_no_more(daemon: Daemon) -> None:
    daemon.context.telemetry = Telemetry(
        None, lambda: [Carrier("traces", "it is away"), Carrier("sentry", "")]
    )
    answer, data = await daemon.get("/health/detailed")
    assert (answer.status, data["status"]) == (200, "degraded")
    checks = {check["name"]: (check["status"], check["detail"]) for check in data["checks"]}
    assert checks["traces"] == ("degraded", "it is away")
    assert checks["sentry"] == ("healthy", "")
    assert (await daemon.get("/health/ready", None))[0].status == 200


async def test_a_loop_that_is_held_up_is_late_for_a_minute() -> None:
    lag = LoopLag()
    assert lag.worst == 0.0
    loop = asyncio.get_running_loop()
    lag._called(loop, loop.time() - 0.25)
    assert 0.25 <= lag.worst < 5
    lag._late[0] = (loop.time() - 61, 9.0)
    lag._called(loop, loop.time())
    assert lag.worst < 5
    lag.close()
