"""Taking rows to send: one unit of work, a constant number of statements whatever the number of rows.

What need not be said any more ends here, by rules that look at the incident as it is in the same transaction: an
acknowledgement that is committed before is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.delivery import notes
from incidentd.delivery.message import Claimed
from incidentd.domain.incident import SOURCE, Entry, Incident, State
from incidentd.domain.notification import MAX_ALERTS_SHOWN, DeliveryClass, DeliveryState
from incidentd.store import alerts, incidents, leases, outbox, references, timeline
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx

_MACHINES = frozenset({SOURCE, "reconcile"})
"""Values of `resolved_by` that are no person: somebody still has to hear that it happened."""

_NEWER = "a later message tells the newest state"
_NO_INCIDENT = "its incident was deleted"


@dataclass(frozen=True, slots=True)
class Closed:
    """A row that ended without being sent."""

    delivery: Delivery
    state: DeliveryState
    reason: str


@dataclass(slots=True)
class Claim:
    """What one unit of work took, and what it ended."""

    leased: list[Claimed] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.leased or self.closed)

    @property
    def noted(self) -> bool:
        """True if timelines grew."""
        return any(closed.state is DeliveryState.SUPPRESSED for closed in self.closed)


def withheld(incident: Incident, now: datetime, snoozed_by: str) -> str | None:
    """Why a page about `incident` must not be sent: what a person did, and who. None if it must.

    Only people stop pages. One whose alerts ended by themselves before it left is still sent, and its end follows.
    """
    if incident.acknowledged_by is not None:
        return f"acknowledged by {incident.acknowledged_by}"
    if incident.state is State.RESOLVED and incident.resolved_by not in _MACHINES:
        return f"resolved by {incident.resolved_by}"
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        return f"snoozed by {snoozed_by} until {incident.snoozed_until.isoformat(timespec='seconds')}"
    return None


def claim(
    tx: Tx, channel: str, *, pages: bool, owner: str, now: datetime, lease_until: datetime, limit: int
) -> Claim:
    """Lease up to `limit` rows of `channel` that are due, pages or everything else, each with what its message needs.

    Ends on the way: pages that a person has made needless, and updates that a later row outdates.
    """
    rows = outbox.claimable(tx, channel, pages=pages, now=now, limit=limit)
    if not rows:
        return Claim()
    updates = outbox.open_updates(tx, channel, _incidents_of(rows))
    rows = _not_behind(rows, updates)
    found = {incident.id: incident for incident in incidents.by_ids(tx, _incidents_of(rows))}
    closed = _closed(tx, rows, found, now)
    ended = {c.delivery.id for c in closed}
    kept = [
        replace(r, attempts=r.attempts + 1, generation=r.generation + 1) for r in rows if r.id not in ended
    ]
    closed += _outdated(kept, updates, ended)
    leases.lease(tx, [row.id for row in kept], owner, lease_until)
    outbox.close_unsent(tx, [(c.delivery.id, c.state, c.reason) for c in closed])
    _write_incidents(tx, found, [*kept, *[c.delivery for c in closed]], closed, now)
    return Claim(_complete(tx, channel, kept, found, now), closed)


def _incidents_of(rows: Sequence[Delivery]) -> list[int]:
    return sorted({row.incident_id for row in rows})


def _not_behind(rows: Sequence[Delivery], updates: Sequence[Delivery]) -> list[Delivery]:
    # Another replica may have leased an older update of the lane since we looked: that one goes first.
    leaving = [update for update in updates if update.state is DeliveryState.LEASED]
    return [
        row for row in rows if not any(u.incident_id == row.incident_id and u.id < row.id for u in leaving)
    ]


def _closed(tx: Tx, rows: Sequence[Delivery], found: Mapping[int, Incident], now: datetime) -> list[Closed]:
    followed = outbox.followed(tx, [row.id for row in rows if row.delivery_class is DeliveryClass.STATE])
    snoozed = [i.id for i in found.values() if i.snoozed_until is not None]
    snoozers = timeline.last_actors(tx, snoozed, "snoozed") if snoozed else {}
    closed: list[Closed] = []
    for row in rows:
        incident = found.get(row.incident_id)
        if incident is None:
            closed.append(Closed(row, DeliveryState.DEAD, _NO_INCIDENT))
        elif row.id in followed:
            closed.append(Closed(row, DeliveryState.SUPERSEDED, _NEWER))
        elif notes.is_page(row) and (why := withheld(incident, now, snoozers.get(incident.id, "somebody"))):
            closed.append(Closed(row, DeliveryState.SUPPRESSED, why))
    return closed


def _outdated(kept: Sequence[Delivery], updates: Sequence[Delivery], ended: set[int]) -> list[Closed]:
    # A lane has one row here at most. Updates that waited behind it would come late and say what it says.
    leaving = {row.incident_id: row.id for row in kept}
    return [
        Closed(update, DeliveryState.SUPERSEDED, _NEWER)
        for update in updates
        if update.state is DeliveryState.PENDING
        and update.id < leaving.get(update.incident_id, 0)
        and update.id not in ended
    ]


def _write_incidents(
    tx: Tx,
    found: Mapping[int, Incident],
    handled: Sequence[Delivery],
    closed: Sequence[Closed],
    now: datetime,
) -> None:
    told = {row.incident_id for row in handled if row.delivery_class is DeliveryClass.STATE}
    entries: dict[int, list[Entry]] = {}
    for c in closed:
        if c.state is DeliveryState.SUPPRESSED:
            entries.setdefault(c.delivery.incident_id, []).append(notes.suppressed(c.delivery, c.reason))
    changed: list[Incident] = []
    lines: list[notes.Line] = []
    for incident in found.values():
        after, more = notes.numbered(incident, entries.get(incident.id, ()), now)
        if incident.id in told:
            # From now on a further change needs a further update: this one is read as of now.
            after = replace(after, update_queued=False)
        if after != incident:
            changed.append(after)
            lines += more
    incidents.save(tx, changed)
    timeline.append(tx, lines)


def _complete(
    tx: Tx, channel: str, kept: Sequence[Delivery], found: Mapping[int, Incident], now: datetime
) -> list[Claimed]:
    if not kept:
        return []
    ids = _incidents_of(kept)
    members = alerts.of_incidents(tx, ids, MAX_ALERTS_SHOWN)
    known = references.of_incidents(tx, channel, ids)
    return [
        Claimed(row, found[row.incident_id], tuple(members[row.incident_id]), known.get(row.incident_id), now)
        for row in kept
    ]
