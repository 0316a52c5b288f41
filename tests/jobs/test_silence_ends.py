"""How silences end on both databases: by their incident, by people, by time, at their Alertmanager."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from incidentd.config.people import Retention
from incidentd.domain.incident import ActionRefusedError, Refusal
from incidentd.domain.silence import State
from incidentd.jobs.silencer import LOOK_EVERY
from incidentd.store import deliveries, schema
from incidentd.workflows import housekeeping
from incidentd.workflows import silences as workflow
from incidentd.workflows.respond import NotFoundError
from tests.fakes.alertmanager import AlertmanagerFake
from tests.jobs.silencing import HOUR, MINUTE, NOON, Replica, holding, running


@pytest.fixture
async def fake() -> AsyncIterator[AlertmanagerFake]:
    async with AlertmanagerFake() as opened:
        yield opened


@pytest.fixture
async def replica(database_url: str, fake: AlertmanagerFake) -> AsyncIterator[Replica]:
    async with running(database_url, fake) as one:
        yield one


async def test_the_end_of_the_incident_and_a_person_end_it(replica: Replica, fake: AlertmanagerFake) -> None:
    await replica.silence()
    await replica.tick()
    assert (await replica.end()).done.changes
    assert not (await replica.end()).done.changes
    await replica.tick()
    assert (await replica.states(), holding(fake)) == ([State.EXPIRED], [])
    assert await replica.texts("silence_ended") == ["silence at its source has ended by bob"]
    await replica.silence()
    await replica.tick()
    await replica.resolve()
    await replica.tick()
    assert (await replica.states(), holding(fake)) == ([State.EXPIRED, State.EXPIRED], [])
    with pytest.raises(ActionRefusedError, match="is resolved"):
        await replica.silence()


async def test_what_cannot_be_reached_is_tried_again_and_says_so_once(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    fake.broken = (503, b"no")
    await replica.silence()
    for _ in range(4):
        await replica.tick(5 * MINUTE)
    (row,) = await replica.rows()
    assert (row.state, row.attempts, row.last_error) == (State.WANTED, 4, "failed: HTTP 503 no")
    assert len(await replica.texts("silence_delayed")) == 1
    fake.broken = None
    await replica.tick(5 * MINUTE)
    assert (await replica.states(), (await replica.rows())[0].last_error) == ([State.ACTIVE], None)
    fake.broken = (503, b"no")
    await replica.end()
    await replica.tick()
    assert "cannot be ended yet" in (await replica.texts("silence_delayed"))[-1]


async def test_what_is_not_accepted_is_given_up(replica: Replica, fake: AlertmanagerFake) -> None:
    fake.broken = (400, b'"bad matcher"')
    await replica.silence()
    await replica.tick()
    (row,) = await replica.rows()
    assert (row.state, row.last_error) == (State.FAILED, "invalid: HTTP 400 bad matcher")
    assert "failed: invalid: HTTP 400 bad matcher" in (await replica.texts("silence_failed"))[0]
    fake.broken = None
    await replica.silence()
    await replica.tick()
    assert await replica.states() == [State.FAILED, State.ACTIVE]


async def test_one_that_was_never_made_before_its_end_has_failed(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    fake.broken = (503, b"")
    await replica.silence()
    await replica.tick()
    await replica.tick(3 * HOUR)
    assert await replica.states() == [State.FAILED]
    assert await replica.texts("silence_expired") == ["silence was never made at its source"]


async def test_its_end_is_told_once_before_it_comes_and_anew_when_it_was_moved(replica: Replica) -> None:
    await replica.silence()
    await replica.tick()
    await replica.tick(100 * MINUTE)
    assert await replica.texts("silence_ending") == []
    await replica.tick(6 * MINUTE)
    await replica.tick(MINUTE)
    text = "silence of alice at its source ends at 2026-03-01 14:00 UTC, 1 alert(s) still fire"
    assert await replica.texts("silence_ending") == [text]
    told = await replica.store.read(
        lambda tx: deliveries.search(tx, state=None, incident_id=1, channel=None, before=None, limit=9)
    )
    assert text in {each.comment for each in told}
    await replica.silence()
    await replica.tick()
    await replica.tick(110 * MINUTE)
    assert len(await replica.texts("silence_ending")) == 2
    await replica.tick(HOUR)
    assert await replica.states() == [State.EXPIRED]
    assert await replica.texts("silence_expired") == ["silence at its source has run out"]


async def test_what_was_done_to_it_there_is_taken_over(replica: Replica, fake: AlertmanagerFake) -> None:
    await replica.silence(20 * HOUR)
    await replica.tick()
    (there,) = holding(fake)
    there["status"] = {"state": "expired"}
    longer = {**there, "id": "other", "endsAt": (NOON + 30 * HOUR).isoformat()}
    fake.silences["other"] = {**longer, "status": {"state": "active"}}
    await replica.tick(LOOK_EVERY)
    (row,) = await replica.rows()
    assert (row.silence_id, row.ends_at) == ("other", NOON + 30 * HOUR)
    fake.silences["other"]["status"] = {"state": "expired"}
    await replica.tick(LOOK_EVERY)
    assert (await replica.rows())[0].ended_by == "its Alertmanager"
    await replica.silence()
    await replica.tick()
    fake.silences.clear()
    await replica.tick(LOOK_EVERY)
    assert await replica.texts("silence_lost") == [f"silence is gone at {fake.url}: it is made again"]
    await replica.tick()
    assert len(holding(fake)) == 1


async def test_one_that_came_to_be_after_its_end_is_ended_again(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await replica.silence()
    await replica.tick()
    await replica.end()
    await replica.tick()
    next(iter(fake.silences.values()))["status"] = {"state": "active"}
    await replica.tick(LOOK_EVERY)
    await replica.tick()
    assert holding(fake) == []


async def test_one_that_nobody_knows_is_listed_and_ended_by_its_number(
    replica: Replica, fake: AlertmanagerFake
) -> None:
    await replica.silence()
    await replica.tick()
    await replica.store.write(lambda tx: tx.conn.execute(schema.silences.delete()))
    await replica.tick(LOOK_EVERY)
    (found,) = await replica.rows()
    assert (found.found, found.created_by, found.state) == (True, "alice", State.ACTIVE)
    now = replica.clock.now()
    await replica.store.write(lambda tx: workflow.end_one(tx, found.id, "bob", replica.rules, now))
    await replica.tick()
    assert (await replica.states(), holding(fake)) == ([State.EXPIRED], [])
    with pytest.raises(NotFoundError):
        await replica.store.write(lambda tx: workflow.end_one(tx, 99, "bob", replica.rules, now))


async def test_one_whose_alertmanager_is_not_configured_any_more_says_so(replica: Replica) -> None:
    await replica.silence()
    replica.members["main"] = ()
    await replica.tick()
    (row,) = await replica.rows()
    assert row.last_error == "not listed under sources.main.alertmanagers any more"


async def test_what_has_no_alertmanager_or_nothing_to_match_is_refused(replica: Replica) -> None:
    await replica.fires("other", alertname="Down")
    with pytest.raises(ActionRefusedError, match=r"sources\.other\.alertmanagers") as refused:
        await replica.silence(number=2)
    assert refused.value.refusal is Refusal.NO_ALERTMANAGERS
    with pytest.raises(NotFoundError):
        await replica.silence(number=99)


async def test_old_ones_are_forgotten_with_their_incidents(replica: Replica) -> None:
    await replica.silence()
    await replica.tick()
    await replica.resolve()
    await replica.tick()
    retention = Retention()
    await housekeeping.housekeep(replica.store, retention, replica.clock.now() + timedelta(days=399))
    assert len(await replica.rows()) == 1
    await housekeeping.housekeep(replica.store, retention, replica.clock.now() + timedelta(days=401))
    assert await replica.rows() == []
