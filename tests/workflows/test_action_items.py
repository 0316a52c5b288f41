"""Action items as they are kept: open ones outlive their incident, closed ones are forgotten in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from incidentd.config.people import Retention
from incidentd.domain.action_item import ActionItem, Edit, ItemMove, ItemState
from incidentd.store import action_items, audit
from incidentd.store.engine import Store
from incidentd.store.migrate import migrate
from incidentd.workflows import action_items as workflow
from incidentd.workflows.housekeeping import housekeep
from incidentd.workflows.receive import receive
from incidentd.workflows.respond import NotFoundError
from tests.store.samples import DAY, NOW, RULES, alert, post

KEPT = Retention(incidents=100 * DAY)
ITEM = ActionItem(0, 1, "Alert on 5xx", "alice", date(2026, 12, 24), ItemState.OPEN, "bob", NOW)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """One with an incident that is over, and two items of it."""
    await migrate(database_url)
    store = Store(database_url)
    await store.write(lambda tx: receive(tx, [post(alert(1, starts_at=NOW))], RULES, NOW))
    over = post(alert(1, starts_at=NOW, firing=False))
    await store.write(lambda tx: receive(tx, [over], RULES, NOW + timedelta(minutes=1)))
    for _ in range(2):
        await store.write(lambda tx: workflow.add(tx, ITEM, RULES, NOW))
    yield store
    await store.close()


async def numbers(store: Store) -> list[int]:
    return [item.id for item in await store.read(lambda tx: action_items.search(tx, action_items.Search()))]


async def test_an_open_item_outlives_its_incident_and_can_still_be_done(store: Store) -> None:
    late = NOW + 200 * DAY
    await store.write(lambda tx: workflow.move(tx, 1, ItemMove.DO, "", "bob", RULES, NOW))
    assert (await housekeep(store, KEPT, late)).incidents == 1
    assert await numbers(store) == [2]
    done = await store.write(lambda tx: workflow.move(tx, 2, ItemMove.DO, "at last", "bob", RULES, late))
    assert (done.item.state, done.changes) == (ItemState.DONE, ())
    noted = await store.read(lambda tx: audit.after(tx, 0, 500))
    assert b'"action.done"' in noted[-1].entry
    await housekeep(store, KEPT, late + 101 * DAY)
    assert await numbers(store) == []


async def test_what_changes_nothing_writes_nothing(store: Store) -> None:
    before = len(await store.read(lambda tx: audit.after(tx, 0, 500)))
    same = Edit(title=ITEM.title, due=ITEM.due)
    assert (await store.write(lambda tx: workflow.edit(tx, 1, same, "bob", RULES, NOW))).changes == ()
    opened = await store.write(lambda tx: workflow.move(tx, 1, ItemMove.REOPEN, "", "bob", RULES, NOW))
    assert opened.changes == ()
    assert len(await store.read(lambda tx: audit.after(tx, 0, 500))) == before


async def test_what_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no action item 7"):
        await store.write(lambda tx: workflow.move(tx, 7, ItemMove.DO, "", "bob", RULES, NOW))
