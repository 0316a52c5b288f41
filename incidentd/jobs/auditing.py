"""The audit log's clockwork: its key, signed heads, where they go, and what was refused since the last look."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from incidentd import __version__
from incidentd.audit.checkpoint import Checkpoint
from incidentd.audit.head_file import HeadFile, HeadUnreadableError
from incidentd.audit.keys import SigningKey
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.domain.incident import OURSELVES
from incidentd.jobs.anchors import Anchors
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.store import audit_keys
from incidentd.store.engine import Store, Tx
from incidentd.store.migrate import MigrationResult
from incidentd.workflows import audit as workflow
from incidentd.workflows import audit_sound
from incidentd.workflows.audit import Introduced
from incidentd.workflows.audit_export import head_path, open_key, previous_key

log = structlog.get_logger()
BESIDE_KEY: Final = "beside_key"
"""The place of the head in `audit.head_file`, among those outside."""
_MINUTE: Final = timedelta(minutes=1)
_UNVOUCHED: Final = (
    "who trusts the key before must be given this one; audit.previous_key would have vouched for it"
)


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
    _file: HeadFile = field(init=False)
    _signed: Checkpoint | None = None
    """The newest head that was found sound. Here and in the file, not only in the database, whose writer could change
    it there."""
    _kept: bool = True
    """The file holds it."""
    _problem: str = ""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("audit_heads", timedelta(seconds=5), self.sign),
            Job("audit_refusals", timedelta(seconds=5), self.note_refusals),
        )

    async def start(self, instance: str, migrated: MigrationResult) -> None:
        """Note that the daemon starts, its key if that is new, and what happened to the schema. Raises `StartError`."""
        if migrated.before != migrated.after:
            backup = str(migrated.backup or "")
            log.info("schema_migrated", before=migrated.before, after=migrated.after, backup=backup)
        now = self._since = self.clock.now()
        self.key = await open_key(self.config, self.store.path)
        previous = previous_key(self.config)
        digest = await workflow.digest_of(self.path)

        def work(tx: Tx) -> Introduced:
            fresh = workflow.introduce(tx, self.key, now, previous)
            data = {"version": __version__, "instance": instance, "sha256": digest}
            workflow.migrated(tx, OURSELVES, migrated.before, migrated.after, now)
            workflow.note(tx, now, OURSELVES, "daemon.started", "", data)
            return fresh

        introduced = await self.store.write(work)
        if introduced is Introduced.UNVOUCHED:
            log.warning("audit_key_not_vouched_for", key=self.key.public.id, hint=_UNVOUCHED)
        elif introduced is not Introduced.KNOWN:
            log.info("audit_key_introduced", key=self.key.public.id, algorithm=self.key.public.algorithm)
        await self._look_for_head()

    async def _look_for_head(self) -> None:
        self._file = HeadFile(head_path(self.config, self.store.path))
        if not await asyncio.to_thread(self._file.path.exists):
            last = await self.store.read(audit_keys.latest)
            if last is not None:
                hint = "the newest head in the database is believed; was the file taken away?"
                log.warning("audit_head_unknown", path=str(self._file.path), seq=last.seq, hint=hint)

    async def stop(self, _: float) -> None:
        """Note what is left, sign the end, and tell of it outside."""
        now, left, since = self.clock.now(), self.metrics.refusals.take(minute=True), self._since

        def work(tx: Tx) -> None:
            workflow.refused(tx, left, since, now)
            workflow.note(tx, now, OURSELVES, "daemon.stopped")

        await self.store.write(work)
        await self._sign(at_once=True)

    async def sign(self) -> None:
        """Sign the head if it is time, and put the newest signed one outside."""
        now = self.clock.now()
        await self._sign(
            at_once=False, due=await self.store.read_now(lambda tx: workflow.checkpoint_due(tx, now))
        )

    async def _sign(self, *, at_once: bool, due: bool = True) -> None:
        try:
            signed = self._signed or await asyncio.to_thread(self._file.read)
        except HeadUnreadableError as error:
            self._alarm(str(error))
            return
        key = self.key
        if due:
            # The time is taken inside: a head is not older than an export that was asked for before it.
            found = await self.store.write(lambda tx: audit_sound.vouch(tx, key, signed, self.clock.now()))
        else:
            found = await self.store.read_now(lambda tx: audit_sound.examine(tx, key.public, signed))
        self._alarm(found.problem)
        if found.head is not None:
            await self._keep(found.head, back=found.accepted)
            self.metrics.audit_head.set(found.head.seq)
            await self.anchors.tell(found.head, self.clock.now(), at_once=at_once)

    async def _keep(self, head: Checkpoint, *, back: bool) -> None:
        if head == self._signed and self._kept:
            return
        self._signed = head
        problem = await asyncio.to_thread(_written, self._file, head, back)
        if problem:
            self.metrics.audit_anchor_failures.labels(BESIDE_KEY).inc()
            if self._kept:
                log.error(
                    "audit_head_not_kept", error=problem, remedy="make it writable, or set audit.head_file"
                )
        else:
            self.metrics.audit_anchored.labels(BESIDE_KEY).set(head.seq)
        self._kept = not problem

    def _alarm(self, problem: str) -> None:
        self.metrics.audit_broken.set(bool(problem))
        if problem and not self._problem:  # once: what is wrong is told with the chain's end, which moves on
            remedy = "no head is signed until it is mended, or `incidentd audit accept` says why it may be so"
            log.error("audit_log_broken", error=problem, remedy=remedy)
        self._problem = problem

    async def note_refusals(self) -> None:
        """Note what was refused since the last time: bad credentials, signatures, replays ...; counts once a minute."""
        now, since = self.clock.now(), self._since
        minute = now - since >= _MINUTE
        taken = self.metrics.refusals.take(minute=minute)
        if taken.singles or taken.counts:
            try:
                await self.store.write(lambda tx: workflow.refused(tx, taken, since, now))
            except Exception:  # whatever it is, nothing that was counted may be lost
                self.metrics.refusals.give_back(taken)
                raise
        if minute:
            self._since = now


def _written(file: HeadFile, head: Checkpoint, back: bool) -> str:  # noqa: FBT001 - for a thread
    try:
        file.write(head, back=back)
    except OSError as error:
        return f"{file.path}: {error.strerror or error}"
    return ""
