"""Silences against a fake Alertmanager on both databases: asked for, moved, lost answers, replicas, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from incidentd.domain.silence import State
from incidentd.store import silences
from tests.fakes.alertmanager import AlertmanagerFake
from tests.jobs.silencing import HOUR, NOON, Replica, holding, posts, running


@pytest.fixture
async def fake() -> AsyncIterator[AlertmanagerFake]:
    async with AlertmanagerFake() as opened:
        yield opened


@pytest.fixture
async def replica(database_url: str, fake: AlertmanagerFake) -> AsyncIterator[Replica]:
    async with running(database_url, fake) as one:
        yield one


async def test_what_is_asked_for_is_written_first_and_made_then(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    made = await replica.silence()
    assert [each.state for each in made.silences] == [State.WANTED]
    assert fake.silences == {}
    await replica.tick()
    (row,), (there,) = await replica.rows(), holding(fake)
    assert (row.state, row.silence_id, row.next_attempt_at) == (State.ACTIVE, there["id"], None)
    assert there["comment"].startswith("disk swap [incidentd f00d INC-1 #id")
    assert (there["createdBy"], datetime.fromisoformat(there["endsAt"])) == ("alice", NOON + 2 * HOUR)
    assert [(m["name"], m["value"]) for m in there["matchers"]] == [
        ("alertname", "Down"),
        ("cluster", ""),
        ("service", "api"),
    ]
    assert "active on 1 of 1 Alertmanager" in (await replica.texts("silence_active"))[0]
    assert await replica.texts("silence_requested") == [
        "to be silenced at its source by alice until 2026-03-01 14:00 UTC: disk swap"
    ]


async def test_asking_again_moves_the_end_of_the_one_silence(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await replica.silence()
    await replica.tick()
    same = await replica.silence()
    assert (same.done.changes, len(same.silences)) == ((), 1)
    await replica.silence(4 * HOUR)
    await replica.tick()
    (there,) = fake.silences.values()
    assert datetime.fromisoformat(there["endsAt"]) > NOON + 4 * HOUR
    await replica.silence(HOUR)
    await replica.tick()
    (there,) = fake.silences.values()
    assert datetime.fromisoformat(there["endsAt"]) < NOON + 2 * HOUR
    assert (len(await replica.texts("silence_extended")), posts(fake)) == (2, 3)


async def test_a_lost_answer_makes_no_second_one(replica: Replica, fake: AlertmanagerFake) -> None:
    await replica.silence()
    now = replica.clock.now()
    (claimed,) = await replica.store.write(lambda tx: silences.claim(tx, now, ()))
    await replica.silencer._answered(claimed)
    assert (posts(fake), (await replica.rows())[0].silence_id) == (1, None)
    if replica.store.postgresql:
        # Another may have the lease: nobody else talks about it until that has run out.
        await replica.tick()
        assert await replica.states() == [State.WANTED]
        await replica.tick(silences.LEASE)
    await replica.tick()
    assert (posts(fake), await replica.states()) == (1, [State.ACTIVE])
    assert (await replica.rows())[0].silence_id == holding(fake)[0]["id"]


async def test_two_replicas_ask_for_it_once(replica: Replica, fake: AlertmanagerFake) -> None:
    other = replace(replica)
    await replica.silence()
    await asyncio.gather(replica.tick(), other.tick(timedelta()))
    await replica.silencer.settle()
    assert (posts(fake), await replica.states()) == (1, [State.ACTIVE])


async def test_what_people_do_meanwhile_is_not_overwritten_and_the_id_is_kept(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await replica.silence()
    now = replica.clock.now()
    (claimed,) = await replica.store.write(lambda tx: silences.claim(tx, now, ()))
    after = await replica.silencer._answered(claimed)
    await replica.resolve()
    assert await replica.store.write(lambda tx: silences.settle(tx, claimed, after, now)) is None
    (row,) = await replica.rows()
    assert (row.state, row.silence_id) == (State.EXPIRING, holding(fake)[0]["id"])
    assert await replica.store.write(lambda tx: silences.settle(tx, claimed, after, now)) is None
    await replica.tick()
    assert (await replica.states(), holding(fake)) == ([State.EXPIRED], [])
