"""One body of 10,000 alerts, firing and then resolved: a real Alertmanager's, recorded with group_by: [alertname]."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import sqlite3
from pathlib import Path

import orjson

from benchmarks.daemon import ROOT, check_stored, daemon
from benchmarks.report import BenchError, Options, Row, at_most

BODIES = ROOT / "tests" / "data" / "alertmanager"
_LIMIT_SECONDS = 2.0


def run(options: Options) -> list[Row]:
    """The slowest of the rounds, each against a fresh daemon."""
    bodies = [
        gzip.decompress((BODIES / f"group_10000_{s}.json.gz").read_bytes()) for s in ("firing", "resolved")
    ]
    rows: list[Row] = []
    for own_incidents in (False, True):
        rounds = [
            _round(options.folder, bodies, own_incidents=own_incidents)
            for _ in range(1 if options.quick else 3)
        ]
        shape = "own incidents" if own_incidents else "one incident"
        target = None if own_incidents else at_most(_LIMIT_SECONDS)
        for position, status in enumerate(("firing", "resolved")):
            seconds = [each[position] for each in rounds]
            print(f"  10,000 {status}, {shape}: " + ", ".join(f"{s:.2f}" for s in seconds) + " s")
            rows.append(Row("big_body", f"10,000 alerts {status}, {shape}", max(seconds), "s", target))
    return rows


def _round(parent: Path, bodies: list[bytes], *, own_incidents: bool) -> list[float]:
    told = [alert["fingerprint"] for alert in orjson.loads(bodies[0])["alerts"]]
    with daemon(parent, own_incidents=own_incidents) as server:
        seconds = []
        for firing, body in zip((10_000, 0), bodies, strict=True):
            seconds.append(server.post(body))
            check_stored(server.database, told)
            if (found := _firing(server.database)) != firing:
                raise BenchError(f"{found} alerts are firing in the database, {firing} should be")
    shutil.rmtree(server.folder)
    return seconds


def _firing(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM alerts WHERE ends_at IS NULL").fetchone()[0])
