"""The rounds: every source asked in its own pace, in a task of its own; a round that fails decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from incidentd.clock import Clock
from incidentd.domain import reconcile as domain
from incidentd.domain.at_source import SilenceView, shown
from incidentd.domain.correlate import QUIET
from incidentd.domain.incident import Change
from incidentd.domain.reconcile import Drift, Here, Policy, Track
from incidentd.jobs.scheduler import Job
from incidentd.metrics import Metrics
from incidentd.sources.alertmanager import Alertmanager
from incidentd.sources.answers import AlertmanagerError, SourceAlert, Status
from incidentd.store import heartbeats
from incidentd.store import reconcile as rows
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.reconcile import SourceRounds
from incidentd.workflows import reconcile as workflow
from incidentd.workflows.intake import IntakeFullError
from incidentd.workflows.receive import Receipt, Submission
from incidentd.workflows.reconcile import Heard
from incidentd.workflows.rules import Rules

PART = 200
"""Alerts that one transaction ends or opens: intake gets its turn in between."""
_TRACKS = 500
T = TypeVar("T")

log = structlog.get_logger()


class Intake(Protocol):
    """The queue in front of the one writer."""

    async def submit(self, submission: Submission) -> Receipt:
        """Return after the commit."""
        ...


class _BadRoundError(Exception):
    """A round decides nothing: why, bounded and in words."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _Round:
    """One round while it goes on."""

    row: SourceRounds
    members: tuple[Alertmanager, ...]
    policy: Policy
    rules: Rules
    now: datetime
    here: dict[str, Here] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    receivers: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Whose."""
        return self.row.source


@dataclass(slots=True)
class Reconciler:
    """Asks the Alertmanagers of each source and brings here and there together. Safe on several replicas."""

    store: Store
    clock: Clock
    rules: Callable[[], Rules]
    members: Callable[[], Mapping[str, tuple[Alertmanager, ...]]]
    intake: Intake
    changed: Callable[[tuple[Change, ...]], None]
    metrics: Metrics
    heard: Heard
    _due: dict[str, datetime] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _known: frozenset[str] | None = None
    """The sources that are reconciled, once what is kept of others has been dropped."""
    _stopping: bool = False

    @property
    def job(self) -> Job:
        """What the clockwork runs: it begins rounds and does not wait for them."""
        return Job("reconcile", timedelta(seconds=1), self.tick)

    async def stop(self) -> None:
        """Begin no further round; those under way end at once, their current transaction excepted."""
        self._stopping = True
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def tick(self) -> None:
        """Begin a round for each source that is due and has none under way."""
        policies, now = self.rules().reconcile, self.clock.now()
        await self._drop_others(frozenset(policies))
        for source, policy in policies.items():
            due = self._due.get(source)
            waits = due is not None and now < due <= now + policy.every
            if not (waits or source in self._running or self._stopping):
                self._due[source] = now + policy.every
                task = asyncio.create_task(self.round(source), name=f"reconcile {source}")
                self._running[source] = task
                task.add_done_callback(lambda _, source=source: self._running.pop(source, None))  # type: ignore[misc]

    async def _drop_others(self, sources: frozenset[str]) -> None:
        if self._known != sources:
            await self.store.write(lambda tx: rows.forget_others(tx, sources))
            self._known = sources

    async def round(self, source: str) -> None:
        """One round, if it is due and no other replica has taken it. What goes wrong is logged and counted."""
        rules, now = self.rules(), self.clock.now()
        policy = rules.reconcile[source]
        try:
            row = await self.store.write(lambda tx: rows.claim(tx, source, policy.every, now))
            if row is None:
                return
            try:
                await self._round(_Round(row, self.members().get(source, ()), policy, rules, now))
            except _BadRoundError as bad:
                await self._note_failure(row, bad)
        except (StoreUnavailableError, StoreRejectedError, IntakeFullError) as error:
            self._count_failure(source, "not_stored", str(error))
        except Exception:  # the next round must come, and somebody must see this
            log.exception("reconcile_failed", source=source)
            self.metrics.reconcile_failures.labels(source, "internal").inc()

    async def _note_failure(self, row: SourceRounds, bad: _BadRoundError) -> None:
        if row.failed != bad.reason:  # once, not every minute
            log.warning("reconcile_round_failed", source=row.source, reason=bad.reason, detail=bad.detail)
        self.metrics.reconcile_failures.labels(row.source, bad.reason).inc()
        await self.store.write(
            lambda tx: rows.failed(tx, row.source, bad.reason, bad.detail) if _held(tx, row) else None
        )

    def _count_failure(self, source: str, reason: str, detail: str) -> None:
        log.warning("reconcile_round_failed", source=source, reason=reason, detail=detail)
        self.metrics.reconcile_failures.labels(source, reason).inc()

    async def _round(self, one: _Round) -> None:
        source = one.source
        await self._load(one)
        answers = await self._ask(one)
        union = await asyncio.to_thread(
            workflow.united, source, [a for _, a in answers], one.rules, one.policy, one.receivers
        )
        await self._doubt(one, [status for status, _ in answers], beats=union.beats)
        this = domain.following(one.now, one.row.good_at, one.row.failed, one.policy)
        found = await asyncio.to_thread(domain.compare, one.here, union.alerts, one.tracks, this, one.policy)
        await self._remember(one, found)
        await self._end(one, found)
        await self._open(one, found, union)
        await self._show(one, found)
        beat_at = one.now if union.beats else one.row.beat_at
        await self._held_write(one, lambda tx: rows.good(tx, source, one.now, beat_at))
        self.metrics.reconcile_last_success.labels(source).set(one.now.timestamp())

    # -- what is known, and what they say ---------------------------------------------------------------------
    async def _load(self, one: _Round) -> None:
        """Before they are asked: what comes in between looks missing or unknown once, which decides nothing."""
        fresh = self.heard.fresh(one.source)
        learned = await self.store.write(lambda tx: rows.learn(tx, one.source, fresh)) if fresh else ()
        one.receivers = learned or one.row.receivers
        start: int | None = 0
        while start is not None:
            page, start = await self.store.read(lambda tx, at=start: rows.firing(tx, one.source, at))  # type: ignore[misc]
            one.here.update([(each.fingerprint, each) for each in page])
        after: str | None = ""
        while after is not None:
            more, after = await self.store.read(lambda tx, at=after: rows.tracks(tx, one.source, at))  # type: ignore[misc]
            one.tracks.update(more)

    async def _ask(self, one: _Round) -> list[tuple[Status, list[SourceAlert]]]:
        """What every member says. Raises `_BadRoundError` if one does not answer."""
        asked = [self._ask_member(member, one) for member in one.members]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for number, answer in enumerate(answers):
            if isinstance(answer, AlertmanagerError):
                where = f"alertmanagers[{number}]"
                raise _BadRoundError(answer.reason.value, f"{where}: {answer.detail}") from None
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _ask_member(self, member: Alertmanager, one: _Round) -> tuple[Status, list[SourceAlert]]:
        alerts = await member.alerts(lambda fingerprint: fingerprint not in one.here)
        # Last: one that was restarted in between must not look as if it had been up for long.
        return await member.status(), alerts

    async def _doubt(self, one: _Round, members: Sequence[Status], *, beats: bool) -> None:
        silent = await self.store.read(lambda tx: heartbeats.silent(tx).get(one.source))
        doubt = domain.doubt(members, one.policy, silent, one.row.beat_at, one.now, beats=beats)
        if doubt is not None:
            raise _BadRoundError(doubt[0].value, doubt[1])

    # -- what follows -----------------------------------------------------------------------------------------
    async def _held_write(self, one: _Round, work: Callable[[Tx], T]) -> T:
        """Do it, unless another round has begun."""

        def write(tx: Tx) -> T:
            if not _held(tx, one.row):
                raise _BadRoundError("overtaken", "another round has begun")
            return work(tx)

        return await self.store.write(write)

    async def _remember(self, one: _Round, found: domain.Comparison) -> None:
        changed = list(found.tracks.items())
        for start in range(0, len(changed), _TRACKS):
            part = changed[start : start + _TRACKS]
            await self._held_write(one, lambda tx, part=part: rows.remember(tx, one.source, part))  # type: ignore[misc]

    async def _end(self, one: _Round, found: domain.Comparison) -> None:
        why = workflow.why_gone(one.source, len(one.members), one.policy)
        for start in range(0, len(found.ended), PART):
            part = found.ended[start : start + PART]
            done = await self._held_write(
                one,
                lambda tx, part=part: workflow.end_missing(tx, one.source, part, one.rules, one.now, why),  # type: ignore[misc]
            )
            self._drifted(one.source, Drift.NEVER_RESOLVED, done.alerts)
            if done.changes:
                self.changed(done.changes)

    async def _open(self, one: _Round, found: domain.Comparison, union: workflow.Union) -> None:
        for start in range(0, len(found.lost), PART):
            part = found.lost[start : start + PART]
            post = workflow.lost_alerts(one.source, part, union.raw, one.now)
            if len(post.alerts) < len(part):
                log.warning(
                    "reconcile_not_understood", source=one.source, alerts=len(part) - len(post.alerts)
                )
            if post.alerts:
                receipt = await self.intake.submit(post)
                opened = sum(number for sighting, number in receipt.sightings if sighting not in QUIET)
                self._drifted(one.source, Drift.NEVER_DELIVERED, opened)

    async def _show(self, one: _Round, found: domain.Comparison) -> None:
        silences = await self._silences(one, {i for ids in found.quiet.values() for i in ids})
        after = shown(found, silences)
        before = await self.store.read(lambda tx: rows.all_at_source(tx, one.source))
        changed = list(workflow.changed_views(before, after).items())
        for start in range(0, len(changed), PART):
            part = dict(changed[start : start + PART])
            told = await self._held_write(
                one,
                lambda tx, part=part: workflow.show(tx, one.source, part, one.rules, one.now),  # type: ignore[misc]
            )
            if told:
                self.changed(told)
        fresh = [i for i, view in after.items() if view.still_firing and i not in before]
        self._drifted(one.source, Drift.CLOSED_HERE, len(fresh))

    async def _silences(self, one: _Round, ids: set[str]) -> dict[str, SilenceView]:
        """What is known of these silences; a member that does not say leaves them with their ids alone."""
        found: dict[str, SilenceView] = {}
        for member in one.members:
            if ids <= found.keys():
                break
            try:
                told = await member.silences()
            except AlertmanagerError as error:
                log.warning("reconcile_silences_unknown", source=one.source, error=str(error))
                continue
            found |= {
                s.id: SilenceView(s.id, s.created_by, s.comment, s.ends_at) for s in told if s.id in ids
            }
        return found

    def _drifted(self, source: str, kind: Drift, number: int) -> None:
        self.metrics.reconcile_drift.labels(source, kind.value).inc(number)
        if number:
            log.info("reconciled", source=source, kind=kind.value, alerts=number)


def _held(tx: Tx, row: SourceRounds) -> bool:
    return rows.held(tx, row.source, row.generation)
