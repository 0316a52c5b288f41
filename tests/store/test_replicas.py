"""Several daemons on one PostgreSQL: whoever is second sees what the first has written."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from incidentd.domain.deployment import Deployment, DeploymentStatus
from incidentd.domain.incident import Entry, State
from incidentd.store import incidents, schema, settings, timeline
from incidentd.store.engine import Store, Tx
from incidentd.store.incidents import Search
from incidentd.workflows import deployments, respond
from incidentd.workflows.receive import Reception, receive
from tests.store.samples import MINUTE, NOW, RULES, alert, post

POSTS = 50


@pytest.fixture
async def replicas(pg_store: Store) -> AsyncIterator[tuple[Store, Store]]:
    other = Store(pg_store.url.render_as_string(hide_password=False))
    yield pg_store, other
    await other.close()


def numbers(tx: Tx) -> dict[str, int]:
    return {
        table.name: int(tx.conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
        for table in (schema.alerts, schema.occurrences, schema.incidents, schema.deliveries, schema.timeline)
    }


async def test_fifty_posts_of_one_alert_at_once_are_one_incident_and_one_page(
    replicas: tuple[Store, Store],
) -> None:
    def take(tx: Tx) -> Reception:
        return receive(tx, [post(alert())], RULES, NOW)

    receptions = await asyncio.gather(*[replicas[n % 2].write(take) for n in range(POSTS)])
    assert len({r.receipts[0].incidents for r in receptions if r.receipts[0].incidents}) == 1
    assert await replicas[0].read(numbers) == {
        "alerts": 1, "occurrences": 1, "incidents": 1, "deliveries": 1, "timeline": 1,
    }  # fmt: skip


async def test_posts_of_many_groups_in_any_order_do_not_block_each_other(
    replicas: tuple[Store, Store],
) -> None:
    everything = [alert(n) for n in range(1, 41)]

    async def send(number: int) -> None:
        mine = everything[number:] + everything[:number]
        await replicas[number % 2].write(lambda tx: receive(tx, [post(*mine)], RULES, NOW))

    await asyncio.gather(*[send(number) for number in range(0, 40, 4)])
    assert (await replicas[0].read(numbers))["incidents"] == 40
    assert (await replicas[0].read(numbers))["deliveries"] == 40


async def test_an_incident_and_a_deployment_at_once_find_each_other(replicas: tuple[Store, Store]) -> None:
    async def opens(number: int) -> None:
        down = alert(number)
        down = replace(down, labels={**down.labels, "service": f"s{number}"})
        await replicas[0].write(lambda tx: receive(tx, [post(down)], RULES, NOW))

    async def ends(number: int) -> None:
        done = DeploymentStatus.SUCCESS
        shop = Deployment("ci", f"{number}", f"s{number}", "prod", "1", done, None, NOW - MINUTE, NOW)
        await replicas[1].write(lambda tx: deployments.take(tx, shop, (), RULES, "ci", NOW))

    await asyncio.gather(*[work(number) for number in range(20) for work in (opens, ends)])
    noted = sa.select(schema.timeline.c.incident_id).where(schema.timeline.c.kind == "deployment")
    found = await replicas[0].read(lambda tx: sorted(tx.conn.execute(noted).scalars()))
    assert found == list(range(1, 21))


async def test_a_note_and_an_end_at_once_both_count(replicas: tuple[Store, Store]) -> None:
    for number in range(1, 11):
        await replicas[0].write(lambda tx, n=number: receive(tx, [post(alert(n))], RULES, NOW))  # type: ignore[misc]
    found = await replicas[0].read(lambda tx: incidents.search(tx, Search()))

    async def note(number: int) -> None:
        await replicas[0].write(lambda tx: respond.note(tx, number, "alice", "looking", RULES, NOW))

    async def end(number: int) -> None:
        ended = alert(number, firing=False)
        await replicas[1].write(lambda tx: receive(tx, [post(ended)], RULES, NOW + MINUTE))

    await asyncio.gather(*[note(i.id) for i in found], *[end(n) for n in range(1, 11)])
    after = await replicas[0].read(lambda tx: incidents.search(tx, Search()))
    assert {i.state for i in after} == {State.RESOLVED}
    for each in after:
        lines = await replicas[0].read(lambda tx, e=each: timeline.of_incident(tx, e.id, 0, 99))  # type: ignore[misc]
        assert [line.seq for line in lines] == list(range(1, each.last_seq + 1))
        assert {line.kind for line in lines} >= {"triggered", "note", "resolved"}


async def test_a_setting_that_two_make_at_once_is_one(replicas: tuple[Store, Store]) -> None:
    values = await asyncio.gather(
        *[
            replicas[n % 2].write(lambda tx, n=n: settings.get_or_create(tx, "id", lambda: f"value {n}"))  # type: ignore[misc]
            for n in range(12)
        ]
    )
    assert len(set(values)) == 1


async def test_a_reader_that_follows_the_timeline_misses_nothing(replicas: tuple[Store, Store]) -> None:
    """Numbers become visible in their order, though several write at once."""
    seen: list[int] = []
    writing = asyncio.gather(
        *[
            replicas[n % 2].write(
                lambda tx, n=n: timeline.append(tx, [(n, 1, NOW, Entry("note", "alice", ""))])  # type: ignore[misc]
            )
            for n in range(60)
        ]
    )

    def follow(tx: Tx) -> list[int]:
        return [entry.id for entry in timeline.after(tx, seen[-1] if seen else 0, 5)]

    while not writing.done():
        seen += await replicas[0].read(follow)
    await writing
    while fresh := await replicas[0].read(follow):
        seen += fresh
    assert len(seen) == 60


async def test_a_body_of_ten_thousand_alerts_is_one_transaction(pg_store: Store) -> None:
    """More values than a statement may have parameters, and more groups than the server may hold locks."""
    body = post(*[alert(n) for n in range(10_000)])
    first = await pg_store.write(lambda tx: receive(tx, [body], RULES, NOW))
    again = await pg_store.write(lambda tx: receive(tx, [body], RULES, NOW + MINUTE))
    assert len(first.receipts[0].incidents) == 10_000
    assert again.changes == ()
    assert (await pg_store.read(numbers))["deliveries"] == 10_000
