"""How many alerts a second become durable: 32 connections, the daemon next to the ceiling, in turns.

Three kinds of daemon: the usual one (alerts of 200 groups, one console line a notice), the worst case (every alert
opens an incident of its own and is told), and the worst case that tells nobody, which leaves the cost of intake alone.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.daemon import ROOT, Server, ceiling, check_stored, daemon
from benchmarks.load import Result
from benchmarks.report import BenchError, Options, Row, Target, at_least, at_most, number

CONNECTIONS = 32
RATIO = 0.5
_GRACE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: what the clients saw, and how many cores the server used meanwhile."""

    result: Result
    cores: float


SERVERS: dict[str, Callable[[Path], Server]] = {
    "ceiling": ceiling,
    "200 incidents": daemon,
    "own incidents": partial(daemon, own_incidents=True),
    "own incidents, told nobody": partial(daemon, own_incidents=True, notify="[]"),
}
_PROMISED = "200 incidents"


def run(options: Options) -> list[Row]:
    """Every server in turn, round after round, so that a slow minute of the machine slows all of them."""
    rounds, seconds, warm_up = (1, 1.0, 0.3) if options.quick else (2, 3.5, 1.0)
    rows: list[Row] = []
    for per_post in (1, 50):
        measured: dict[str, list[Measured]] = {name: [] for name in SERVERS}
        for turn in range(rounds):
            for name, start in SERVERS.items():
                one = _measure(options.folder, start, per_post, seconds, warm_up)
                measured[name].append(one)
                _show(name, per_post, turn, one)
        rows += _rows(per_post, measured)
    return rows


def _measure(
    parent: Path, start: Callable[[Path], Server], per_post: int, seconds: float, warm_up: float
) -> Measured:
    with start(parent) as server:
        answered = server.folder / "answered"
        before = server.cpu_seconds()
        result = generate(server.port, answered, per_post, seconds, warm_up)
        # The warm-up is in it as well; close enough to tell a busy server from a waiting one.
        cores = (server.cpu_seconds() - before) / (seconds + warm_up)
        server.kill()
    check_stored(server.database, answered.read_text().split())
    shutil.rmtree(server.folder)
    return Measured(result, cores)


def generate(port: int, answered: Path, per_post: int, seconds: float, warm_up: float) -> Result:
    """Let the load generator run. Raises `BenchError` if anything was answered but 200."""
    command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--answered", str(answered)]
    command += ["--connections", str(CONNECTIONS), "--per-post", str(per_post)]
    command += ["--seconds", str(seconds), "--warm-up", str(warm_up)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=seconds + warm_up + _GRACE_SECONDS
    )
    result = Result(**json.loads(done.stdout))
    if result.refused or not result.posts:
        raise BenchError(f"{result.posts} posts answered 200, others: {result.refused}")
    return result


def _show(name: str, per_post: int, turn: int, one: Measured) -> None:
    r = one.result
    print(
        f"  {per_post:2}/post, round {turn + 1}, {name:26}: {number(r.posts_per_second):>7} posts/s"
        f" {number(r.alerts_per_second):>7} alerts/s  p50 {r.p50_ms:6.1f}  p95 {r.p95_ms:6.1f}  p99 {r.p99_ms:6.1f}"
        f"  worst {r.worst_ms:6.1f} ms  {one.cores:.2f} cores{'  (ran out of posts)' if r.ran_out else ''}"
    )


def _rows(per_post: int, measured: dict[str, list[Measured]]) -> list[Row]:
    rows: list[Row] = []
    for name, runs in measured.items():
        promised = name == _PROMISED
        rows += _rows_of(
            f"{per_post}/post, {name}", per_post, [one.result for one in runs], promised=promised
        )
        if name != "ceiling":
            # Neighbours in time are compared with each other, not an average with an average.
            ratios = [
                mine.result.alerts_per_second / top.result.alerts_per_second
                for mine, top in zip(runs, measured["ceiling"], strict=True)
            ]
            target = at_least(RATIO) if promised else None
            rows.append(
                Row(
                    "intake",
                    f"{per_post}/post, {name}: daemon / ceiling",
                    statistics.mean(ratios),
                    "x",
                    target,
                )
            )
    return rows


def _rows_of(what: str, per_post: int, results: Sequence[Result], *, promised: bool) -> list[Row]:
    def row(value: Callable[[Result], float], unit: str, target: Target | None = None) -> Row:
        named = f"{what}: {unit}"
        return Row(
            "intake", named, statistics.mean([value(r) for r in results]), unit.rsplit(maxsplit=1)[-1], target
        )

    if per_post == 1:
        rows = [row(lambda r: r.posts_per_second, "posts/s", at_least(3000) if promised else None)]
    else:
        rows = [row(lambda r: r.alerts_per_second, "alerts/s", at_least(17_000) if promised else None)]
    limit = at_most(50) if promised and per_post == 1 else None
    rows += [row(lambda r: r.p50_ms, "p50 ms"), row(lambda r: r.p95_ms, "p95 ms")]
    return [*rows, row(lambda r: r.p99_ms, "p99 ms", limit)]
