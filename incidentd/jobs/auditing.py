"""The audit log's clockwork: its key, signed heads, where they go, and what was refused since the last look."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from incidentd import __version__
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.keys import SigningKey
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.domain.incident import OURSELVES
from incidentd.jobs.anchors import Anchors
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import MigrationResult
from incidentd.workflows import audit as workflow
from incidentd.workflows import audit_sound
from incidentd.workflows.audit_export import open_key

log = structlog.get_logger()


@dataclass(slots=True)
class Auditing:
    """The jobs that keep the audit log provable. Each may run on several replicas."""

    store: Store
    clock: Clock
    metrics: Metrics
    config: Config
    """That the daemon was started with: a key changes with a restart."""
    anchors: Anchors
    path: Path | None = None
    """The configuration's file."""
    key: SigningKey = field(init=False)
    """Known once started."""
    _since: datetime = field(init=False)
    """When refusals were noted last."""
    _signed: Checkpoint | None = None
    """The newest head that was found sound. Here, and not only in the database, whose writer could change it there."""
    _problem: str = ""
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("audit_heads", timedelta(seconds=5), self.sign),
            Job("audit_refusals", timedelta(minutes=1), self.note_refusals),
        )

    async def start(self, instance: str, migrated: MigrationResult) -> None:
        """Note that the daemon starts, its key if that is new, and what happened to the schema. Raises `StartError`."""
        if migrated.before != migrated.after:
            backup = str(migrated.backup or "")
            log.info("schema_migrated", before=migrated.before, after=migrated.after, backup=backup)
        now = self._since = self.clock.now()
        self.key = await open_key(self.config, self.store.path)

        digest = await workflow.digest_of(self.path)

        def work(tx: Tx) -> bool:
            fresh = workflow.introduce(tx, self.key, now)
            data = {"version": __version__, "instance": instance, "sha256": digest}
            workflow.migrated(tx, OURSELVES, migrated.before, migrated.after, now)
            workflow.note(tx, now, OURSELVES, "daemon.started", "", data)
            return fresh

        if await self.store.write(work):
            log.info("audit_key_introduced", key=self.key.public.id, algorithm=self.key.public.algorithm)

    async def stop(self, _: float) -> None:
        """Note what is left, sign the end, and tell of it outside."""
        await self.note_refusals()
        now = self.clock.now()
        await self.store.write(lambda tx: workflow.note(tx, now, OURSELVES, "daemon.stopped"))
        await self._sign(at_once=True)

    async def sign(self) -> None:
        """Sign the head if it is time, and put the newest signed one outside."""
        now = self.clock.now()
        await self._sign(
            at_once=False, due=await self.store.read_now(lambda tx: workflow.checkpoint_due(tx, now))
        )

    async def _sign(self, *, at_once: bool, due: bool = True) -> None:
        key, signed = self.key, self._signed
        if due:
            # The time is taken inside: a head is not older than an export that was asked for before it.
            found = await self.store.write(lambda tx: audit_sound.vouch(tx, key, signed, self.clock.now()))
        else:
            found = await self.store.read_now(lambda tx: audit_sound.examine(tx, key.public, signed))
        head, problem = found
        self._alarm(problem)
        if head is not None:
            self._signed = head
            self.metrics.audit_head.set(head.seq)
            await self.anchors.tell(head, self.clock.now(), at_once=at_once)

    def _alarm(self, problem: str) -> None:
        self.metrics.audit_broken.set(bool(problem))
        if problem and problem != self._problem:
            log.error("audit_log_broken", error=problem, remedy="no head is signed; see docs/audit.md")
        self._problem = problem

    async def note_refusals(self) -> None:
        """Note how often requests were refused since the last time: bad credentials, signatures, replays ..."""
        now, counts = self.clock.now(), dict(self.metrics.refused)
        fresh = {kind: count - self._seen.get(kind, 0) for kind, count in counts.items()}
        fresh = {kind: count for kind, count in fresh.items() if count}
        if fresh:
            since = self._since
            await self.store.write(lambda tx: workflow.refused(tx, fresh, since, now))
        # Only now: what could not be written is noted with the next.
        self._seen, self._since = counts, now
