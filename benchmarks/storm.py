"""A storm: 10,000 new alerts in a minute, each an incident, told over a chat that takes one message a second."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import orjson

from benchmarks.bodies import posts
from benchmarks.daemon import Server, check_stored, daemon
from benchmarks.report import BenchError, Options, Row, at_most, percentile

PER_POST = 50
_WAIT_SECONDS = 120.0
_UNSENT = "SELECT COUNT(*) FROM deliveries WHERE class = 'page' AND state <> 'sent'"
_PAGES = """
    SELECT page.created_at, COALESCE(page.bundled_in, page.id), page.bundled_in IS NOT NULL
    FROM deliveries AS page WHERE page.class = 'page'
"""


@contextlib.contextmanager
def chat() -> Iterator[tuple[int, dict[int, float]]]:
    """A stand-in for Slack on loopback that takes everything: its port, and when it first heard of which delivery."""
    heard: dict[int, float] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            came = time.time()
            body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            delivery = body.get("metadata", {}).get("event_payload", {}).get("delivery_id", "-0")
            heard.setdefault(int(delivery.rpartition("-")[2]), came)
            answer = orjson.dumps({"ok": True, "channel": "C1", "ts": f"{came:.6f}"})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, heard
        server.shutdown()
        thread.join()


def run(options: Options) -> list[Row]:
    """Pages of the storm, and what intake answers in it, next to the same load that nobody is told of."""
    alerts, seconds = (1_000, 6.0) if options.quick else (10_000, 60.0)
    with daemon(options.folder, own_incidents=True, notify="[]") as server:
        quiet = list(_storm(server, alerts, seconds))
        server.stop()
    shutil.rmtree(server.folder)
    with chat() as (port, heard):
        slack = (
            f'{{chat: {{kind: slack, token: xoxb-bench, channel: C1, base_url: "http://127.0.0.1:{port}"}}}}'
        )
        with daemon(options.folder, own_incidents=True, channels=slack, notify="[chat]") as server:
            loud = list(_storm(server, alerts, seconds))
            ended = time.perf_counter()
            _wait_until_told(server)
            drained = time.perf_counter() - ended
            server.stop()
        waits, bundled = _waits(server, heard, alerts)
    shutil.rmtree(server.folder)
    name = f"storm of {alerts:,} in {seconds:.0f} s"
    rows = [
        Row(
            "storm", f"{name}: commit to first attempt of a page, p50", statistics.median(waits) * 1000, "ms"
        ),
        Row("storm", f"{name}: the same, p99", percentile(waits, 99) * 1000, "ms", at_most(2000)),
        Row("storm", f"{name}: the first page", waits[0] * 1000, "ms", at_most(2000)),
        Row("storm", f"{name}: messages that told all", len(heard), ""),
        Row("storm", f"{name}: pages told in the message of another", bundled, ""),
        Row("storm", f"{name}: all told after its end", drained, "s"),
    ]
    for told, seen in (("nobody told", quiet), ("told", loud)):
        what = f"{name}: answer to {PER_POST} alerts, {told}, p99"
        rows.append(Row("storm", what, percentile(seen, 99) * 1000, "ms"))
    return rows


def _storm(server: Server, alerts: int, seconds: float) -> Iterator[float]:
    """Post at an even pace; how long each answer took."""
    bodies = list(islice(posts("s", PER_POST), alerts // PER_POST))
    began = time.perf_counter()
    for number, post in enumerate(bodies):
        time.sleep(max(0.0, began + number * seconds / len(bodies) - time.perf_counter()))
        yield server.post(post.body)
    check_stored(server.database, [fingerprint for post in bodies for fingerprint in post.fingerprints])


def _wait_until_told(server: Server) -> None:
    began, left = time.perf_counter(), 0
    while time.perf_counter() - began < _WAIT_SECONDS:
        with contextlib.closing(sqlite3.connect(server.database)) as connection:
            [(left,)] = connection.execute(_UNSENT)
        if not left:
            return
        time.sleep(0.2)
    raise BenchError(f"{left} pages are not sent {_WAIT_SECONDS:.0f} s after the storm")


def _waits(server: Server, heard: dict[int, float], alerts: int) -> tuple[list[float], int]:
    """For each page, in the order they were written, from its decision to the request that told of it."""
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        rows = sorted(connection.execute(_PAGES))
    if len(rows) != alerts or any(carrier not in heard for _, carrier, _ in rows):
        raise BenchError(f"{len(rows)} pages for {alerts} incidents, or one that the chat never heard of")
    return [heard[carrier] - at / 1e6 for at, carrier, _ in rows], sum(riding for _, _, riding in rows)
