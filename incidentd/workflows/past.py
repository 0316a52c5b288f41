"""What another page told before: taken over with its texts and dates, once. Nobody is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.domain.status_page.facts import Maintenance, Publication, Update
from incidentd.domain.status_page.layout import Layout
from incidentd.store import public_state, publications
from incidentd.store.engine import Tx
from incidentd.workflows import audit, public_page


@dataclass(frozen=True, slots=True)
class Past:
    """One publication or maintenance with its texts, the oldest first."""

    event: Publication | Maintenance
    updates: tuple[Update, ...]


@dataclass(slots=True)
class Kept:
    """What came of it."""

    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Codes that were there already: they are left as they are."""


def keep(tx: Tx, layout: Layout, events: Sequence[Past], actor: str, now: datetime) -> Kept:
    """Write what is not there yet."""
    kept = Kept()
    public_page.count(tx, layout, now)
    for past in events:
        code = past.event.code
        if publications.by_code(tx, code) or public_state.maintenance(tx, code):
            kept.known.append(code)
            continue
        if isinstance(past.event, Publication):
            publications.save(tx, past.event)
        else:
            public_state.save_maintenance(tx, past.event)
        for update in past.updates:
            publications.say(tx, update)
        kept.imported.append(code)
    # How components fare by it was told by the other page.
    public_page.take_note(tx, layout, now)
    if kept.imported:
        listed: list[Value] = [*kept.imported]
        audit.note(tx, now, actor, "status.history_imported", "", {"publications": listed})
    return kept
