"""The audit log: what it adds to a transaction, how fast a bundle is verified, and the memory of an export.

A transaction is measured with the log and with noting switched off, on two databases in turns, commit included.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from benchmarks.report import BenchError, Options, Row, at_least, at_most
from incidentd.audit.chain import GENESIS, Actor, Event, Opening, Sealed, seal
from incidentd.audit.keys import SigningKey
from incidentd.audit.verify import verify
from incidentd.domain import response
from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.routing import Route
from incidentd.store import audit, schema_audit
from incidentd.store.codec import micros
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import migrate
from incidentd.workflows import audit as workflow
from incidentd.workflows import respond
from incidentd.workflows.audit_export import Wanted, bundle
from incidentd.workflows.receive import Submission, receive
from incidentd.workflows.rules import Rules

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Rules(Route(notify=("console",)), {"console": ("console",)}, grouping=("alertname",))
ROUNDS, ROUNDS_QUICK = 400, 60
ENTRIES, ENTRIES_QUICK = 1_000_000, 50_000
VERIFIED, VERIFIED_QUICK = 200_000, 20_000
COST, SPEED, GROWTH = 1.10, 50_000.0, 1.25
_RECORD = audit.record
_EXPORT = "from benchmarks.audit import export_alone; export_alone()"


def run(options: Options) -> list[Row]:
    """All three."""
    quick = options.quick
    rows = asyncio.run(_transactions(options.folder, ROUNDS_QUICK if quick else ROUNDS))
    rows += asyncio.run(_export_and_verify(options.folder, quick=quick))
    return rows


# -- what a transaction costs -----------------------------------------------------------------------------------
@dataclass
class _Side:
    """One of the two databases."""

    store: Store
    noting: bool
    seconds: dict[str, list[float]]

    async def time(self, name: str, work: Callable[[Tx], object]) -> None:
        audit.record = _RECORD if self.noting else _nothing
        began = time.perf_counter()
        await self.store.write(work)
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        audit.record = _RECORD


def _nothing(tx: Tx, *events: Event) -> None:
    """What noting is when there is no log."""


async def _transactions(folder: Path, rounds: int) -> list[Row]:
    sides = []
    for noting in (True, False):
        url = f"sqlite+aiosqlite:///{folder}/audit-{noting}.db"
        await migrate(url)
        sides.append(_Side(Store(url), noting, {}))
    try:
        for number in range(rounds):
            for side in sides if number % 2 else sides[::-1]:
                await _round(side, number)
    finally:
        for side in sides:
            await side.store.close()
    return [row for name in sides[0].seconds for row in _rows(name, *sides)]


async def _round(side: _Side, number: int) -> None:
    """One of each; the first incident of each round is the one that a person acknowledges."""
    first = number * 51 + 1
    one = [Submission("main", "r", (_alert(number * 51),))]
    many = [Submission("main", "r", (_alert(number * 51 + n),)) for n in range(1, 51)]
    now = NOW + timedelta(seconds=number)
    await side.time("a post that opens an incident", lambda tx: receive(tx, one, RULES, now))
    await side.time("a batch of 50 posts, each opening an incident", lambda tx: receive(tx, many, RULES, now))
    await side.time("the same 50 posts again", lambda tx: receive(tx, many, RULES, now))
    act = lambda i: response.acknowledge(i, "alice", "on it", now)  # noqa: E731 - as handlers do
    await side.time("a person acknowledges", lambda tx: respond.act(tx, first, act, RULES, now))


def _rows(name: str, with_log: _Side, without: _Side) -> list[Row]:
    took = [statistics.median(side.seconds[name]) * 1e6 for side in (with_log, without)]
    return [
        Row("audit", name, took[0], "us"),
        Row("audit", f"{name}: with the log / without", took[0] / took[1], "x", at_most(COST)),
    ]


def _alert(number: int) -> Alert:
    labels = {"alertname": f"A{number}", "service": f"s{number % 50}", "severity": "critical"}
    return Alert(
        source="main",
        fingerprint=f"{number:016x}",
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={"summary": f"alert {number}"},
        starts_at=NOW,
        ends_at=None,
        generator_url="http://prometheus/graph",
    )


# -- bundles ----------------------------------------------------------------------------------------------------
async def _export_and_verify(folder: Path, *, quick: bool) -> list[Row]:
    many, some = (ENTRIES_QUICK, VERIFIED_QUICK) if quick else (ENTRIES, VERIFIED)
    file = folder / "audit-log.db"
    print(f"  filling a log with {many:,} entries", flush=True)
    await _fill(file, many)
    rows, grown = [], []
    for count in (many // 20, many):
        seconds, memory = _exported(file, count, folder / "bundle.json", "json")
        grown.append(memory)
        rows += [
            Row("audit", f"export of {count:,} entries", count / seconds, "events/s"),
            Row("audit", f"export of {count:,} entries: memory of the process", memory, "MB"),
        ]
    name = f"export: memory with {many:,} / {many // 20:,} entries"
    rows.append(Row("audit", name, grown[1] / grown[0], "x", at_most(GROWTH)))
    for form in ("json", "csv"):
        bundle_file = folder / f"some.{form}"
        _exported(file, some, bundle_file, form)
        rows += _verified(bundle_file, some, form)
    return rows


def _verified(file: Path, count: int, form: str) -> list[Row]:
    speeds, ceilings = [], []
    for _ in range(3):
        began = time.perf_counter()
        with file.open("rb") as opened:
            found = verify(opened)
        speeds.append(count / (time.perf_counter() - began))
        if found.count != count:
            raise BenchError(f"{found.count} entries of {count} were verified")
        began = time.perf_counter()
        _ceiling(file, plain=form == "json")
        ceilings.append(count / (time.perf_counter() - began))
    speed = statistics.median(speeds)
    rows = [Row("audit", f"verify a {form} bundle of {count:,}", speed, "events/s", at_least(SPEED))]
    if form == "json":
        ratio = speed / statistics.median(ceilings)
        rows.append(Row("audit", "verify / reading each line and hashing its entry, no more", ratio, "x"))
    return rows


def _ceiling(file: Path, *, plain: bool) -> None:
    """What no verifier can do without: parse each line, write its entry as it was hashed, hash it."""
    if not plain:
        return
    with file.open("rb") as opened:
        for line in opened:
            if line.startswith(b'{"entry"'):
                entry = orjson.loads(line[:-2])["entry"]
                hashlib.sha256(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _exported(database: Path, count: int, target: Path, form: str) -> tuple[float, float]:
    """Seconds, and the largest size in MB, of a process that exports the first `count` entries and nothing else."""
    argv = [sys.executable, "-c", _EXPORT, str(database), str(count), str(target), form]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    if done.returncode:
        raise BenchError(done.stderr[-500:])
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes) / 1024


def export_alone() -> None:
    """The other process: database, count, target and format are its arguments."""
    database, count, target, form = sys.argv[1:]

    async def work() -> None:
        store = Store(f"sqlite+aiosqlite:///{database}")
        wanted = Wanted("csv" if form == "csv" else "json", 1, int(count), NOW)
        async for part in bundle(store, SigningKey.new(), "bench", wanted):
            file.write(part)
        await store.close()

    began = time.perf_counter()
    with Path(target).open("wb") as file:
        asyncio.run(work())
    # Not getrusage: that counts what the parent had before this process became another one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(time.perf_counter() - began, status["VmHWM"].split()[0])


async def _fill(file: Path, count: int) -> None:
    """Two in three entries are a person's, each with a text of its own, as on a busy day."""
    url = f"sqlite+aiosqlite:///{file}"
    await migrate(url)
    store = Store(url)
    people = [Opening(f"{n:032x}", f"person-{n}") for n in range(20)]
    rows: list[Sealed] = []
    texts = [(p.reference, "actor", p.salt, p.value, 1) for p in people]
    prev = GENESIS
    for seq in range(1, count + 1):
        sealed, opening = _entry(seq, prev, people[seq % 20])
        prev = sealed.hash
        rows.append(sealed)
        texts += [(opening.reference, "text", opening.salt, opening.value, seq)] if opening else []
        if len(rows) == 20_000 or seq == count:
            await store.write(lambda tx, r=tuple(rows), t=tuple(texts): _put(tx, r, t))  # type: ignore[misc]
            rows, texts = [], []
    await store.write(lambda tx: workflow.checkpoint(tx, SigningKey.new(), NOW))
    await store.close()


def _entry(seq: int, prev: str, who: Opening) -> tuple[Sealed, Opening | None]:
    at = NOW + timedelta(seconds=seq)
    if seq % 3 == 0:
        event = Event(at, Actor("machine", "source"), "incidents.changed", "", {"triggered": [seq, seq + 1]})
        return seal(event, seq, prev, "", {}), None
    said = Opening(f"{seq:032x}", f"acknowledged by {who.value}: on it, number {seq}")
    data: dict[str, Any] = {"entry": 2, "state": "acknowledged", "severity": "critical", "episode": 1}
    event = Event(at, Actor("person", who.value), "incident.acknowledged", f"incident:{seq}", data)
    return seal(event, seq, prev, who.reference, {"text": said.reference}), said


def _put(tx: Tx, rows: tuple[Sealed, ...], texts: tuple[tuple[object, ...], ...]) -> None:
    events, private = schema_audit.audit_events, schema_audit.audit_private
    values = [{"seq": s.seq, "at": micros(s.at), "entry": s.entry.decode(), "hash": s.hash} for s in rows]
    tx.conn.execute(sa.insert(events), values)
    names = ("ref", "field", "salt", "value", "seq")
    if texts:
        tx.conn.execute(sa.insert(private), [dict(zip(names, text, strict=True)) for text in texts])
    head = {"seq": rows[-1].seq, "hash": rows[-1].hash}
    tx.conn.execute(sa.update(schema_audit.audit_head).values(head))
