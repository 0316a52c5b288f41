"""When a page does not get through: tell the next one in the list, and say so in the timeline.

The first channel goes on trying, for two pages are better than none. Each page falls back once; what stands in for
it is a page itself and falls back to the next one in the same list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.delivery import notes
from incidentd.delivery.traits import Plan
from incidentd.delivery.unneeded import Closed, withheld
from incidentd.domain.destination import DestinationState
from incidentd.domain.incident import Entry, Incident
from incidentd.domain.notification import DeliveryState, Outcome, Verdict
from incidentd.store import destinations, incidents, outbox, pages, timeline
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx
from incidentd.store.outbox import NewDelivery

FAILURES = 3
"""Attempts that may fail before somebody else is told."""
LONGEST_PAUSE = timedelta(seconds=60)
"""A destination that asks for a longer one is not waited for."""

_AT_ONCE = frozenset({Verdict.DESTINATION_BROKEN, Verdict.TARGET_GONE, Verdict.DISABLED})


@dataclass(frozen=True, slots=True)
class Lost:
    """A page that did not get through in time."""

    row: Delivery
    why: str
    dead: bool = False
    """It is not tried any more, and its timeline says already that it was missed."""


@dataclass(frozen=True, slots=True)
class FellBack:
    """What became of pages that did not get through."""

    pages: tuple[tuple[Delivery, str, str | None], ...] = ()
    """Page, why it fell back, and the channel that was told in its place; None if nobody is left."""
    closed: tuple[Closed, ...] = ()
    """Pages that a person had made needless meanwhile."""

    @property
    def told(self) -> bool:
        """There are new pages."""
        return any(stand_in for _, _, stand_in in self.pages)

    @property
    def noted(self) -> bool:
        """Timelines grew."""
        return bool(self.pages or self.closed)


def hopeless(outcome: Outcome, row: Delivery, *, dead: bool) -> bool:
    """True if after this attempt somebody else should be told of the page `row`."""
    if outcome.verdict is Verdict.OK or row.fell_back or not notes.is_page(row):
        return False
    if outcome.verdict is Verdict.THROTTLED and (outcome.retry_after or timedelta()) > LONGEST_PAUSE:
        return True
    return dead or outcome.verdict in _AT_ONCE or row.attempts >= FAILURES


def fall_back(tx: Tx, lost: Sequence[Lost], plan: Plan, now: datetime) -> FellBack:
    """Tell somebody else of the pages `lost`. Each of them falls back once."""
    if not lost:
        return FellBack()
    found = {i.id: i for i in incidents.by_ids(tx, sorted({each.row.incident_id for each in lost}))}
    broken = {d.channel for d in destinations.all_of(tx) if d.state is DestinationState.BROKEN}
    new: list[NewDelivery] = []
    closed: list[Closed] = []
    lines: list[notes.Line] = []
    fell: list[tuple[Delivery, str, str | None]] = []
    for each in lost:
        row = each.row
        incident = found.get(row.incident_id)
        if incident is None or not incident.open:
            continue
        if done := withheld(incident, now, "somebody"):
            if row.state is DeliveryState.PENDING and not each.dead:
                closed.append(Closed(row, DeliveryState.SUPPRESSED, done))
                found[incident.id] = _noted(incident, notes.suppressed(row, done), now, lines)
            continue
        first = pages.first_of(tx, row)
        told = pages.told_with(tx, first)
        stand_in = _next(first.channel, told, plan, broken)
        if stand_in is not None:
            new += _stand_ins(row, first, incident, stand_in, plan, now)
            # What happens later is told there too, or an alert would stay open there.
            incident = replace(incident, notify=tuple(dict.fromkeys((*incident.notify, stand_in))))
        if stand_in is None and each.dead:
            continue
        fell.append((row, each.why, stand_in))
        found[incident.id] = _noted(incident, notes.fell_back(row, each.why, stand_in, told), now, lines)
    pages.mark_fell_back(tx, [each.row.id for each in lost], now)
    outbox.close_unsent(tx, [(c.delivery.id, c.state, c.reason) for c in closed])
    outbox.enqueue(tx, new)
    incidents.save(tx, list(found.values()))
    timeline.append(tx, lines)
    return FellBack(tuple(fell), tuple(closed))


def _next(channel: str, told: Collection[str], plan: Plan, broken: Collection[str]) -> str | None:
    left = [name for name in plan.lists.get(channel, ()) if name not in told and name in plan.targets]
    return next((name for name in left if name not in broken), None)


def _stand_ins(
    row: Delivery, first: Delivery, incident: Incident, channel: str, plan: Plan, now: datetime
) -> list[NewDelivery]:
    return [
        NewDelivery(
            row.incident_id,
            channel,
            target,
            row.notice,
            row.episode,
            row.actor,
            row.comment,
            now,
            now,
            incident.severity,
            fallback_of=first.id,
        )
        for target in plan.targets[channel]
    ]


def _noted(incident: Incident, entry: Entry, now: datetime, lines: list[notes.Line]) -> Incident:
    after, more = notes.numbered(incident, [entry], now)
    lines += more
    return after
