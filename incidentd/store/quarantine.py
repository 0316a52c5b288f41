"""Alerts that could not be understood: kept with their reason, so that somebody can mend the sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from incidentd.store import schema
from incidentd.store.codec import instant, micros
from incidentd.store.engine import Tx

_q = schema.quarantine.c


@dataclass(frozen=True, slots=True)
class QuarantinedAlert:
    """One alert that was set aside."""

    id: int
    source: str
    received_at: datetime
    request_id: str
    where: str
    reason: str
    alert: str


def add(tx: Tx, source: str, request_id: str, bad: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """Set alerts aside, each as (where in the body, reason, the alert's own JSON)."""
    if not bad:
        return
    rows = [
        {
            "source": source,
            "received_at": micros(now),
            "request_id": request_id,
            "where": where,
            "reason": reason,
            "alert": alert,
        }
        for where, reason, alert in bad
    ]
    tx.conn.execute(sa.insert(schema.quarantine), rows)


def search(tx: Tx, *, before: int | None, limit: int) -> list[QuarantinedAlert]:
    """What was set aside, newest first."""
    query = sa.select(schema.quarantine).order_by(_q.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_q.id < before)
    return [
        QuarantinedAlert(r.id, r.source, instant(r.received_at), r.request_id, r.where, r.reason, r.alert)
        for r in tx.conn.execute(query)
    ]
