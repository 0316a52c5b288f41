"""Action items: what can be done to one, when it is late, what the timeline says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from incidentd.domain.action_item import ActionItem, Edit, ItemMove, ItemState, edited, entry_of, moved

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ITEM = ActionItem(3, 12, "Alert on 5xx", "alice", date(2026, 11, 21), ItemState.OPEN, "bob", NOON)


@pytest.mark.parametrize("state", list(ItemState))
@pytest.mark.parametrize("move", list(ItemMove))
def test_every_move_leads_to_its_state_and_says_who_closed_it(state: ItemState, move: ItemMove) -> None:
    wanted = {"done": ItemState.DONE, "dropped": ItemState.DROPPED, "reopened": ItemState.OPEN}[move.value]
    before = replace(ITEM, state=state)
    after = moved(before, move, "carol", "so", NOON + timedelta(hours=1))
    assert after.state is wanted
    if state is wanted:
        assert after is before
    else:
        closed = wanted is not ItemState.OPEN
        assert (after.closed_by, after.closed_at is not None, after.comment) == (
            "carol" if closed else None,
            closed,
            "so",
        )


def test_a_clock_that_was_set_back_closes_nothing_before_it_was_made() -> None:
    assert moved(ITEM, ItemMove.DO, "carol", "", NOON - timedelta(days=1)).closed_at == NOON


def test_it_is_late_when_its_day_is_over_in_utc() -> None:
    assert not ITEM.overdue(datetime(2026, 11, 21, 23, 59, tzinfo=UTC))
    assert ITEM.overdue(datetime(2026, 11, 22, 0, 0, tzinfo=UTC))
    assert not ITEM.overdue(datetime(2026, 11, 22, 0, 30, tzinfo=timezone(timedelta(hours=1))))
    later = NOON + timedelta(days=9)
    assert not replace(ITEM, due=None).overdue(later)
    assert not replace(ITEM, state=ItemState.DONE).overdue(later)


def test_an_edit_changes_what_it_names() -> None:
    assert edited(ITEM, Edit()) == ITEM
    assert edited(ITEM, Edit(title="x", owner="", due=date(2027, 1, 1))) == replace(
        ITEM, title="x", owner="", due=date(2027, 1, 1)
    )
    assert edited(ITEM, Edit(no_due=True)).due is None


def test_the_timeline_says_what_by_whom_and_until_when() -> None:
    assert entry_of(ITEM, "added", "bob").text == "action 3 added: Alert on 5xx, alice, due 2026-11-21"
    bare = replace(ITEM, owner="", due=None, comment="PR 7")
    entry = entry_of(bare, "done", "bob")
    assert (entry.kind, entry.text) == ("action_done", "action 3 done: Alert on 5xx, nobody's yet: PR 7")
    assert entry.data == {"action": 3, "state": "open", "owner": "", "due": None}
