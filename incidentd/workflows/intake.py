"""Group commit: posts that arrive together are committed together, and each is answered after that commit.

While one batch is being written the next one gathers, so the disk's sync is paid once for many posts. The queue is
bounded in alerts; when it is full the sender hears 503 and comes again within seconds.

Sources take turns. One may fill the whole queue while it is alone; as soon as others wait too, each has an equal
share of it, and one of which nothing waits is always let in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from incidentd.clock import Clock
from incidentd.domain.alert import Alert
from incidentd.ingest.types import Quarantined, Reason
from incidentd.metrics import Metrics
from incidentd.store.engine import Store, StoreRejectedError, StoreUnavailableError
from incidentd.tracing import Tracer
from incidentd.workflows.commit_spans import commits
from incidentd.workflows.receive import Receipt, Reception, Submission, receive
from incidentd.workflows.rules import Rules

log = structlog.get_logger()

BATCH_ALERTS = 5_000
"""Alerts per commit, unless one post alone has more: bounds how long a small post waits behind big ones."""


_OF_THE_VALUES = (StoreRejectedError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What an alert's own values can cause. Anything else (out of memory, a broken driver) is no fault of the alert: it is
answered 503 and comes again."""


class IntakeFullError(Exception):
    """The queue is full, or the daemon is stopping: nothing was kept, the sender must come again."""


@dataclass(slots=True)
class _Waiting:
    submission: Submission
    answer: asyncio.Future[Receipt]


class GroupCommit:
    """The bounded queue in front of the one writer."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        rules: Callable[[], Rules],
        committed: Callable[[Reception], None],
        max_alerts: int,
        tracer: Tracer | None = None,
    ) -> None:
        """`rules` is asked once per batch; `committed` is told of every batch after its commit."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._rules = rules
        self._committed = committed
        self._max_alerts = max_alerts
        self._tracer = tracer
        self._lines: dict[str, deque[_Waiting]] = {}
        """Of each source that waits, in the order of their turns."""
        self._held: dict[str, int] = {}
        """Alerts of each source that wait, or are being written."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def queued(self) -> int:
        """Alerts that wait for their commit."""
        return sum(self._held.values())

    def start(self) -> None:
        """Begin to take posts."""
        self._task = asyncio.create_task(self._run(), name="intake")

    async def stop(self) -> None:
        """Refuse new posts and finish those that were taken."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def refuses(self, source: str) -> bool:
        """True if not even one alert of `source` would be taken now."""
        return self._over(source, 1)

    def _over(self, source: str, weight: int) -> bool:
        waits = source in self._lines
        return waits and self._held[source] + weight > self._max_alerts // len(self._held)

    async def submit(self, submission: Submission) -> Receipt:
        """Return after the commit. Raises `IntakeFullError` or `StoreUnavailableError`: then nothing was kept."""
        source, weight = submission.source, _weight(submission)
        if self._stopping or self._task is None:
            raise IntakeFullError("the daemon is stopping")
        if self._over(source, weight):
            raise IntakeFullError("the intake queue is full")
        waiting = _Waiting(submission, asyncio.get_running_loop().create_future())
        self._lines.setdefault(source, deque()).append(waiting)
        self._held[source] = self._held.get(source, 0) + weight
        self._wake.set()
        # If the sender goes away this future is cancelled, but its alerts are in the queue and will be written.
        return await waiting.answer

    async def _run(self) -> None:
        while True:
            if not self._lines:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take()
            await self._commit(batch)
            for waiting in batch:
                self._give_back(waiting.submission)

    def _give_back(self, submission: Submission) -> None:
        left = self._held.pop(submission.source) - _weight(submission)
        if left:
            self._held[submission.source] = left

    def _take(self) -> list[_Waiting]:
        """The next batch: one post of each source after the other, as far as they fit."""
        batch: list[_Waiting] = []
        size, turns = 0, deque(self._lines)
        while turns:
            source = turns.popleft()
            line = self._lines[source]
            weight = len(line[0].submission.alerts)
            if batch and size + weight > BATCH_ALERTS:
                continue
            batch.append(line.popleft())
            size += weight
            if line:
                turns.append(source)
            else:
                del self._lines[source]
        self._rotate()
        self._metrics.intake_batch.observe(size)
        return batch

    def _rotate(self) -> None:
        # Whoever began this batch, with a post that may have filled it, is last in the next one.
        if len(self._lines) > 1:
            first = next(iter(self._lines))
            self._lines[first] = self._lines.pop(first)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            reception = await self._write([w.submission for w in batch])
        except StoreUnavailableError as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - one poisonous post must not take its neighbours down: see below
            await self._isolate(batch, error)
        else:
            for waiting, receipt in zip(batch, reception.receipts, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(receipt)
            self._report(reception)

    def _report(self, reception: Reception) -> None:
        try:
            self._committed(reception)
        except Exception:  # it is committed and answered: counting it must not end intake
            log.exception("intake_report_failed")

    async def _write(self, submissions: Sequence[Submission]) -> Reception:
        rules, now = self._rules(), self._clock.now()
        if self._tracer is None:
            return await self._store.write(lambda tx: receive(tx, submissions, rules, now))
        with commits(self._tracer, submissions) as traced:
            return await self._store.write(lambda tx: receive(tx, traced, rules, now))

    async def _isolate(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """A batch failed for another reason than the database: find the post, and in it the alert, that did it."""
        if len(batch) > 1:
            log.warning("intake_batch_split", posts=len(batch), error=type(error).__name__)
            for waiting in batch:
                await self._commit([waiting])
            return
        waiting = batch[0]
        alerts = waiting.submission.alerts
        if not alerts:
            _fail(batch, StoreUnavailableError(f"{type(error).__name__}: {error}"))
            return
        if not isinstance(error, _OF_THE_VALUES):
            _fail(batch, StoreUnavailableError(f"{type(error).__name__}: {error}"))
            return
        if len(alerts) == 1:
            log.error("alert_unprocessable", fingerprint=alerts[0].fingerprint, exc_info=error)
            await self._in_parts(waiting, [_without(waiting.submission, alerts[0])], set_aside=1)
            return
        middle = len(alerts) // 2
        first = replace(waiting.submission, alerts=alerts[:middle])
        second = replace(waiting.submission, alerts=alerts[middle:], quarantined=())
        await self._in_parts(waiting, [first, second], set_aside=0)

    async def _in_parts(self, waiting: _Waiting, parts: Sequence[Submission], *, set_aside: int) -> None:
        """Commit the parts of a post one after the other; together they answer it."""
        receipts = [Receipt((), (), set_aside)]
        for submission in parts:
            part = _Waiting(submission, asyncio.get_running_loop().create_future())
            await self._commit([part])
            if (failure := part.answer.exception()) is not None:
                _fail([waiting], failure)
                return
            receipts.append(part.answer.result())
        if not waiting.answer.done():
            waiting.answer.set_result(_together(receipts))


def _weight(submission: Submission) -> int:
    return max(len(submission.alerts), 1)


def _fail(batch: Sequence[_Waiting], error: BaseException) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
            waiting.answer.exception()  # read once, so that a sender who left causes no "never retrieved" line


def _without(submission: Submission, alert: Alert) -> Submission:
    """The post with its only alert in quarantine."""
    bad = Quarantined("alerts", Reason.UNPROCESSABLE, repr(dict(alert.labels))[:4096])
    return replace(submission, alerts=(), quarantined=(*submission.quarantined, bad))


def _together(receipts: Sequence[Receipt]) -> Receipt:
    ids = sorted({i for receipt in receipts for i in receipt.incidents})
    sightings = tuple([pair for receipt in receipts for pair in receipt.sightings])
    return Receipt(tuple(ids), sightings, sum([receipt.set_aside for receipt in receipts]))
