"""What the outbox knows of digests: which incidents wait for one, and what leaves in one message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidentd.domain.notification import Notice
from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.store.deliveries import Delivery, decode
from incidentd.store.engine import Tx
from incidentd.store.prepared import Prepared, among, values_of

_d = schema.deliveries.c
# Literals, not parameters: only so do the partial indexes fit.
_PENDING = sa.text("deliveries.state = 'pending'")
_IS_LINE = _d.notice == sa.literal_column(f"'{Notice.DIGEST.value}'")

_waiting = Prepared(
    lambda pg: sa.select(_d.incident_id, _d.channel, _d.target).where(
        among(_d.incident_id, "ids", postgresql=pg), _PENDING, _IS_LINE
    ),
    ["ids"],
)


def _lines(postgresql: bool) -> sa.Select[Any]:  # noqa: FBT001 - the signature that Prepared calls
    statement = (
        sa.select(schema.deliveries)
        .where(
            _PENDING,
            _d.channel == sa.bindparam("channel"),
            _d.priority == sa.bindparam("priority"),
            _d.not_before <= sa.bindparam("now"),
            _d.target == sa.bindparam("target"),
            _IS_LINE,
            _d.bundled_in.is_(None),
        )
        .order_by(_d.not_before, _d.id)
        .limit(sa.bindparam("n"))
    )
    return statement.with_for_update(skip_locked=True) if postgresql else statement


_due = Prepared(_lines, ["channel", "priority", "now", "target", "n"])


def waiting(tx: Tx, incident_ids: Sequence[int]) -> set[tuple[int, str, str]]:
    """Incident, channel and mailbox of the lines that wait for a digest."""
    return {tuple(row) for row in _waiting.tuples(tx, values_of(tx, incident_ids))}


def due(tx: Tx, channel: str, priority: int, now: datetime, target: str, limit: int) -> list[Delivery]:
    """The lines that leave for one mailbox now, oldest first, locked."""
    return [decode(row) for row in _due.all(tx, channel, priority, micros(now), target, limit)]
