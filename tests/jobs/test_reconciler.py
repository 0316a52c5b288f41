"""Rounds against a fake Alertmanager on both databases: restarts, replicas, and answers that decide nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidentd.channels.http import HttpClient
from incidentd.clock import FixedClock
from incidentd.domain.alert import Alert, AlertStatus
from incidentd.domain.incident import Change, Incident, State
from incidentd.domain.matcher import parse_matcher
from incidentd.domain.reconcile import Policy
from incidentd.domain.routing import Route
from incidentd.jobs.reconciler import Reconciler
from incidentd.metrics import Metrics
from incidentd.sources.alertmanager import Alertmanager
from incidentd.store import incidents, timeline
from incidentd.store import reconcile as rows
from incidentd.store.engine import Store
from incidentd.store.incidents import Search
from incidentd.store.migrate import migrate
from incidentd.workflows.receive import Receipt, Submission, receive
from incidentd.workflows.reconcile import Heard
from incidentd.workflows.rules import Rules
from tests.audited import WatchedStore
from tests.fakes.alertmanager import AlertmanagerFake, alert

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy(rounds=2, group_interval=timedelta(), receiver=None)
RULES = Rules(
    Route(notify=("console",)),
    {"console": ("stdout",)},
    heartbeats={"main": ((parse_matcher('alertname="Watchdog"'),),)},
    reconcile={"main": POLICY},
)


@dataclass
class Replica:
    """One daemon's reconciler, and what it counted."""

    store: Store
    clock: FixedClock
    member: Alertmanager
    rules: Rules = RULES

    def __post_init__(self) -> None:
        self.metrics, self.changes, self.heard = Metrics(), list[Change](), Heard()
        self.heard.note("main", "incidentd")
        self.reconciler = Reconciler(
            self.store,
            self.clock,
            lambda: self.rules,
            lambda: {"main": (self.member,)},
            self,
            self.changes.extend,
            self.metrics,
            self.heard,
        )

    async def submit(self, submission: Submission) -> Receipt:
        rules, now = self.rules, self.clock.now()
        reception = await self.store.write(lambda tx: receive(tx, [submission], rules, now))
        return reception.receipts[0]

    async def round(self, number: int = 1) -> None:
        """So many rounds, a minute apart."""
        for _ in range(number):
            self.clock.set(self.clock.now() + MINUTE)
            await self.reconciler.round("main")

    def count(self, name: str, **labels: str) -> float:
        sample = self.metrics.registry.get_sample_value(f"incidentd_reconcile_{name}_total", labels)
        return sample or 0

    def failures(self, reason: str) -> float:
        return self.count("failures", source="main", reason=reason)

    def drift(self, kind: str) -> float:
        return self.count("drift", source="main", kind=kind)

    async def incidents(self) -> list[Incident]:
        return await self.store.read(lambda tx: incidents.search(tx, Search()))

    async def texts(self, number: int) -> list[str]:
        entries = await self.store.read(lambda tx: timeline.of_incident(tx, number, 0, 50))
        return [entry.text for entry in entries]


@pytest.fixture
async def fake() -> AsyncIterator[AlertmanagerFake]:
    async with AlertmanagerFake() as opened:
        yield opened


@pytest.fixture
async def replica(database_url: str, fake: AlertmanagerFake) -> AsyncIterator[Replica]:
    await migrate(database_url)
    store, http, clock = WatchedStore(database_url), HttpClient(), FixedClock(NOON)
    yield Replica(store, clock, Alertmanager(http, fake.url, {}, clock.now))
    await http.aclose()
    await store.close()
    assert store.silent == []


def again(one: Replica, **changes: Any) -> Replica:
    """Another daemon on the same database, or the same after a restart."""
    return replace(one, **changes)


async def fires(one: Replica, name: str, fingerprint: str) -> None:
    """A post tells of an alert."""
    raw = alert(name, fingerprint)
    told = Alert("main", fingerprint, AlertStatus.FIRING, raw["labels"], raw["annotations"], NOON, None)
    await one.submit(Submission("main", "r", (told,)))


async def test_what_is_gone_is_resolved_by_reconcile_as_of_when_it_was_there(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await fires(replica, "Down", "aa")
    fake.alerts = [alert("Down", "aa")]
    await replica.round(3)
    last = replica.clock.now()
    fake.alerts = []
    await replica.round()
    assert (await replica.incidents())[0].open
    await replica.round()
    (incident,) = await replica.incidents()
    assert (incident.state, incident.resolved_by, incident.ended_at) == (State.RESOLVED, "reconcile", last)
    assert incident.resolved_at == replica.clock.now()
    assert (await replica.texts(1))[-1].startswith("resolved: gone from the Alertmanager of main in 2 rounds")
    assert [change.entry.actor for change in replica.changes if change.entry] == ["reconcile"]
    await replica.round(2)
    assert replica.drift("never_resolved") == 1


async def test_what_never_came_is_opened_once_by_the_rules_of_intake(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    fake.alerts = [alert("Down", "aa"), alert("Other", "bb", receivers=("else",)), alert("Watchdog", "cc")]
    await replica.round()
    assert await replica.incidents() == []
    await replica.round(3)
    (incident,) = await replica.incidents()
    assert (incident.title, incident.open) == ("Down is broken", True)
    assert "never delivered by webhook, found by reconciling" in await replica.texts(1)
    assert replica.drift("never_delivered") == 1


async def test_nothing_is_opened_while_it_is_unknown_which_receiver_posts_here(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    deaf = again(replica)
    deaf.heard.fresh("main")
    fake.alerts = [alert("Down", "aa")]
    await deaf.round(4)
    assert await deaf.incidents() == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ((503, b""), "failed"),
        ((200, b""), "bad_answer"),
        ((401, b"no"), "refused"),
        ((200, b"null"), "bad_answer"),
    ],
)
async def test_an_answer_that_is_none_decides_nothing_and_begins_the_count_anew(
    replica: Replica, fake: AlertmanagerFake, broken: tuple[int, bytes], reason: str
) -> None:
    await fires(replica, "Down", "aa")
    fake.alerts = [alert("Down", "aa")]
    await replica.round()
    fake.alerts = []
    for _ in range(3):
        await replica.round()
        fake.broken = broken
        await replica.round(2)
        fake.broken = None
    assert (await replica.incidents())[0].open
    assert replica.failures(reason) == 6


async def test_a_member_that_was_just_restarted_or_settles_decides_nothing(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await fires(replica, "Down", "aa")
    fake.up = 4 * MINUTE
    await replica.round(3)
    fake.up, fake.cluster = 6 * MINUTE, "settling"
    await replica.round(3)
    assert (replica.failures("restarted"), replica.failures("settling")) == (3, 3)
    assert (await replica.incidents())[0].open


async def test_without_the_watchdog_that_was_there_nothing_ends(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await fires(replica, "Down", "aa")
    fake.alerts = [alert("Down", "aa"), alert("Watchdog", "cc")]
    await replica.round()
    fake.alerts = []
    await replica.round(5)
    assert replica.failures("heartbeat_gone") == 5
    assert (await replica.incidents())[0].open


async def test_a_restart_keeps_the_count_and_a_long_pause_does_not(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await fires(replica, "Down", "aa")
    fake.alerts = [alert("Down", "aa")]
    await replica.round()
    fake.alerts = []
    await replica.round()
    replica.clock.set(replica.clock.now() + 10 * MINUTE)
    late = again(replica)
    await late.round()
    assert (await late.incidents())[0].open
    await again(late).round()
    assert (await late.incidents())[0].resolved_by == "reconcile"


async def test_of_two_replicas_one_takes_each_round(replica: Replica, fake: AlertmanagerFake) -> None:
    fake.alerts = [alert("Down", "aa")]
    other = again(replica)
    for _ in range(4):
        replica.clock.set(replica.clock.now() + MINUTE)
        await asyncio.gather(replica.reconciler.round("main"), other.reconciler.round("main"))
    assert len([each for each in fake.asked if each == "GET alerts"]) == 4
    assert len(await replica.incidents()) == 1
    assert replica.drift("never_delivered") + other.drift("never_delivered") == 1


async def test_a_round_that_was_overtaken_changes_nothing(replica: Replica, fake: AlertmanagerFake) -> None:
    store, every = replica.store, POLICY.every
    first = await store.write(lambda tx: rows.claim(tx, "main", every, NOON))
    assert await store.write(lambda tx: rows.claim(tx, "main", every, NOON + MINUTE / 2)) is None
    second = await store.write(lambda tx: rows.claim(tx, "main", every, NOON + MINUTE))
    assert first is not None
    assert second is not None
    assert not await store.write(lambda tx: rows.held(tx, "main", first.generation))
    assert await store.write(lambda tx: rows.held(tx, "main", second.generation))
    # A clock that was set back by a day must not mean a day without rounds.
    assert await store.write(lambda tx: rows.claim(tx, "main", every, NOON - timedelta(days=1))) is not None


async def test_a_post_in_between_keeps_an_alert_alive(replica: Replica, fake: AlertmanagerFake) -> None:
    await fires(replica, "Down", "aa")
    fake.alerts = [alert("Down", "aa")]
    await replica.round()
    fake.alerts = []
    for _ in range(4):
        await replica.round()
        await fires(replica, "Down", "aa")
    assert (await replica.incidents())[0].open


async def test_silences_are_shown_with_their_owner_and_forgotten_with_their_source(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await fires(replica, "Down", "aa")
    quiet = alert("Down", "aa", state="suppressed")
    quiet["status"]["silencedBy"] = ["s1"]
    fake.alerts = [quiet]
    fake.silences["s1"] = {
        "id": "s1", "status": {"state": "active"}, "createdBy": "alice", "comment": "swap", "matchers": [],
        "startsAt": "2026-03-01T12:00:00Z", "endsAt": "2026-03-01T14:00:00Z",
    }  # fmt: skip
    await replica.round(2)
    view = (await replica.store.read(lambda tx: rows.at_source(tx, [1])))[1]
    assert (view.silenced_by[0].created_by, view.silenced_by[0].ends_at) == (
        "alice",
        NOON + timedelta(hours=2),
    )
    texts = await replica.texts(1)
    assert texts.count("silenced at its source by alice until 2026-03-01 14:00 UTC: swap") == 1
    await again(replica, rules=replace(RULES, reconcile={})).reconciler.tick()
    assert await replica.store.read(lambda tx: (rows.rounds(tx), rows.at_source(tx, [1]))) == ({}, {})


async def test_a_tick_begins_a_round_and_stopping_ends_it(replica: Replica, fake: AlertmanagerFake) -> None:
    await replica.reconciler.tick()
    await replica.reconciler.stop()
    await replica.reconciler.tick()
    assert len([each for each in fake.asked if each == "GET alerts"]) <= 1
