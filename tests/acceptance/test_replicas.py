"""Several daemons on one PostgreSQL: no leader, nothing done twice, and each does the work of one that died."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest

from incidentd.audit.keys import PublicKey
from incidentd.audit.verify import verify
from incidentd.clock import FixedClock
from incidentd.store.codec import micros
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.harness import ALICE, INGEST, Vendors, World, configuration, vendors, write
from tests.acceptance.ledger import Ledger, check, read_postgresql
from tests.acceptance.load import Load
from tests.acceptance.process import Process, client_of, running
from tests.acceptance.waiting import until
from tests.fakes.http import Answer


@dataclass
class Cluster:
    """The vendors and one configuration for every replica."""

    vendors: Vendors
    file: Path
    url: str

    @asynccontextmanager
    async def two(self) -> AsyncIterator[tuple[Process, Process]]:
        """Two replicas that start at the same moment on an empty database."""
        both = Process(self.file, "first"), Process(self.file, "second")
        try:
            async with asyncio.TaskGroup() as group:
                for each in both:
                    group.create_task(each.start())
            yield both
        finally:
            for each in both:
                await each.cleanup()

    @asynccontextmanager
    async def clients(self, *replicas: Process) -> AsyncIterator[list[Client]]:
        """A client of each."""
        clients = [Client(replica.url, ALICE) for replica in replicas]
        try:
            yield clients
        finally:
            for client in clients:
                await client.close()


@pytest.fixture
async def cluster(tmp_path: Path, pg_url: str) -> AsyncIterator[Cluster]:
    async with vendors() as told:
        config = configuration(pg_url, told, route={"notify": ["pager", "hook"]})
        yield Cluster(told, write(tmp_path / "incidentd.yaml", config), pg_url)


async def test_the_same_posts_to_both_at_once_are_one_incident_and_one_page_each(cluster: Cluster) -> None:
    now = datetime.now(UTC)
    firing = [alert(f"Both{n // 2:03}", now, instance=f"web-{n % 2}") for n in range(100)]
    resolved = [{**one, "status": "resolved", "endsAt": datetime.now(UTC).isoformat()} for one in firing]
    async with cluster.two() as both, cluster.clients(*both) as clients:
        for alerts, state in ((firing, "triggered"), (resolved, "resolved")):
            answers = await asyncio.gather(
                *[client.post(webhook(one)) for one in alerts for client in clients]
            )
            assert Counter(answer.status for answer in answers) == {200: 200}
            for client in clients:
                incidents = await client.incidents(state=state)
                assert len(incidents) == 50
                assert {incident["alerts_total"] for incident in incidents} == {2}
            # The news that the groups grew waits a while, and is outdated by their end.
            await until(lambda: pages_are_sent(clients[0]), "every page to leave")
        await until(clients[0].nothing_waits, "everything to be told")
        assert {row["attempts"] for row in await clients[0].deliveries()} <= {0, 1}
        await one_log(*clients)
    pages = Counter(cluster.vendors.pages())
    assert set(pages.values()) == {1}
    assert Counter(action for action, _ in pages) == {"trigger": 50, "resolve": 50}
    assert cluster.vendors.violations == []


async def one_log(one: Client, other: Client) -> None:
    """Both have introduced one key, made each secret once, and written one chain."""
    entries = await other.all("/api/v1/audit")
    said = Counter(entry["action"] for entry in entries)
    assert (said["audit.key"], said["daemon.started"]) == (1, 2)
    assert set(Counter(e["object"] for e in entries if e["action"] == "secret.generated").values()) == {1}
    bundle = (await one.call("GET", (await one.act("audit/exports"))["url"])).text.encode()
    [key] = (await one.get("/api/v1/audit/keys"))["items"]
    pinned = PublicKey.of_pem(key["public_key"].encode())
    assert verify(io.BytesIO(bundle), [pinned]).unvouched == ()


async def pages_are_sent(client: Client) -> bool:
    """True if nobody waits for a page."""
    rows = await client.deliveries()
    return all(row["state"] == "sent" for row in rows if row["class"] == "page")


async def test_an_acknowledgement_on_one_is_seen_on_the_other(cluster: Cluster) -> None:
    async with cluster.two() as both, cluster.clients(*both) as (one, other):
        await one.post(webhook(alert("Shared", datetime.now(UTC))))
        await until(one.nothing_waits, "the page to leave")
        await one.act("incidents/1/acknowledge")
        assert (await other.incident(1))["acknowledged_by"] == "alice"
        # Done already: the other repeats it and nothing changes.
        await other.act("incidents/1/acknowledge")
        assert [entry["kind"] for entry in await other.timeline(1)] == [
            entry["kind"] for entry in await one.timeline(1)
        ]
        await until(other.nothing_waits, "everything to be told")
    assert [action for action, _ in cluster.vendors.pages()] == ["trigger", "acknowledge"]


async def test_the_event_stream_of_one_tells_what_the_other_did(cluster: Cluster) -> None:
    async with cluster.two() as both, cluster.clients(*both) as (one, other):
        seen: list[dict[str, object]] = []
        opened = asyncio.Event()
        task = asyncio.create_task(one.events(seen, opened))
        await opened.wait()
        await other.post(webhook(alert("Shared", datetime.now(UTC))))
        await until(lambda: bool(seen), "an event")
        assert seen[0]["kind"] == "triggered"
        task.cancel()
        await asyncio.wait({task})


async def test_what_a_killed_replica_was_sending_is_sent_by_another_after_the_lease(cluster: Cluster) -> None:
    pager = cluster.vendors.pager
    pager.script([Answer(hang=True)])
    async with running(cluster.file, "first") as first:
        async with client_of(first, ALICE) as client:
            await client.post(webhook(alert("Orphan", datetime.now(UTC))))
            await pager.wait_for(1)
        await first.kill9()
    clock = FixedClock(datetime.now(UTC))
    second = World(cluster.file, clock, cluster.vendors)
    await second.start()
    try:
        [page] = [row for row in await second.client.deliveries() if row["channel"] == "pager"]
        assert (page["state"], page["attempts"]) == ("leased", 1)
        assert len(pager.requests) == 1, "the lease still holds: nobody else sends"
        [lease] = [row for row in (await read_postgresql(cluster.url)).deliveries if row["id"] == page["id"]]

        def sent_again() -> bool:
            # In steps: the replica may be looking just now, and looks again some seconds of its own clock later.
            clock.set(clock.now() + timedelta(seconds=1))
            return len(pager.requests) > 1

        await until(sent_again, "the other replica to send it")
        assert micros(clock.now()) > lease["lease_until"]
        await second.settle()
        [page] = [row for row in await second.client.deliveries() if row["channel"] == "pager"]
        assert (page["state"], page["attempts"]) == ("sent", 2)
    finally:
        await second.stop()
    assert len(pager.requests) == 2
    assert pager.requests[0].body == pager.requests[1].body, "the same event, with the same key"


async def test_a_replica_dies_under_load_and_the_others_miss_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with cluster.two() as (one, other), cluster.clients(other) as (client,):
        places = cycle((one, other))
        load = Load(Ledger(tmp_path / "ledger.jsonl"), lambda: next(places).url, INGEST, pause=0.03)
        load.start(8)
        try:
            await load.wait_taken(60)
            await one.kill9()
            leased = (await read_postgresql(cluster.url)).leased
            await load.wait_taken(60)
            await load.stop()
        finally:
            await load.close()
        await until(client.nothing_waits, "the leases of the dead to be taken over", 35)
        repeated = check(load.ledger, await read_postgresql(cluster.url), cluster.vendors)
        assert repeated <= leased
