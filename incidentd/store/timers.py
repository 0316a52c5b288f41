"""Instants at which an incident wants something done: columns of its row, so that a restart forgets none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from incidentd.domain.incident import Incident
from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.store.engine import Tx
from incidentd.store.incidents import by_ids
from incidentd.store.prepared import Prepared

TIMERS: Sequence[str] = ("snoozed_until", "held_until", "ack_expires_at", "remind_at")
"""Fields of `Incident`."""
_i = schema.incidents.c
_due = {
    column: Prepared(
        lambda _, column=column: (
            sa.select(schema.incidents)  # type: ignore[misc]
            .where(sa.text(f"{column} IS NOT NULL"), _i[column] <= sa.bindparam("now"))
            .order_by(_i.id)
            .limit(sa.bindparam("n"))
        ),
        ["now", "n"],
    )
    for column in TIMERS
}


def due(tx: Tx, timer: str, now: datetime, limit: int) -> list[Incident]:
    """Incidents whose `timer` has passed, locked for this transaction."""
    found = [row.id for row in _due[timer].all(tx, micros(now), limit)]
    # Read again under a lock: another replica may have acted in between.
    return [i for i in by_ids(tx, found) if (at := getattr(i, timer)) is not None and at <= now]


def is_due(tx: Tx, timer: str, now: datetime) -> bool:
    """True if some incident's `timer` has passed."""
    return bool(_due[timer].all(tx, micros(now), 1))
