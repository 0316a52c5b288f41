"""What an alert costs when much is stored already: a daemon with 1,000 alerts next to one with 1,000,000.

Both are up at the same time and get their posts in turns. New alerts find no row; repeats are of stored alerts drawn at
random, so the pages they need are spread over the whole file.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import orjson

from benchmarks.bodies import Post, envelope, posts
from benchmarks.daemon import Server, check_stored, daemon
from benchmarks.fill import fill
from benchmarks.report import BenchError, Options, Row, at_most

FEW, MANY, MANY_QUICK = 1_000, 1_000_000, 50_000
PER_POST = 100
_LIMIT = 1.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(options: Options) -> list[Row]:
    rounds, many = (6, MANY_QUICK) if options.quick else (20, MANY)
    files = {count: options.folder / f"stored-{count}.db" for count in (FEW, many)}
    for count, file in files.items():
        print(f"  filling a database with {count:,} alerts", flush=True)
        fill(file, count)
    few, many_ = (daemon(options.folder, database=file) for file in files.values())
    with few, many_:
        seconds = _measure({FEW: few, many: many_}, rounds)
    for file in files.values():
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()
    return [row for kind in ("new", "repeated") for row in _rows(kind, seconds[kind], many)]


def _rows(kind: str, seconds: dict[int, list[float]], many: int) -> list[Row]:
    cost = {count: statistics.median(each) / PER_POST * 1e6 for count, each in seconds.items()}
    rows = [
        Row("stored", f"a {kind} alert with {count:,} stored", cost[count], "us") for count in (FEW, many)
    ]
    name = f"a {kind} alert, {many:,} / {FEW:,} stored"
    return [*rows, Row("stored", name, cost[many] / cost[FEW], "x", at_most(_LIMIT))]


def _measure(servers: dict[int, Server], rounds: int) -> dict[str, dict[int, list[float]]]:
    seconds: dict[str, dict[int, list[float]]] = {
        kind: {n: [] for n in servers} for kind in ("new", "repeated")
    }
    repeats = {count: _repeats(server.database, rounds + 1) for count, server in servers.items()}
    told: list[str] = []
    for turn, new in enumerate(islice(posts("s", PER_POST), rounds + 1)):
        told += new.fingerprints
        for count, server in servers.items():
            for kind, post in (("new", new), ("repeated", repeats[count][turn])):
                took = server.post(post.body)
                # The first round warms the caches of both.
                if turn:
                    seconds[kind][count].append(took)
    for server in servers.values():
        check_stored(server.database, told)
    return seconds


def _repeats(database: Path, count: int) -> list[Post]:
    """Posts that tell stored firing alerts again, word for word."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        sql = "SELECT fingerprint, labels, annotations, starts_at, generator_url FROM alerts WHERE ends_at IS NULL"
        # Drawn by position: ORDER BY random() would sort a million rows.
        total = connection.execute("SELECT count(*) FROM alerts WHERE ends_at IS NULL").fetchone()[0]
        if total < PER_POST:
            raise BenchError(f"only {total} alerts are firing in {database.name}")
        step = max(total // (count * PER_POST), 1)
        rows = [row for number, row in enumerate(connection.execute(sql)) if number % step == 0]
    found = [rows[number % len(rows)] for number in range(count * PER_POST)]
    # Every n-th, so that one post reaches over the whole file.
    return [_post(found[first::count]) for first in range(count)]


def _post(rows: list[tuple[str, str, str, int, str]]) -> Post:
    alerts = [
        {
            "status": "firing",
            "labels": orjson.loads(labels),
            "annotations": orjson.loads(annotations),
            "startsAt": (_EPOCH + timedelta(microseconds=starts_at)).isoformat().replace("+00:00", "Z"),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": generator_url,
            "fingerprint": fingerprint,
        }
        for fingerprint, labels, annotations, starts_at, generator_url in rows
    ]
    inner = b",".join([orjson.dumps(alert) for alert in alerts])
    return Post(envelope({}, inner), tuple([row[0] for row in rows]))
