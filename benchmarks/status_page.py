"""The status page: how many read it a second, how soon a change is visible, and what it takes to make it.

Readers and intake meet in one process: the readers' 64 connections ask for `status.json` without a pause while a
sender posts 1,000 alerts a second. Bare aiohttp, one handler with constant bytes, takes turns with the daemon.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from benchmarks.bare import PATH
from benchmarks.bodies import posts
from benchmarks.daemon import ROOT, Server, check_stored, daemon
from benchmarks.load import TOKEN, Result
from benchmarks.report import BenchError, Options, Row, at_least, at_most, number
from incidentd.public import documents
from tests.public.scenes import twenty

CONNECTIONS = 64
PER_SECOND, PER_POST, SENDERS = 1_000, 20, 8
"""Alerts a second of all senders together; each waits for the answer to its last post, as Alertmanager does."""
_SECTIONS = (
    "status_page: {name: Acme, publish: {critical: never}, components: ["
    + ", ".join([f"{{name: Service {n}, match: ['service=\"service-{n}\"']}}" for n in range(20)])
    + "]}\n"
)
_RUNS = count()


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the readers."""

    result: Result
    per_cpu_second: float
    """Requests a second of processor time of the server: it says the same on a busy machine."""


def run(options: Options) -> list[Row]:
    """Rounds of bare aiohttp, the daemon at rest, and the daemon that takes alerts in; then changes and rendering."""
    rounds, seconds, warm_up = (1, 1.5, 0.5) if options.quick else (3, 5.0, 1.0)
    bare: list[Measured] = []
    calm: list[Measured] = []
    busy: list[Measured] = []
    waits: list[float] = []
    for _ in range(rounds):
        with _bare(options.folder) as server:
            bare.append(_read(server, seconds, warm_up))
            _show("bare aiohttp", bare[-1])
        with daemon(options.folder, sections=_SECTIONS, scopes="[ingest, respond]") as server:
            calm.append(_read(server, seconds, warm_up))
            _show("status.json, no alerts", calm[-1])
            with _alerts(server):
                busy.append(_read(server, seconds, warm_up))
                _show(f"status.json, {PER_SECOND:,} alerts/s", busy[-1])
                waits += list(_changes(server, 2 if options.quick else 5))
        shutil.rmtree(server.folder)
    return [*_rows(bare, calm, busy), *_made(waits)]


def _bare(parent: Path) -> Server:
    folder = parent / f"bare{next(_RUNS)}"
    folder.mkdir()
    return Server([sys.executable, "-m", "benchmarks.bare"], folder, folder / "none")


def _read(server: Server, seconds: float, warm_up: float) -> Measured:
    command = [sys.executable, "-m", "benchmarks.readers", "--port", str(server.port), "--path", PATH]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(seconds), "--warm-up", str(warm_up)]
    before = server.cpu_seconds()
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=seconds + warm_up + 60
    )
    used = server.cpu_seconds() - before
    result = Result(**json.loads(done.stdout))
    if result.refused or not result.posts:
        raise BenchError(f"{result.posts} reads answered 200, others: {result.refused}")
    # Those of the warm-up cost as much as the others.
    return Measured(result, result.posts_per_second * (seconds + warm_up) / used)


@contextlib.contextmanager
def _alerts(server: Server) -> Iterator[None]:
    """Senders at an even pace; at the end, a look that all of it is stored and that the pace was kept."""
    over, answered = threading.Event(), list[str]()
    began = time.perf_counter()

    def send(name: str) -> None:
        for place, post in enumerate(posts(name, PER_POST)):
            due = began + place * PER_POST * SENDERS / PER_SECOND
            if over.wait(max(0.0, due - time.perf_counter())):
                return
            server.post(post.body)
            answered.extend(post.fingerprints)

    senders = [threading.Thread(target=send, args=(f"s{next(_RUNS)}",)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        yield
    finally:
        over.set()
        for sender in senders:
            sender.join()
    taken = check_stored(server.database, answered) / (time.perf_counter() - began)
    print(f"  took {number(taken)} alerts/s in meanwhile", flush=True)
    if taken < 0.9 * PER_SECOND:
        raise BenchError(f"only {number(taken)} alerts/s were taken in meanwhile")


def _changes(server: Server, times: int) -> Iterator[float]:
    """Seconds from the answer to a publication until the page tells of it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        for place in islice(_RUNS, times):
            title = f"Change {place}"
            body = json.dumps({"title": title, "components": {"Service 1": "partial_outage"}})
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            connection.request("POST", "/api/v1/status/publications", body, headers)
            answer = connection.getresponse()
            if answer.status != 201:
                raise BenchError(f"publishing was answered {answer.status}: {answer.read()[:200]!r}")
            answer.read()
            began = time.perf_counter()
            while title.encode() not in _get(connection):
                if time.perf_counter() - began > 30:
                    raise BenchError("a change was not visible after 30 s")
            yield time.perf_counter() - began


def _get(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/api/v2/incidents.json")
    return connection.getresponse().read()


def _show(what: str, one: Measured) -> None:
    result = one.result
    print(
        f"  {what:30}: {number(result.posts_per_second):>7}/s  p50 {result.p50_ms:5.1f}  p99 {result.p99_ms:5.1f}"
        f"  worst {result.worst_ms:5.1f} ms  {number(one.per_cpu_second):>7} a cpu second",
        flush=True,
    )


def _rows(bare: list[Measured], calm: list[Measured], busy: list[Measured]) -> list[Row]:
    def mean(measured: list[Measured], value: Callable[[Measured], float]) -> float:
        return statistics.mean([value(one) for one in measured])

    def rate(one: Measured) -> float:
        return one.result.posts_per_second

    def cheap(one: Measured) -> float:
        return one.per_cpu_second

    loaded = f"status.json with {PER_SECOND:,} alerts/s"
    # Neighbours in time are compared with each other, not an average with an average.
    ratios = [rate(mine) / rate(top) for mine, top in zip(busy, bare, strict=True)]
    return [
        Row("status_page", "bare aiohttp", mean(bare, rate), "requests/s"),
        Row("status_page", "status.json without alerts", mean(calm, rate), "requests/s"),
        Row("status_page", loaded, mean(busy, rate), "requests/s", at_least(8_000)),
        Row("status_page", f"{loaded}: p99", mean(busy, lambda one: one.result.p99_ms), "ms", at_most(20)),
        Row("status_page", f"{loaded} / bare aiohttp", statistics.mean(ratios), "x"),
        Row("status_page", "bare aiohttp, a second of processor time", mean(bare, cheap), "requests"),
        Row("status_page", "status.json without alerts, the same", mean(calm, cheap), "requests"),
        Row("status_page", f"{loaded}, the same", mean(busy, cheap), "requests"),
    ]


def _made(waits: list[float]) -> list[Row]:
    """The making of the page in this process, and the changes that were waited for."""
    page, took = twenty(), []
    for _ in range(20):
        began = time.perf_counter()
        documents.render(page)
        took.append((time.perf_counter() - began) * 1000)
    home = documents.render(page)["/"].packed or b""
    return [
        Row("status_page", "a change is visible after, slowest", max(waits), "s", at_most(1)),
        Row(
            "status_page",
            "all documents of 20 components x 90 days, median",
            statistics.median(took),
            "ms",
            at_most(50),
        ),
        Row("status_page", "the page of 20 components x 90 days, gzip", len(home) / 1024, "KiB", at_most(10)),
    ]
