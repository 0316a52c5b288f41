"""The cast of the delivery tests: an office with a clock that stands, and channels that answer what they are told."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd.channels.base import Sender
from incidentd.clock import FixedClock
from incidentd.delivery.traits import Traits
from incidentd.delivery.worker import Limits, Worker
from incidentd.domain import response
from incidentd.domain.incident import Change, Incident
from incidentd.domain.notification import DeliveryState, Message, Outcome, Verdict
from incidentd.domain.routing import Route
from incidentd.domain.severity import Severity
from incidentd.metrics import Metrics
from incidentd.store import deliveries, incidents, schema, timeline
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Store, Tx
from incidentd.store.timeline import StoredEntry
from incidentd.workflows import respond
from incidentd.workflows.respond import Declaration
from incidentd.workflows.rules import Rules

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OK = Outcome(Verdict.OK, "202")
RETRY = Outcome(Verdict.RETRY, "http_503", "the receiver failed")
REJECTED = Outcome(Verdict.CONTENT_REJECTED, "invalid_blocks", "too many blocks")
GONE = Outcome(Verdict.TARGET_GONE, "channel_not_found", "create the channel")
BROKEN = Outcome(Verdict.DESTINATION_BROKEN, "invalid_auth", "give a new token")
DISABLED = Outcome(Verdict.DISABLED, "http_410", "the receiver wants no more")
AMBIGUOUS = Outcome(Verdict.AMBIGUOUS, "timeout", "no answer")


class FakeSender:
    """A channel that remembers what it was told, and answers with the next outcome of its script, then with OK."""

    targets: tuple[str, ...] = ("#ops",)

    def __init__(self, *script: Outcome | Exception, open_gate: bool = True) -> None:
        self.script = list(script)
        self.heard: list[Message] = []
        self.accepted: list[Message] = []
        self.gate = asyncio.Event()
        """A send does not return while it is closed."""
        if open_gate:
            self.gate.set()
        self.spoken_to = asyncio.Event()
        self.closed = False
        self.on_close: Callable[[], None] = lambda: None
        self.on_send: Callable[[Message], None] = lambda _: None

    async def send(self, message: Message) -> Outcome:
        self.heard.append(message)
        self.spoken_to.set()
        self.on_send(message)
        await self.gate.wait()
        answer = self.script.pop(0) if self.script else OK
        if isinstance(answer, Exception):
            raise answer
        if answer.verdict is Verdict.OK:
            self.accepted.append(message)
        return answer

    async def probe(self) -> Outcome:
        return OK

    async def close(self) -> None:
        self.closed = True
        self.on_close()

    def notices(self) -> list[str]:
        return [message.notice.value for message in self.heard]


MACHINE = {"chat": Traits(people=False)}
"""A channel that is told each transition."""


def rules_for(channels: Iterable[str]) -> Rules:
    names = tuple(channels)
    return Rules(Route(notify=names), dict.fromkeys(names, ("#ops",)))


class Office:
    """A store, a worker and people."""

    def __init__(self, store: Store, *channels: str) -> None:
        self.store = store
        self.clock = FixedClock(NOW)
        self.metrics = Metrics()
        self.channels = channels or ("chat",)
        self.rules = rules_for(self.channels)
        self.workers: list[Worker] = []

    def hire(
        self,
        senders: Mapping[str, Sender],
        owner: str = "w-1",
        *,
        store: Store | None = None,
        jitter: float = 0.5,
        traits: Mapping[str, Traits] | None = None,
        **more: Any,
    ) -> Worker:
        """Build and start a worker."""
        worker = Worker(
            store or self.store,
            senders,
            self.clock,
            self.metrics,
            owner=owner,
            instance="abcd",
            public_url="http://inc.example/",
            limits=Limits(),
            jitter=lambda: jitter,
            traits=traits,
            **more,
        )
        worker.start()
        self.workers.append(worker)
        return worker

    async def close(self) -> None:
        for worker in self.workers:
            await worker.stop(0.05)

    def wake(self) -> None:
        """What the daemon does after a commit that told somebody something."""
        for worker in self.workers:
            worker.wake()

    async def later(self, seconds: float) -> None:
        """Move the clock and let the workers do what is due then."""
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        await self.settled()

    async def settled(self) -> None:
        for worker in self.workers:
            await worker.idle()

    async def declare(self, title: str = "checkout is down") -> int:
        declared = Declaration(title, Severity.CRITICAL, "shop", "", "alice")
        now = self.clock.now()
        done = await self.store.write(lambda tx: respond.declare(tx, declared, self.rules, now))
        self.wake()
        return done.incident.id

    async def act(self, incident: int, decide: Callable[[Incident], Change]) -> None:
        now = self.clock.now()
        await self.store.write(lambda tx: respond.act(tx, incident, decide, self.rules, now))
        self.wake()

    async def acknowledge(self, incident: int, who: str = "bob") -> None:
        now = self.clock.now()
        await self.act(incident, lambda i: response.acknowledge(i, who, "", now))

    async def resolve(self, incident: int, who: str = "bob") -> None:
        now = self.clock.now()
        await self.act(incident, lambda i: response.resolve(i, who, "", now, force=True))

    async def end(self, incident: int) -> None:
        """Its alerts end by themselves."""
        now = self.clock.now()
        await self.act(incident, lambda i: response.ended_by_source(i, now, now, administrative=False))

    async def snooze(self, incident: int, who: str = "carol", hours: int = 1) -> None:
        until = self.clock.now() + timedelta(hours=hours)
        await self.act(incident, lambda i: response.snooze(i, who, "", until))

    async def note(self, incident: int, text: str = "looking") -> None:
        now = self.clock.now()
        await self.store.write(lambda tx: respond.note(tx, incident, "bob", text, self.rules, now))
        self.wake()

    async def rows(self, channel: str | None = None) -> list[Delivery]:
        """The outbox, oldest first."""
        found = await self.store.read(
            lambda tx: deliveries.search(
                tx, state=None, incident_id=None, channel=channel, before=None, limit=1000
            )
        )
        return found[::-1]

    async def states(self, channel: str | None = None) -> list[tuple[str, str]]:
        return [(row.notice.value, row.state.value) for row in await self.rows(channel)]

    async def waiting(self) -> list[Delivery]:
        return [
            row for row in await self.rows() if row.state in {DeliveryState.PENDING, DeliveryState.LEASED}
        ]

    async def incident(self, number: int) -> Incident:
        return (await self.store.write(lambda tx: incidents.by_ids(tx, [number])))[0]

    async def entries(self, incident: int, kind: str) -> list[StoredEntry]:
        found = await self.store.read(lambda tx: timeline.of_incident(tx, incident, 0, 1000))
        return [entry for entry in found if entry.kind == kind]

    def counted(self, channel: str, kind: str, outcome: str) -> float:
        labels = {"channel": channel, "class": kind, "outcome": outcome}
        return self.metrics.registry.get_sample_value("incidentd_deliveries_total", labels) or 0.0


def create_schema(tx: Tx) -> None:
    """Make the tables without a migration."""
    schema.metadata.create_all(tx.conn)
