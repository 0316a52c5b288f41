"""A database with a past, made fast: python -m benchmarks.fill FILE [ALERTS].

Rows are written past the store, straight into SQLite, so that a million alerts take seconds and not minutes.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from incidentd.store.migrate import migrate_file

PER_INCIDENT = 5
"""Alerts of one incident."""
SECOND = 1_000_000
BEGAN = 1_735_689_600 * SECOND
"""2025-01-01T00:00:00Z: when the first alert fired; then one a second."""
LASTED = 600 * SECOND


def fill(path: Path, alerts: int) -> None:
    """Make a database of `alerts` ended alerts in resolved incidents of five, with their timelines.

    An existing file at `path` is added to only if it is empty.
    """
    migrate_file(f"sqlite+aiosqlite:///{path}")
    incidents = -(-alerts // PER_INCIDENT)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # If the power goes the file is made again: nothing here has to reach the disk.
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        _insert(connection, "incidents", _incidents(incidents, alerts))
        _insert(connection, "alerts", _alerts(alerts))
        _insert(connection, "occurrences", _occurrences(alerts))
        _insert(connection, "timeline", _timeline(incidents))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def fingerprint(number: int) -> str:
    """Of alert `number`: spread over all values like a real one, so that the index is met at random
    places.
    """
    return f"{number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF:016x}"


def labels(number: int) -> dict[str, str]:
    """Of alert `number`."""
    return {
        "alertname": f"HighErrorRate{number // PER_INCIDENT}",
        "cluster": f"eu-{number % 7}",
        "instance": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100",
        "job": "node",
        "service": f"service-{number // PER_INCIDENT % 200}",
        "severity": "warning",
    }


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[dict[str, object]]) -> None:
    first = next(rows)
    names = ", ".join(first)
    places = ", ".join("?" * len(first))
    sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - the names are written in this file
    connection.execute(sql, tuple(first.values()))
    connection.executemany(sql, (tuple(row.values()) for row in rows))


def _alerts(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        yield {
            "id": n + 1,
            "source": "main",
            "fingerprint": fingerprint(n),
            "severity": "warning",
            "labels": json.dumps(labels(n)),
            "annotations": f'{{"summary": "error rate of host {n} is above 5 % for ten minutes"}}',
            "generator_url": "http://prometheus:9090/graph?g0.expr=errors",
            "cut": "[]",
            "starts_at": BEGAN + n * SECOND,
            "ends_at": BEGAN + n * SECOND + LASTED,
            "last_seen_at": BEGAN + n * SECOND + LASTED,
            "incident_id": n // PER_INCIDENT + 1,
            "occurrences": 1,
        }


def _occurrences(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        yield {
            "alert_id": n + 1,
            "starts_at": BEGAN + n * SECOND,
            "ends_at": BEGAN + n * SECOND + LASTED,
            "first_seen_at": BEGAN + n * SECOND,
            "incident_id": n // PER_INCIDENT + 1,
            "reason": "new",
        }


def _incidents(count: int, alerts: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        first = n * PER_INCIDENT
        members = min(PER_INCIDENT, alerts - first)
        opened = BEGAN + first * SECOND
        ended = opened + members * SECOND + LASTED
        named = labels(first)
        yield {
            "id": n + 1,
            "source": "main",
            "group_key": f'main:{{alertname="{named["alertname"]}", cluster="", service="{named["service"]}"}}',
            "title": f"error rate of host {first} is above 5 % for ten minutes",
            "state": "resolved",
            "severity": "warning",
            "service": named["service"],
            "labels": json.dumps(named),
            "notify": '["console"]',
            "route": "root",
            **_times(opened, ended),
            "counts": 1,
            "reopen_count": 0,
            "episode": 1,
            "alerts_firing": 0,
            "alerts_total": members,
            "last_seq": len(KINDS),
            "update_queued": 0,
            "truncated": 0,
        }


def _times(opened: int, ended: int) -> dict[str, object]:
    return {
        "opened_at": opened,
        "started_at": opened,
        "first_acknowledged_at": opened + 60 * SECOND,
        "resolved_at": ended,
        "resolved_by": "source",
        "ended_at": ended,
        "last_at": ended,
    }


KINDS = ("triggered", "acknowledged", "resolved")


def _timeline(incidents: int) -> Iterator[dict[str, object]]:
    number = 0
    for n in range(incidents):
        for seq, kind in enumerate(KINDS, start=1):
            number += 1
            yield {
                "id": number,
                "incident_id": n + 1,
                "seq": seq,
                "at": BEGAN + n * PER_INCIDENT * SECOND + seq * SECOND,
                "kind": kind,
                "actor": "source",
                "text": f"{kind}: HighErrorRate{n}",
                "data": "{}",
            }


def main() -> None:
    path = Path(sys.argv[1])
    alerts = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    began = time.perf_counter()
    fill(path, alerts)
    size = path.stat().st_size / 2**20
    print(f"{alerts} alerts in {time.perf_counter() - began:.1f} s, {size:.0f} MiB")


if __name__ == "__main__":
    main()
