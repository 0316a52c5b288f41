"""A daemon that makes silences in a fake Alertmanager, and what the tests of it ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from incidentd.channels.http import HttpClient
from incidentd.clock import FixedClock
from incidentd.domain import response
from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.incident import Change
from incidentd.domain.routing import Route
from incidentd.domain.silence import Silence, State
from incidentd.jobs.silencer import Silencer
from incidentd.sources.alertmanager import Alertmanager
from incidentd.store import settings, silences, timeline
from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.workflows import respond
from incidentd.workflows import silences as workflow
from incidentd.workflows.receive import Submission, receive
from incidentd.workflows.rules import Rules
from incidentd.workflows.silences import Asked, Silenced
from tests.audited import WatchedStore
from tests.fakes.alertmanager import AlertmanagerFake, Json

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LABELS = {"alertname": "Down", "service": "api", "severity": "critical"}


@dataclass
class Replica:
    """One daemon's silencer, its Alertmanagers, and what it told."""

    store: Store
    clock: FixedClock
    http: HttpClient
    fakes: tuple[AlertmanagerFake, ...]
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        members = tuple([Alertmanager(self.http, fake.url, {}, self.clock.now) for fake in self.fakes])
        self.rules = Rules(
            Route(notify=("console",)),
            {"console": ("stdout",)},
            alertmanagers={"main": tuple([member.url for member in members])},
        )
        self.members = {"main": members}
        self.silencer = Silencer(
            self.store, self.clock, lambda: self.rules, lambda: self.members, self.changes.extend
        )

    async def fires(self, source: str = "main", **labels: str) -> None:
        """A post tells of an alert."""
        alert = Alert(source, "aa", AlertStatus.FIRING, labels or LABELS, {}, NOON, None)
        post = Submission(source, "r", (alert,))
        await self.store.write(lambda tx: receive(tx, [post], self.rules, self.clock.now()))

    async def silence(self, length: timedelta = 2 * HOUR, number: int = 1) -> Silenced:
        asked, now = Asked(length, "disk swap", "alice", f"id{now_of(self)}"), self.clock.now()
        return await self.store.write(lambda tx: workflow.silence(tx, number, asked, self.rules, now))

    async def end(self) -> Silenced:
        now = self.clock.now()
        return await self.store.write(lambda tx: workflow.end(tx, 1, "bob", "done", self.rules, now))

    async def resolve(self) -> None:
        now = self.clock.now()
        decide = lambda i: response.resolve(i, "alice", "", now, force=True)  # noqa: E731 - as the web does
        await self.store.write(lambda tx: respond.act(tx, 1, decide, self.rules, now))

    async def tick(self, after: timedelta = timedelta(seconds=2)) -> None:
        """Time passes, and what is due is done."""
        self.clock.set(self.clock.now() + after)
        await self.silencer.tick()
        await self.silencer.settle()

    async def rows(self) -> list[Silence]:
        return await self.store.read(lambda tx: silences.of_incident(tx, 1))

    async def states(self) -> list[State]:
        return [each.state for each in await self.rows()]

    async def texts(self, kind: str) -> list[str]:
        entries = await self.store.read(lambda tx: timeline.of_incident(tx, 1, 0, 99))
        return [entry.text for entry in entries if entry.kind == kind]


def now_of(one: Replica) -> int:
    return int(one.clock.now().timestamp())


def holding(fake: AlertmanagerFake) -> list[Json]:
    return [each for each in fake.silences.values() if each["status"]["state"] == "active"]


def posts(fake: AlertmanagerFake) -> int:
    return sum(line.startswith("POST silences") for line in fake.asked)


@asynccontextmanager
async def running(database_url: str, fake: AlertmanagerFake) -> AsyncIterator[Replica]:
    """One daemon on an empty database, in which one alert fires: INC-1."""
    await migrate(database_url)
    store, http = WatchedStore(database_url), HttpClient()
    await store.write(lambda tx: settings.get_or_create(tx, "instance", lambda: "f00d"))
    one = Replica(store, FixedClock(NOON), http, (fake,))
    await one.fires()
    yield one
    await one.silencer.stop(1)
    await http.aclose()
    await store.close()
    assert store.silent == []
