"""Action items: what has to be done so that an incident does not come again, by whom and until when."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from incidentd.domain.incident import Entry


class ItemState(enum.StrEnum):
    """Where an action item stands; a closed set."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"
    """Somebody decided that it is not done."""


class ItemMove(enum.StrEnum):
    """What can move an action item from one state to another."""

    DO = "done"
    DROP = "dropped"
    REOPEN = "reopened"


MOVES: Mapping[tuple[ItemState, ItemMove], ItemState] = {
    (ItemState.OPEN, ItemMove.DO): ItemState.DONE,
    (ItemState.OPEN, ItemMove.DROP): ItemState.DROPPED,
    (ItemState.DROPPED, ItemMove.DO): ItemState.DONE,
    (ItemState.DONE, ItemMove.DROP): ItemState.DROPPED,
    (ItemState.DONE, ItemMove.REOPEN): ItemState.OPEN,
    (ItemState.DROPPED, ItemMove.REOPEN): ItemState.OPEN,
}
"""Every legal step. What is missing leads to where the item stands already, and changes nothing."""


@dataclass(frozen=True, slots=True)
class ActionItem:
    """One thing to do."""

    id: int
    incident_id: int
    title: str
    owner: str
    """Who sees to it: a person or a team. Empty: nobody yet."""
    due: date | None
    """The last day, in UTC, on which it is in time."""
    state: ItemState
    created_by: str
    created_at: datetime
    closed_by: str | None = None
    closed_at: datetime | None = None
    comment: str = ""
    """What was said with the last move."""

    @property
    def open(self) -> bool:
        """It is still to be done."""
        return self.state is ItemState.OPEN

    def overdue(self, now: datetime) -> bool:
        """It is open, and its day is over."""
        return self.open and self.due is not None and self.due < now.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of an item; None leaves it as it is."""

    title: str | None = None
    owner: str | None = None
    """Empty: nobody."""
    due: date | None = None
    no_due: bool = False
    """It has no day any more."""


def edited(item: ActionItem, edit: Edit) -> ActionItem:
    """The item after an edit."""
    due = None if edit.no_due else edit.due or item.due
    title = item.title if edit.title is None else edit.title
    owner = item.owner if edit.owner is None else edit.owner
    return replace(item, title=title, owner=owner, due=due)


def moved(item: ActionItem, move: ItemMove, actor: str, comment: str, now: datetime) -> ActionItem:
    """The item after a move; the same one if it stands there already. The only door through `MOVES`."""
    state = MOVES.get((item.state, move))
    if state is None:
        return item
    closed = state is not ItemState.OPEN
    return replace(
        item,
        state=state,
        closed_by=actor if closed else None,
        closed_at=max(now, item.created_at) if closed else None,
        comment=comment,
    )


def entry_of(item: ActionItem, what: str, actor: str) -> Entry:
    """What the timeline of its incident says of it; `what` is `added`, `edited`, or a move."""
    owner = f", {item.owner}" if item.owner else ", nobody's yet"
    due = f", due {item.due}" if item.due else ""
    said = f": {item.comment}" if item.comment and what in set(ItemMove) else ""
    data = {
        "action": item.id,
        "state": item.state.value,
        "owner": item.owner,
        "due": item.due.isoformat() if item.due else None,
    }
    return Entry(f"action_{what}", actor, f"action {item.id} {what}: {item.title}{owner}{due}{said}", data)
