"""What waits for a digest: one row for each incident and mailbox, which shows the incident as it is when it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from incidentd.domain.contact import Urgency
from incidentd.domain.incident import OURSELVES, Incident
from incidentd.domain.notification import DeliveryClass, Notice
from incidentd.store import digests
from incidentd.store.engine import Tx
from incidentd.store.outbox import NewDelivery
from incidentd.workflows.paging import Paging


def in_digest(
    incident: Incident, rows: Sequence[NewDelivery], paging: Paging, now: datetime
) -> list[NewDelivery]:
    """`rows` about `incident`; those that need not interrupt anybody become lines of the next digest.

    Begin and end of an incident may stand in different ones. Updates need no line: it tells the newest state.
    """
    digest = paging.digest
    if digest is None or paging.urgency[incident.severity] is not Urgency.NONE:
        return list(rows)
    kept: list[NewDelivery] = []
    due = digest.following(now)
    for row in rows:
        if row.meta or row.channel not in digest.channels:
            kept.append(row)
        elif row.notice.delivery_class is not DeliveryClass.STATE:
            # Its age counts from then: what waits by its rule is not late.
            line = replace(row, notice=Notice.DIGEST, actor=OURSELVES, comment="", at=due, not_before=due)
            kept.append(line)
    return kept


def once(tx: Tx, rows: Iterable[NewDelivery]) -> list[NewDelivery]:
    """`rows` without those for a digest in which their incident has a line already."""
    rows = list(rows)
    waiting = sorted({row.incident_id for row in rows if row.notice is Notice.DIGEST})
    known = digests.waiting(tx, waiting) if waiting else set()
    found: list[NewDelivery] = []
    for row in rows:
        line = (row.incident_id, row.channel, row.target)
        if row.notice is not Notice.DIGEST:
            found.append(row)
        elif line not in known:
            known.add(line)
            found.append(row)
    return found
