"""The ceiling: the least a durable intake can do in Python, to hold the daemon against. Its own process.

A bare aiohttp handler parses with the daemon's own parser, and one thread writes one row an alert for everything that
queued up meanwhile, in one sqlite3 transaction with synchronous=FULL. No incidents, no identity, no outbox, no API.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import orjson
from aiohttp import web

from incidentd.domain.alert import Alert
from incidentd.ingest import alertmanager

_INSERT = "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Intake:
    """The handler and the writer behind it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # The daemon's own settings, or the comparison would be one of settings.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=8000",
            "cache_size=-24000",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(
            "CREATE TABLE alerts (source, fingerprint, status, labels, annotations, starts_at, ends_at, generator_url)"
        )
        self._waiting: list[tuple[tuple[Alert, ...], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    async def post(self, request: web.Request) -> web.Response:
        """Answer 200 after the commit."""
        post = alertmanager.parse(await request.read(), "main", datetime.now(UTC))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((tuple(post.alerts), done))
        self._wake.set()
        await done
        return web.Response(body=b'{"status":"ok"}', content_type="application/json")

    async def write(self) -> None:
        """Commit whatever has queued up, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            await loop.run_in_executor(None, self._commit, [alert for alerts, _ in batch for alert in alerts])
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def _commit(self, alerts: list[Alert]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(_INSERT, [_row(alert) for alert in alerts])
        self._db.execute("COMMIT")


def _row(alert: Alert) -> tuple[object, ...]:
    return (
        alert.source,
        alert.fingerprint,
        alert.status.value,
        orjson.dumps(alert.labels, default=dict).decode(),
        orjson.dumps(alert.annotations, default=dict).decode(),
        alert.starts_at.timestamp(),
        alert.ends_at.timestamp() if alert.ends_at else None,
        alert.generator_url,
    )


async def serve(path: Path) -> None:
    """Run until killed."""
    intake = Intake(path)
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/webhooks/alertmanager", intake.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    # As the daemon does once it is up.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    print(f"the ceiling listens on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await intake.write()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ceiling", description=__doc__)
    parser.add_argument("database", type=Path)
    asyncio.run(serve(parser.parse_args().database))


if __name__ == "__main__":
    main()
