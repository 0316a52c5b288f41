"""Maintenance windows: which hold now, making and cancelling them, and telling of what still fires when they end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from incidentd.domain import maintenance as domain
from incidentd.domain.incident import Change, Incident
from incidentd.domain.maintenance import Window
from incidentd.store import incidents
from incidentd.store import maintenance as store
from incidentd.store.engine import Tx
from incidentd.store.maintenance import Stored
from incidentd.workflows import audit
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules


def in_force(tx: Tx, rules: Rules, now: datetime) -> tuple[Window, ...]:
    """The windows that hold now: those of the configuration first."""
    made = [stored.window for stored in store.standing(tx, now)]
    return rules.calendar.in_force((*rules.maintenance, *made), now)


def add(tx: Tx, window: Window, comment: str, actor: str, now: datetime) -> Stored:
    """Somebody plans a window. Raises ValueError if it is over already."""
    found = domain.span(window.plan, now)
    if found is None:
        raise ValueError("the window is over already")
    over_at = found.ends_at if window.plan.rrule is None else None
    made = store.add(tx, Stored(0, window, comment, actor, now, over_at))
    data = {"name": window.name, "matchers": [str(matcher) for matcher in window.matchers]}
    audit.note(tx, now, actor, "maintenance.planned", f"maintenance:{made.id}", data, {"comment": comment})
    return made


def cancel(tx: Tx, number: int, actor: str, now: datetime) -> Stored:
    """It holds no more; what it kept quiet is told by the next look. Raises `NotFoundError`."""
    known = store.by_id(tx, number)
    if known is None:
        raise NotFoundError(f"there is no maintenance window {number}")
    store.cancel(tx, number, actor, now)
    if known.cancelled_at is None:
        audit.note(tx, now, actor, "maintenance.cancelled", f"maintenance:{number}")
    found = store.by_id(tx, number)
    assert found is not None  # noqa: S101 - it was there in this very transaction
    return found


def forget(tx: Tx, over_before: datetime, batch: int) -> int:
    """Forget windows that people made and that held for the last time before that; how many."""
    standing = [s for s in store.standing(tx, over_before) if s.window.plan.rrule is not None]
    over = [s.id for s in standing if domain.span(s.window.plan, over_before) is None]
    return store.delete_old(tx, over_before, batch) + store.delete(tx, over[:batch])


def end_due(tx: Tx, rules: Rules, now: datetime) -> bool:
    """True if `end` would change something: a read, so that an idle daemon writes nothing."""
    quiet = store.suppressed(tx)
    return bool(quiet) and bool(_ended(tx, quiet, rules, now))


def end(tx: Tx, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Tell of the incidents that no window covers any more."""
    ledger = Ledger(rules, now)
    found = incidents.by_ids(tx, [incident.id for incident in store.suppressed(tx)])
    # Looked at again under their locks: somebody may have resolved one.
    for change in _ended(tx, [i for i in found if i.suppressed_by is not None], rules, now):
        ledger.apply(change)
    ledger.save(tx)
    return tuple(ledger.changes)


def _ended(tx: Tx, quiet: Sequence[Incident], rules: Rules, now: datetime) -> list[Change]:
    windows = in_force(tx, rules, now)
    labels = store.firing_labels(tx, [incident.id for incident in quiet]) if windows else {}
    return [
        domain.ended(incident)
        for incident in quiet
        # One without a firing alert is judged by what its alerts had in common.
        if domain.covering_all(windows, labels.get(incident.id) or [incident.labels]) is None
    ]
