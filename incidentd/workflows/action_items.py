"""Action items: people add, edit and close them; the timeline of the incident and the audit log tell of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain import action_item as domain
from incidentd.domain.action_item import ActionItem, Edit, ItemMove
from incidentd.domain.incident import Change
from incidentd.store import action_items, incidents
from incidentd.store.engine import Tx
from incidentd.workflows import audit
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules


@dataclass(frozen=True, slots=True)
class Acted:
    """An item after what was asked, and what the timeline says of it."""

    item: ActionItem
    changes: tuple[Change, ...]
    """Empty if nothing changed, or its incident is not kept any more."""


def add(tx: Tx, asked: ActionItem, rules: Rules, now: datetime) -> Acted:
    """Somebody adds one; its number is given here. Raises `NotFoundError` without such an incident."""
    if not incidents.by_ids(tx, [asked.incident_id]):
        raise NotFoundError(f"there is no incident INC-{asked.incident_id}")
    item = replace(asked, id=action_items.next_id(tx))
    action_items.add(tx, item)
    return _told(tx, item, "added", item.created_by, rules, now)


def edit(tx: Tx, number: int, asked: Edit, actor: str, rules: Rules, now: datetime) -> Acted:
    """Somebody gives it another title, owner or day. Raises `NotFoundError`."""
    known = _known(tx, number)
    item = domain.edited(known, asked)
    if item == known:
        return Acted(known, ())
    action_items.update(tx, item)
    return _told(tx, item, "edited", actor, rules, now)


def move(tx: Tx, number: int, how: ItemMove, comment: str, actor: str, rules: Rules, now: datetime) -> Acted:
    """Somebody closes it, or takes that back. Raises `NotFoundError`."""
    known = _known(tx, number)
    item = domain.moved(known, how, actor, comment, now)
    if item is known:
        return Acted(known, ())
    action_items.update(tx, item)
    return _told(tx, item, how.value, actor, rules, now)


def _known(tx: Tx, number: int) -> ActionItem:
    # The incident first, as everywhere: two who come at once must not wait for each other.
    seen = action_items.by_id(tx, number)
    if seen is not None:
        incidents.by_ids(tx, [seen.incident_id])
    item = action_items.locked(tx, number)
    if item is None:
        raise NotFoundError(f"there is no action item {number}")
    return item


def _told(tx: Tx, item: ActionItem, what: str, actor: str, rules: Rules, now: datetime) -> Acted:
    found, entry = incidents.by_ids(tx, [item.incident_id]), domain.entry_of(item, what, actor)
    if not found:
        data = {"incident": item.incident_id, "state": item.state.value}
        audit.note(tx, now, actor, f"action.{what}", f"action:{item.id}", data, {"text": entry.text})
        return Acted(item, ())
    ledger = Ledger(rules, now)
    # Nobody is told: it is work for the days after, and open incidents have more urgent news.
    ledger.apply(Change(found[0], entry))
    ledger.save(tx)
    return Acted(item, tuple(ledger.changes))
