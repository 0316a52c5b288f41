"""What an alert costs when much is stored already: a daemon with 1,000 alerts next to one with 1,000,000.

Both are up at the same time and get their posts in turns. New alerts find no row; returning ones are stored and fire
anew; repeated ones fire already. The stored ones are drawn from all over the file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import orjson

from benchmarks.bodies import Post, envelope, posts
from benchmarks.daemon import Server, check_stored, daemon
from benchmarks.fill import fill
from benchmarks.report import Options, Row, at_most

FEW, MANY, MANY_QUICK = 1_000, 1_000_000, 50_000
PER_POST = 100
KINDS = ("new", "returning", "repeated")
_LIMIT = 1.2

Seconds = dict[int, list[float]]
"""Of each post, by how many alerts were stored."""


def run(options: Options) -> list[Row]:
    rounds, many = (5, MANY_QUICK) if options.quick else (30, MANY)
    files = {count: options.folder / f"stored-{count}.db" for count in (FEW, many)}
    for count, file in files.items():
        print(f"  filling a database with {count:,} alerts", flush=True)
        fill(file, count)
        # Else the kernel writes the file back while the clock runs, and every commit waits behind that.
        with file.open("rb+") as written:
            os.fsync(written)
    few, plenty = (daemon(options.folder, database=file) for file in files.values())
    with few, plenty:
        seconds = _measure({FEW: few, many: plenty}, rounds)
    for file in files.values():
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()
    return [row for kind in KINDS for row in _rows(kind, seconds[kind], many)]


def _rows(kind: str, seconds: Seconds, many: int) -> list[Row]:
    cost = {count: statistics.median(each) / PER_POST * 1e6 for count, each in seconds.items()}
    rows = [
        Row("stored", f"a {kind} alert with {count:,} stored", cost[count], "us") for count in (FEW, many)
    ]
    name = f"a {kind} alert, {many:,} / {FEW:,} stored"
    # Alerts that come back are no part of the promise: they rewrite old pages wherever they lie.
    target = None if kind == "returning" else at_most(_LIMIT)
    return [*rows, Row("stored", name, cost[many] / cost[FEW], "x", target)]


def _measure(servers: dict[int, Server], rounds: int) -> dict[str, Seconds]:
    stored = {count: list(_stored(server.database, rounds + 1)) for count, server in servers.items()}
    fresh = list(islice(posts("s", PER_POST), rounds + 1))
    everything = {
        "new": dict.fromkeys(servers, fresh),
        "returning": stored,
        # The same bodies once more: what a repeat_interval brings.
        "repeated": stored,
    }
    seconds = {kind: _in_turns(servers, everything[kind]) for kind in KINDS}
    for count, server in servers.items():
        check_stored(server.database, _fingerprints([*fresh, *stored[count]]))
    return seconds


def _in_turns(servers: dict[int, Server], made: dict[int, list[Post]]) -> Seconds:
    seconds: Seconds = {count: [] for count in servers}
    for turn in range(len(next(iter(made.values())))):
        for count, server in servers.items():
            took = server.post(made[count][turn].body)
            # The first one warms the caches.
            if turn:
                seconds[count].append(took)
    return seconds


def _fingerprints(made: Iterable[Post]) -> Iterator[str]:
    return (fingerprint for post in made for fingerprint in post.fingerprints)


def _stored(database: Path, count: int) -> Iterator[Post]:
    """Posts of stored alerts that fire since a minute."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        total = connection.execute("SELECT max(id) FROM alerts").fetchone()[0]
        wanted = count * PER_POST
        # Every n-th, and one post takes every m-th of those: each reaches over the whole file.
        ids = [1 + number * total // wanted for number in range(wanted)]
        sql = "SELECT fingerprint, labels, annotations, generator_url FROM alerts WHERE id = ?"
        for first in range(count):
            yield _post([connection.execute(sql, (i,)).fetchone() for i in ids[first::count]])


def _post(rows: list[tuple[str, str, str, str]]) -> Post:
    starts_at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds")
    alerts = [
        {
            "status": "firing",
            "labels": orjson.loads(labels),
            "annotations": orjson.loads(annotations),
            "startsAt": starts_at.replace("+00:00", "Z"),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": generator_url,
            "fingerprint": fingerprint,
        }
        for fingerprint, labels, annotations, generator_url in rows
    ]
    inner = b",".join([orjson.dumps(alert) for alert in alerts])
    return Post(envelope({}, inner), tuple([row[0] for row in rows]))
