"""Copies of the public page: after every change, and every minute to say that somebody still looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from incidentd.channels.http import HttpClient
from incidentd.clock import Clock, random_id
from incidentd.config.status_export import Bucket, Export
from incidentd.domain.status_page.layout import MAIN
from incidentd.exporting import directory
from incidentd.exporting.bucket import BucketRefusedError, BucketWriter
from incidentd.exporting.tree import files
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.public.documents import Document, render
from incidentd.store import publications, settings
from incidentd.store.engine import Store, Tx
from incidentd.workflows.public_page import Made, page
from incidentd.workflows.rules import Rules

FRESH = timedelta(minutes=1)
"""How often a copy is made although nothing has changed."""
LEASE = timedelta(minutes=3)
"""How long other replicas leave a bucket to the one that writes there."""
_FIRST, _LONGEST = timedelta(seconds=2), timedelta(minutes=2)
_LEADER = "status_export_leader"
DIRECTORY, BUCKET = "directory", "bucket"

log = structlog.get_logger()
Write = Callable[[Mapping[str, Document], datetime], Awaitable[int | None]]


@dataclass(slots=True)
class _Target:
    """How one target stands."""

    version: str | None = None
    """Of the last complete copy."""
    config: Export | None = None
    made_at: datetime | None = None
    until: datetime | None = None
    """When it is out of date although nothing was written."""
    failures: int = 0
    not_before: datetime | None = None


@dataclass(slots=True)
class Exporting:
    """Makes the copies; one for each daemon."""

    store: Store
    clock: Clock
    http: HttpClient
    export: Callable[[], Export]
    """That in force: a reload replaces it."""
    rules: Callable[[], Rules]
    metrics: Metrics
    stopping: Callable[[], bool]
    _owner: str = field(default_factory=lambda: random_id()[:12])
    _targets: dict[str, _Target] = field(default_factory=dict)
    _bucket: BucketWriter | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """A look is one quick read, and none where nothing is configured."""
        return (Job("status_export", timedelta(seconds=1), self.run),)

    async def run(self) -> None:
        """Bring every copy up to date. What fails is tried again, and holds up no other."""
        async with self._turn:  # two at once would take each other's copies for old ones
            await self._bring_up_to_date()

    async def _bring_up_to_date(self) -> None:
        export = self.export()
        wanted: list[tuple[str, Write]] = []
        if export.directory is not None:
            wanted.append((DIRECTORY, self._to_directory))
        if export.bucket is not None:
            wanted.append((BUCKET, self._to_bucket))
        if not wanted or self.stopping():
            return
        version, now = await self.store.read_now(publications.version), self.clock.now()
        due = [each for each in wanted if self._due(each[0], version, export, now)]
        if not due:
            return
        layout = self.rules().layout
        made = await self.store.read_now(lambda tx: page(tx, layout, now))
        documents = await asyncio.to_thread(_documents, made)
        for name, write in due:
            await self._attempt(name, export, made, write(documents, now))

    def _due(self, name: str, version: str, export: Export, now: datetime) -> bool:
        target = self._targets.setdefault(name, _Target())
        if target.not_before is not None and now < target.not_before:
            return False
        if target.made_at is None or target.version != version or target.config != export:
            return True
        return now - target.made_at >= FRESH or (target.until is not None and now >= target.until)

    async def _attempt(self, name: str, export: Export, made: Made, writing: Awaitable[int | None]) -> None:
        target, started, now = self._targets[name], self.clock.monotonic(), self.clock.now()
        try:
            written = await writing
        except (OSError, BucketRefusedError, ValueError) as error:
            target.failures += 1
            target.not_before = now + min(_FIRST * 2 ** min(target.failures - 1, 10), _LONGEST)
            self.metrics.public.export_failures.labels(name).inc()
            log.warning("status_export_failed", target=name, error=str(error), failures=target.failures)
            return
        target.version, target.config, target.made_at, target.until = made.version, export, now, made.until
        if written is None:
            return  # another replica writes there
        if target.failures:
            log.info("status_export_recovered", target=name)
        target.failures, target.not_before = 0, None
        self.metrics.public.exported.labels(name).set(now.timestamp())
        self.metrics.public.export_seconds.labels(name).observe(self.clock.monotonic() - started)

    async def _to_directory(self, documents: Mapping[str, Document], now: datetime) -> int:
        root = self.export().directory or Path()
        # Sorted by time; the rest tells two replicas on one disk apart.
        name = f"{now:%Y%m%dT%H%M%S%f}-{random_id()[:8]}"
        tree = list(files(documents, now, folders=True))
        return await asyncio.to_thread(directory.publish, root, tree, name)

    async def _to_bucket(self, documents: Mapping[str, Document], now: datetime) -> int | None:
        bucket = self.export().bucket
        if bucket is None or not await self._leads(now):
            self._bucket = None
            return None
        tree = await asyncio.to_thread(lambda: list(files(documents, now, folders=False)))
        return await self._writer(bucket).publish(tree)

    def _writer(self, bucket: Bucket) -> BucketWriter:
        if self._bucket is None or self._bucket.bucket != bucket:
            self._bucket = BucketWriter(self.http, bucket, self.clock.now)
        return self._bucket

    async def _leads(self, now: datetime) -> bool:
        """True for one of the replicas; what another one wrote later is never put back to what was."""
        found = await self.store.read_now(lambda tx: settings.get(tx, _LEADER))
        mine, until = _lease(found)
        if mine == self._owner and until - now > LEASE / 2:
            return True
        if mine != self._owner and until > now:
            return False

        def take(tx: Tx) -> bool:
            return settings.advance(tx, _LEADER, found, f"{self._owner} {(now + LEASE).isoformat()}")

        return await self.store.write(take)


def _documents(made: Made) -> Mapping[str, Document]:
    """Every page below its address. What needs a token to be read is not put where anybody reads it."""
    found: dict[str, Document] = {}
    for key, each in made.pages.items():
        if not each.look.private:
            base = "" if key == MAIN else f"/pages/{key}"
            found |= {f"{base}{path}": document for path, document in render(each).items()}
    return found


def _lease(text: str | None) -> tuple[str, datetime]:
    owner, _, until = (text or "").partition(" ")
    return owner, datetime.fromisoformat(until or "2000-01-01T00:00:00+00:00")
