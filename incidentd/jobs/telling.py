"""Telling subscribers: what became public is spread over them, and leaves by mail and by post, each at its own pace.

Mails yield to pages of the same channel and heed its pauses; a webhook that hangs holds up itself alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import orjson
import structlog

from incidentd.channels.base import ChannelEnv, HttpFailure, Rate, Request
from incidentd.channels.email import EmailConfig, EmailSender
from incidentd.channels.http import HttpClient
from incidentd.channels.webhook import judge, sign
from incidentd.clock import Clock, jitter, random_id
from incidentd.config import Config
from incidentd.delivery.bucket import Buckets
from incidentd.delivery.herald import decide
from incidentd.domain.notification import Outcome, Verdict
from incidentd.domain.status_page.subscriber import Kind, Links, Standing, Subscriber
from incidentd.jobs.posting import Post, Posting, Rooms
from incidentd.jobs.scheduler import Job
from incidentd.jobs.subscriber_mail import asking, telling
from incidentd.metrics import Metrics
from incidentd.public.push import enveloped
from incidentd.store import announcements, destinations, outbox, subscribers
from incidentd.store.announcements import Leased
from incidentd.store.change_events import Ending
from incidentd.store.engine import Store, Tx
from incidentd.workflows import announcing
from incidentd.workflows.rules import Rules
from incidentd.workflows.secrets import subscriber_secret

LEASE = timedelta(minutes=5)
"""Longer than a whole batch can take: by then another replica may send it."""
MAILS = 16
"""Mails of one batch; four conversations with the relay at once."""
_AT_ONCE = 4
_GONE = {Kind.EMAIL: Verdict.TARGET_GONE, Kind.WEBHOOK: Verdict.DISABLED}
"""What says that an address will never take anything. A 404 of a web server may be a deployment of its."""
_MAIL = "mail"
_POST = Kind.WEBHOOK
_NOT_WANTED = "not_wanted"

log = structlog.get_logger()
Send = Callable[[Leased, Subscriber, Links], Awaitable[Outcome]]


@dataclass(slots=True)
class Telling:
    """The jobs for subscribers; one for each daemon."""

    store: Store
    clock: Clock
    http: HttpClient
    env: ChannelEnv
    config: Callable[[], Config]
    rules: Callable[[], Rules]
    metrics: Metrics
    stopping: Callable[[], bool]
    _buckets: tuple[int, Buckets] | None = None
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _posting: Posting = field(init=False)

    def __post_init__(self) -> None:
        self._posting = Posting(
            store=self.store,
            due=lambda tx, rooms: any(
                [
                    announcements.is_due(tx, _POST, self.clock.now(), slow=slow)
                    for slow, n in rooms.items()
                    if n
                ]
            ),
            claim=self._posts,
            send=lambda row, links: self._sent(row, links, self._posted),
            settle=self._settle,
            report=lambda pairs: self._report(_POST, pairs),
            stopping=self.stopping,
        )

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("subscriber_notices", timedelta(seconds=1), self.spread),
            Job("subscriber_mails", timedelta(seconds=1), self.mail),
            Job("subscriber_webhooks", timedelta(seconds=1), self.post),
            Job("subscriber_figures", timedelta(seconds=15), self.count),
        )

    async def spread(self) -> None:
        """Write for each subscriber what became public, batch by batch."""
        while not self.stopping() and await self.store.read_now(announcements.unspread):
            if not await self.store.write(self._spread):
                return  # another replica is at it

    def _spread(self, tx: Tx) -> bool:
        return announcing.spread(tx, self.rules().layout, self.clock.now(), random_id)

    async def mail(self) -> None:
        """Send mails until none is due, or the rate is used up."""
        config = self.config()
        wanted = config.status_page.subscribers
        channel = config.channels.get(wanted.email or "")
        if wanted.email is None or not isinstance(channel, EmailConfig):
            return
        sender, name = EmailSender(channel, self.env), wanted.email
        buckets = self._paced(wanted.mails_per_minute)

        async def send(row: Leased, known: Subscriber, links: Links) -> Outcome:
            async with self._turns:
                to = known.contact if row.payload is None else known.address
                return await sender.post(to, self._letter(row, known, links))

        try:
            while (room := min(buckets.tokens(_MAIL), MAILS)) and await self._due(name):
                buckets.take(_MAIL, room)
                taken = await self._batch(room, send)
                buckets.take(_MAIL, taken - room)
                if not taken:
                    break  # another replica was quicker
        finally:
            await sender.close()

    async def post(self) -> None:
        """Post what is due; returns soon, whatever hangs."""
        await self._posting.run()

    async def stop(self, seconds: float) -> None:
        """Settle the posts under way, as far as they end in time; once no job runs any more."""
        await self._posting.stop(seconds)

    async def count(self) -> None:
        """Show how many there are, and for how long the oldest notice has waited."""
        found, oldest = await self.store.read(
            lambda tx: (subscribers.counts(tx), announcements.oldest_open(tx))
        )
        public, now = self.metrics.public, self.clock.now()
        for kind in Kind:
            for standing in Standing:
                number = found.get((kind.value, standing.value), 0)
                public.subscribers.labels(kind.value, standing.value).set(number)
        public.oldest.set(0 if oldest is None else max(0.0, (now - oldest).total_seconds()))

    def _paced(self, per_minute: int) -> Buckets:
        if self._buckets is None or self._buckets[0] != per_minute:
            rate = Rate(per_minute / 60, max(1, per_minute // 10))
            self._buckets = per_minute, Buckets(self.clock, rate)
        return self._buckets[1]

    async def _due(self, channel: str) -> bool:
        now = self.clock.now()

        def look(tx: Tx) -> bool:
            if not announcements.is_due(tx, Kind.EMAIL, now):
                return False
            # Pages of the channel go first, and what its vendor asked for holds for these mails too.
            return not (
                outbox.is_due(tx, channel, pages=True, now=now)
                or destinations.of(tx, channel, now).paused(now)
            )

        return not self.stopping() and await self.store.read_now(look)

    async def _batch(self, limit: int, send: Send) -> int:
        """Claim mails, send, settle; how many. Raises what the store raises."""
        rows, links = await self.store.write(lambda tx: self._claim(tx, Kind.EMAIL, limit))
        outcomes = await asyncio.gather(*[self._sent(row, links, send) for row in rows])
        pairs = list(zip(rows, outcomes, strict=True))
        await self.store.write(lambda tx: self._settle(tx, pairs))
        self._report(Kind.EMAIL, pairs)
        return len(rows)

    def _claim(
        self, tx: Tx, kind: Kind, limit: int, *, slow: bool | None = None
    ) -> tuple[list[Leased], Links]:
        # Read here: a unit of work waits for the writer, and a lease must not begin before that.
        now, layout = self.clock.now(), self.rules().layout
        url = self.config().status_page.subscribers.rules(layout.url).url
        links = Links(subscriber_secret(tx, now), url)
        return announcements.claim(tx, kind, now, now + LEASE, limit, slow=slow), links

    def _posts(self, tx: Tx, rooms: Rooms) -> Sequence[Post]:
        taken: list[Post] = []
        for slow, room in rooms.items():
            if room:
                rows, links = self._claim(tx, _POST, room, slow=slow)
                taken += [(row, links, slow) for row in rows]
        return taken

    def _report(self, kind: Kind, pairs: Sequence[tuple[Leased, Outcome]]) -> None:
        for _, outcome in pairs:
            self.metrics.public.deliveries.labels(kind.value, outcome.verdict.value).inc()
            if outcome.verdict is not Verdict.OK:
                # Neither an address nor a code: a log is no place for who reads what.
                log.warning("subscriber_not_told", kind=kind.value, error=outcome.code)

    async def _sent(self, row: Leased, links: Links, send: Send) -> Outcome:
        if row.subscriber is None:
            return Outcome(Verdict.TARGET_GONE, "unsubscribed")
        if row.payload is not None and not _wanted(row.subscriber, row.payload):
            return Outcome(Verdict.TARGET_GONE, _NOT_WANTED)
        return await send(row, row.subscriber, links)

    def _letter(self, row: Leased, known: Subscriber, links: Links) -> EmailMessage:
        layout, key = self.rules().layout, f"status-{row.id}"
        if row.payload is None:
            return asking(layout, known, links, key, row.created_at, self.env.domain)
        return telling(layout, known, row.payload, links, key, row.created_at, self.env.domain)

    async def _posted(self, row: Leased, known: Subscriber, links: Links) -> Outcome:
        body = orjson.dumps(enveloped(row.payload or {}, links.manage(known.code)))
        headers = {"content-type": "application/json", "webhook-id": f"status-{row.id}"}
        request = sign(
            Request("POST", known.address, headers, body), [links.signing(known.code)], self.clock.now()
        )
        guarded = not self.config().status_page.subscribers.private_addresses
        try:
            answer = await self.http.request("POST", known.address, request.headers, body, guarded=guarded)
        except HttpFailure as failure:
            return failure.outcome
        return judge(answer, self.clock.now())

    def _settle(self, tx: Tx, pairs: Sequence[tuple[Leased, Outcome]]) -> None:
        now = self.clock.now()
        for row, outcome in pairs:
            ending = decide(outcome, row, now, jitter())
            known = row.subscriber and subscribers.by_id(tx, row.subscriber.id)
            if announcements.settle(tx, row, ending, now) and known:
                _note(tx, row, known, outcome, ending)


def _wanted(known: Subscriber, payload: Mapping[str, Any]) -> bool:
    """It still is to be told of that: since the row was written it may have chosen otherwise, or failed for good."""
    return known.standing is Standing.ACTIVE and known.wants(payload["concerns"])


def _note(tx: Tx, row: Leased, known: Subscriber, outcome: Outcome, ending: Ending) -> None:
    """What came of it decides whether the subscriber is told anything more."""
    if outcome.code == _NOT_WANTED:
        return
    gone = outcome.verdict is _GONE[Kind.EMAIL if row.payload is None else known.kind]
    if ending.state == "sent" and known.failures and row.payload is not None:
        subscribers.save(tx, known.reached())
    elif ending.state == "dead" and row.payload is not None:
        subscribers.save(tx, known.failed(for_good=gone))
    elif ending.state == "dead" and gone and known.standing is Standing.PENDING:
        subscribers.forget(tx, known.id)  # there is no such mailbox: nobody can ever confirm it
