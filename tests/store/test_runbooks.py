"""Runbooks of incidents as they are stored: each text once, steps by number, forgotten with the last incident."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from incidentd.domain.matcher import parse_matcher
from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.domain.runbook_steps import Progress, Standing, StepState
from incidentd.domain.severity import Severity
from incidentd.store import runbooks
from incidentd.store.engine import Store, Tx
from incidentd.store.runbooks import Attachment
from incidentd.store.schema_runbooks import incident_runbooks, runbook_texts

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ACTION = Action(
    Kind.PROMQL,
    Run.AUTO,
    timedelta(seconds=10),
    (Severity.CRITICAL,),
    2,
    stop_on_resolve=True,
    attributes={"query": 'up{a="$b"}', "source": None, "range": "1h"},
)


def book(name: str = "down", text: str = "---\n...") -> Runbook:
    return Runbook(
        name=name,
        title="It is down \u2013 \U0001f525",
        match=(parse_matcher("a=b"),),
        steps=(Step(1, "Look", ACTION), Step(2, "Restart")),
        text=text,
        hash=f"hash of {text}",
        tested=date(2026, 1, 1),
    )


def attached(tx: Tx, *pairs: tuple[int, Runbook], now: datetime = NOW) -> None:
    runbooks.attach(tx, [Attachment(number, each, "only_match: 1 equal") for number, each in pairs], now)


async def texts(store: Store) -> int:
    count = sa.select(sa.func.count()).select_from(runbook_texts)
    return int(await store.read(lambda tx: tx.conn.execute(count).scalar_one()))


async def test_what_is_attached_is_read_back_whole(store: Store) -> None:
    down = book()
    await store.write(lambda tx: attached(tx, (7, down)))
    found = (await store.read(lambda tx: runbooks.of(tx, [7, 8])))[7]
    assert (found.name, found.title, found.hash) == ("down", down.title, down.hash)
    assert (found.reason, found.attached_at) == ("only_match: 1 equal", NOW)
    assert found.steps == down.steps
    assert found.standings == {}
    assert await store.read(lambda tx: runbooks.text_of(tx, found)) == down.text
    assert await store.read(lambda tx: runbooks.of(tx, [])) == {}


async def test_a_text_is_kept_once_and_a_changed_one_beside_it(store: Store) -> None:
    first, second = book(), book(text="changed")
    await store.write(lambda tx: attached(tx, (1, first), (2, first)))
    await store.write(lambda tx: attached(tx, (3, first), (4, second), (5, book("other"))))
    assert await texts(store) == 3
    found = await store.read(lambda tx: runbooks.of(tx, [1, 3, 4, 5]))
    assert [(found[i].name, found[i].hash) for i in (1, 3, 4, 5)] == [
        ("down", first.hash),
        ("down", first.hash),
        ("down", second.hash),
        ("other", first.hash),
    ]


async def test_a_step_is_moved_again_and_again_and_belongs_to_its_incident(store: Store) -> None:
    done = Standing(2, StepState.DONE, "alice", NOW, "two pods")
    skipped = Standing(2, StepState.SKIPPED, "bob", NOW + DAY, "")
    await store.write(lambda tx: attached(tx, (1, book()), (2, book())))
    await store.write(lambda tx: runbooks.put(tx, 1, done))
    assert (await store.read(lambda tx: runbooks.of(tx, [1])))[1].standing(2) == done
    await store.write(lambda tx: runbooks.put(tx, 1, skipped))
    found = await store.read(lambda tx: runbooks.of(tx, [1, 2]))
    assert found[1].standings == {2: skipped}
    assert found[2].standings == {}


async def test_a_text_is_forgotten_when_no_incident_has_it_any_more_and_not_before(store: Store) -> None:
    await store.write(lambda tx: attached(tx, (1, book()), (2, book(text="other"))))
    await store.write(
        lambda tx: tx.conn.execute(sa.delete(incident_runbooks).where(sa.text("incident_id = 1")))
    )
    assert await store.write(lambda tx: runbooks.delete_unused(tx, NOW, 10)) == 0
    assert await store.write(lambda tx: runbooks.delete_unused(tx, NOW + DAY, 10)) == 1
    assert await store.write(lambda tx: runbooks.delete_unused(tx, NOW + DAY, 10)) == 0
    assert list(await store.read(lambda tx: runbooks.of(tx, [1, 2]))) == [2]


def _attach(number: int, tx: Tx) -> None:
    attached(tx, (number, book()))


def _attached_to(number: int, tx: Tx) -> Mapping[int, Progress]:
    return runbooks.of(tx, [number, number + 100])


async def test_forgetting_and_attaching_at_once_never_leaves_a_runbook_without_its_text(store: Store) -> None:
    for round_ in range(20):
        await store.write(lambda tx: tx.conn.execute(sa.delete(incident_runbooks)))
        await asyncio.gather(
            store.write(lambda tx: runbooks.delete_unused(tx, NOW + DAY, 10)),
            store.write(partial(_attach, round_)),
            store.write(partial(_attach, round_ + 100)),
            store.write(lambda tx: runbooks.delete_unused(tx, NOW + DAY, 10)),
        )
        found = await store.read(partial(_attached_to, round_))
        assert len(found) == 2
