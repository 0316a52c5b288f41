"""Taking rows to send: one unit of work, a constant number of statements whatever the number of rows.

What need not be said any more ends here, by rules that look at the incident as it is in the same transaction: an
acknowledgement that is committed before is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.delivery import notes
from incidentd.delivery.bundle import MOST, Seat, seated
from incidentd.delivery.message import Claimed
from incidentd.delivery.traits import Traits
from incidentd.delivery.unneeded import Closed, needless_close, too_late, withheld
from incidentd.domain.incident import Entry, Incident
from incidentd.domain.notification import MAX_ALERTS_SHOWN, DeliveryClass, DeliveryState, Notice
from incidentd.domain.severity import Severity
from incidentd.store import (
    alert_views,
    automation,
    digests,
    incidents,
    leases,
    outbox,
    pages,
    references,
    runbooks,
    timeline,
)
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx

_NEWER = "a later message tells the newest state"
_NO_INCIDENT = "its incident was deleted"
_NEWEST_COUNTS = frozenset({DeliveryClass.STATE, DeliveryClass.DIGEST})


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes what: pages of a channel or everything else."""

    channel: str
    pages: bool
    owner: str
    now: datetime
    lease_until: datetime
    limit: int
    traits: Traits = field(default_factory=Traits)
    tokens: Callable[[str], int] = lambda _: MOST
    """How many messages a target takes now."""
    exhausted: Sequence[str] = ()
    """Targets that take none."""

    @property
    def together(self) -> bool:
        """Many incidents may be told in one message."""
        return self.traits.people and self.traits.rate is not None


@dataclass(slots=True)
class Claim:
    """What one unit of work took, and what it ended."""

    leased: list[Claimed] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    missed: list[tuple[Delivery, str]] = field(default_factory=list)
    """Pages that became notices, which wake nobody."""

    def __bool__(self) -> bool:
        return bool(self.leased or self.closed or self.missed)

    @property
    def noted(self) -> bool:
        """True if timelines grew."""
        return bool(self.missed) or any(closed.state is DeliveryState.SUPPRESSED for closed in self.closed)


def claim(tx: Tx, taking: Taking) -> Claim:
    """Lease rows that are due, each with what its message needs.

    Ends on the way: pages that a person has made needless, and what a later row outdates.
    """
    look = taking.limit + MOST if taking.together else taking.limit
    rows = outbox.claimable(
        tx, taking.channel, pages=taking.pages, now=taking.now, limit=look, exhausted=taking.exhausted
    )
    if not rows:
        return Claim()
    rows = _one_digest(tx, rows, taking)
    updates = outbox.open_updates(tx, taking.channel, _incidents_of(rows))
    rows = _not_behind(rows, updates)
    ids = _incidents_of(rows)
    found = {incident.id: incident for incident in incidents.by_ids(tx, ids)}
    known = references.of_incidents(tx, taking.channel, ids)
    result = Claim(closed=_closed(tx, rows, found, taking), missed=_missed(rows, found, taking))
    ended = {c.delivery.id for c in result.closed} | {row.id for row, _ in result.missed}
    left = [row for row in rows if row.id not in ended]
    seats = seated(
        left, tokens=taking.tokens, limit=taking.limit, together=taking.together, followed_up=known
    )
    leaving = [row for seat in seats for row in (seat.row, *seat.riders)]
    result.closed += _outdated(leaving, updates, ended)
    _write(tx, seats, found, result, taking)
    _write_incidents(tx, found, leaving, result, taking.now)
    result.leased = _complete(tx, seats, found, known, taking)
    return result


def _one_digest(tx: Tx, rows: list[Delivery], taking: Taking) -> list[Delivery]:
    """`rows` with the digest of one mailbox, all of it: it is one message. Others are taken right after."""
    first = next((row for row in rows if row.notice is Notice.DIGEST), None)
    if first is None:
        return rows
    others = [row for row in rows if row.notice is not Notice.DIGEST]
    priority = first.delivery_class.priority(Severity.INFO)
    return [*others, *digests.due(tx, taking.channel, priority, taking.now, first.target, 1 + MOST)]


def _incidents_of(rows: Sequence[Delivery]) -> list[int]:
    return sorted({row.incident_id for row in rows})


def _not_behind(rows: Sequence[Delivery], updates: Sequence[Delivery]) -> list[Delivery]:
    # Another replica may have leased an older update of the lane since we looked: that one goes first.
    leaving = [update for update in updates if update.state is DeliveryState.LEASED]
    return [
        row
        for row in rows
        if not any(
            (u.incident_id, u.target) == (row.incident_id, row.target) and u.id < row.id for u in leaving
        )
    ]


def _closed(tx: Tx, rows: Sequence[Delivery], found: Mapping[int, Incident], taking: Taking) -> list[Closed]:
    followed = outbox.followed(tx, [row.id for row in rows if row.delivery_class in _NEWEST_COUNTS])
    snoozed = [i.id for i in found.values() if i.snoozed_until is not None]
    snoozers = timeline.last_actors(tx, snoozed, "snoozed") if snoozed else {}
    closing = [row.incident_id for row in rows if row.delivery_class is DeliveryClass.CLOSE]
    told: dict[int, list[pages.Page]] = {}
    for page in pages.pages_of(tx, taking.channel, sorted(set(closing))):
        told.setdefault(page.incident_id, []).append(page)
    closed: list[Closed] = []
    for row in rows:
        incident = found.get(row.incident_id)
        if incident is None:
            closed.append(Closed(row, DeliveryState.DEAD, _NO_INCIDENT))
        elif row.id in followed:
            closed.append(Closed(row, DeliveryState.SUPERSEDED, _NEWER))
        elif notes.is_page(row):
            who = snoozers.get(incident.id, "somebody")
            if why := withheld(incident, taking.now, who):
                closed.append(Closed(row, DeliveryState.SUPPRESSED, why))
            elif taking.traits.keyed and (why := too_late(row, incident, taking.now)):
                closed.append(Closed(row, DeliveryState.SUPPRESSED, why, missed=True))
        elif row.delivery_class is DeliveryClass.CLOSE:
            needless = needless_close(row, incident, told.get(incident.id, ()), taking.traits)
            closed += [needless] if needless else []
    return closed


def _missed(
    rows: Sequence[Delivery], found: Mapping[int, Incident], taking: Taking
) -> list[tuple[Delivery, str]]:
    if not taking.traits.people:
        return []
    late = [
        (row, too_late(row, found[row.incident_id], taking.now)) for row in rows if row.incident_id in found
    ]
    return [
        (row, why)
        for row, why in late
        if why is not None and withheld(found[row.incident_id], taking.now, "") is None
    ]


def _outdated(leaving: Sequence[Delivery], updates: Sequence[Delivery], ended: set[int]) -> list[Closed]:
    # A lane has one row here at most. Updates that waited behind it would come late and say what it says.
    last = {(row.incident_id, row.target): row.id for row in leaving}
    return [
        Closed(update, DeliveryState.SUPERSEDED, _NEWER)
        for update in updates
        if update.state is DeliveryState.PENDING
        and update.id < last.get((update.incident_id, update.target), 0)
        and update.id not in ended
    ]


def _write(
    tx: Tx, seats: Sequence[Seat], found: Mapping[int, Incident], result: Claim, taking: Taking
) -> None:
    rows = [seat.row for seat in seats]
    over = {row.id for row in rows if (i := found[row.incident_id]).episode == row.episode and not i.open}
    leases.lease(tx, [row.id for row in rows], taking.owner, taking.lease_until, over=over, now=taking.now)
    for seat in seats:
        if seat.riders:
            pages.ride(tx, seat.row.id, [row.id for row in seat.riders])
    pages.make_missed(tx, [(row.id, why) for row, why in result.missed])
    outbox.close_unsent(tx, [(c.delivery.id, c.state, c.reason) for c in result.closed])
    pages.set_down(tx, [*[c.delivery.id for c in result.closed], *[row.id for row, _ in result.missed]])


def _write_incidents(
    tx: Tx, found: Mapping[int, Incident], leaving: Sequence[Delivery], result: Claim, now: datetime
) -> None:
    handled = [*leaving, *[c.delivery for c in result.closed]]
    told = {row.incident_id for row in handled if row.delivery_class is DeliveryClass.STATE}
    entries: dict[int, list[Entry]] = {}
    for c in result.closed:
        if c.state is DeliveryState.SUPPRESSED and notes.is_page(c.delivery):
            entry = notes.missed if c.missed else notes.suppressed
            entries.setdefault(c.delivery.incident_id, []).append(entry(c.delivery, c.reason))
    for row, why in result.missed:
        entries.setdefault(row.incident_id, []).append(notes.missed(row, why))
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
    notes.write_lines(tx, lines, now)


def _complete(
    tx: Tx,
    seats: Sequence[Seat],
    found: Mapping[int, Incident],
    known: Mapping[int, Mapping[str, str]],
    taking: Taking,
) -> list[Claimed]:
    if not seats:
        return []
    rows = [seat.row for seat in seats]
    members = alert_views.of_incidents(tx, _incidents_of(rows), MAX_ALERTS_SHOWN)
    riders = _riders(tx, seats, found)
    books = runbooks.of(tx, _incidents_of(rows))
    offers = {offer.incident_id: offer for offer in reversed(automation.to_decide(tx, sorted(books)))}
    firsts = pages.channels_of(tx, [row.fallback_of for row in rows if row.fallback_of is not None])
    return [
        Claimed(
            replace(row, attempts=row.attempts + 1, generation=row.generation + 1),
            found[row.incident_id],
            tuple(members[row.incident_id]),
            known.get(row.incident_id),
            taking.now,
            riders.get(row.id, ()),
            firsts.get(row.fallback_of) if row.fallback_of is not None else None,
            books.get(row.incident_id),
            offers.get(row.incident_id),
        )
        for row in rows
    ]


def _riders(tx: Tx, seats: Sequence[Seat], found: Mapping[int, Incident]) -> dict[int, tuple[Incident, ...]]:
    """Row -> the incidents it tells of beside its own: those that ride since now and since earlier attempts."""
    riding = pages.passengers_of(tx, [seat.row.id for seat in seats])
    missing = {i for ids in riding.values() for i in ids} - found.keys()
    known = {**found, **{i.id: i for i in incidents.by_ids(tx, sorted(missing))}} if missing else found
    return {row: tuple([known[i] for i in ids if i in known]) for row, ids in riding.items()}
