"""How soon somebody hears of it: from the answer 200 to the first request at a webhook receiver, on an idle daemon."""

from __future__ import annotations

import queue
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import orjson

from benchmarks.bodies import posts
from benchmarks.daemon import Server, check_stored, daemon
from benchmarks.report import BenchError, Options, Row, percentile

Page = tuple[float, str]
"""When it came, and the fingerprint of its alert."""
_WAIT_SECONDS = 20.0


@contextmanager
def receiver() -> Iterator[tuple[int, queue.SimpleQueue[Page]]]:
    """A receiver on loopback that takes everything: its port, and what came."""
    pages: queue.SimpleQueue[Page] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            came = time.perf_counter()
            body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()
            pages.put((came, body["data"]["alerts"][0]["fingerprint"]))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, pages
        server.shutdown()
        thread.join()


def run(options: Options) -> list[Row]:
    pages_wanted = 40 if options.quick else 200
    with receiver() as (port, came):
        channels = f'{{hook: {{kind: webhook, url: "http://127.0.0.1:{port}/"}}}}'
        with daemon(options.folder, own_incidents=True, channels=channels, notify="[hook]") as server:
            measured = list(_measure(server, came, pages_wanted))
            server.stop()
    shutil.rmtree(server.folder)
    rows = []
    for title, seconds in zip(
        ("answer 200 to page", "post to page"), zip(*measured, strict=True), strict=True
    ):
        for percent in (50, 99):
            value = percentile(seconds, percent) * 1000
            rows.append(Row("first_page", f"{title}, p{percent} of {pages_wanted}", value, "ms"))
    return rows


def _measure(server: Server, came: queue.SimpleQueue[Page], wanted: int) -> Iterator[tuple[float, float]]:
    told = []
    # One more than wanted: the first opens the connections.
    for number, post in enumerate(islice(posts("p", 1), wanted + 1)):
        # Away from the rhythm of whatever ticks inside.
        time.sleep(random.uniform(0.005, 0.03))
        sent = time.perf_counter()
        server.post(post.body)
        answered = time.perf_counter()
        try:
            at, fingerprint = came.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            raise BenchError(f"no page within {_WAIT_SECONDS:.0f} s") from None
        if fingerprint != post.fingerprints[0]:
            raise BenchError(f"a page for {fingerprint} came, {post.fingerprints[0]} was posted")
        told.append(fingerprint)
        if number:
            yield at - answered, at - sent
    check_stored(server.database, told)
