"""What the daemon takes: memory with 10,000 open incidents, time to be ready, and how long a command's --help takes."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bodies import posts
from benchmarks.daemon import Server, check_stored, daemon
from benchmarks.report import BenchError, Options, Row, at_most

INCIDENTS, PER_POST = 10_000, 100
_DRAIN_SECONDS = 60


def run(options: Options) -> list[Row]:
    rounds, commands = (1, 5) if options.quick else (5, 15)
    fresh = [_ready(daemon(options.folder)) for _ in range(rounds)]
    used = daemon(options.folder, own_incidents=True)
    rows = _memory(used)
    existing = [
        _ready(daemon(options.folder, own_incidents=True, database=used.database), keep=True)
        for _ in range(rounds)
    ]
    shutil.rmtree(used.folder)
    rows.append(Row("footprint", "start to ready, fresh database", max(fresh), "s", at_most(2)))
    rows.append(Row("footprint", "start to ready, 10,000 open incidents", max(existing), "s", at_most(2)))
    rows += _help("incidentctl", commands, promised=True)
    rows += _help("incidentd", commands, promised=False)
    return rows


def _ready(server: Server, *, keep: bool = False) -> float:
    with server:
        server.stop()
    if not keep:
        shutil.rmtree(server.folder)
    return server.ready_seconds


def _memory(server: Server) -> list[Row]:
    with server:
        idle, _ = server.memory_mb()
        told: list[str] = []
        for post in itertools.islice(posts("m", PER_POST), INCIDENTS // PER_POST):
            server.post(post.body)
            told += post.fingerprints
        check_stored(server.database, told)
        _wait_until_told(server.database)
        now, highest = server.memory_mb()
        if (found := _count(server.database, "incidents WHERE state <> 'resolved'")) != INCIDENTS:
            raise BenchError(f"{found} incidents are open, {INCIDENTS} should be")
        server.stop()
    return [
        Row("footprint", "memory when idle after the start", idle, "MB"),
        Row("footprint", "memory with 10,000 open incidents", now, "MB", at_most(150)),
        Row("footprint", "the most memory on the way there", highest, "MB"),
    ]


def _wait_until_told(database: Path) -> None:
    """Every incident puts a notice on the console: the worker's memory belongs to the figure."""
    until = time.perf_counter() + _DRAIN_SECONDS
    while waiting := _count(database, "deliveries WHERE state IN ('pending', 'leased')"):
        if time.perf_counter() > until:
            raise BenchError(f"{waiting} notices are still not told after {_DRAIN_SECONDS} s")
        time.sleep(0.2)


def _count(database: Path, what: str) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        # `what` is one of the constants above.
        return int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608


def _help(program: str, runs: int, *, promised: bool) -> list[Row]:
    path = Path(sys.executable).parent / program
    if not path.exists():
        raise BenchError(f"{path} is missing: install the package into this Python first (make bench does)")
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run([path, "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append((time.perf_counter() - began) * 1000)
    target = at_most(150) if promised else None
    return [
        Row("footprint", f"{program} --help, fastest", min(seconds), "ms"),
        Row("footprint", f"{program} --help, median", statistics.median(seconds), "ms", target),
    ]
