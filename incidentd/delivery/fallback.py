"""When a page does not get through: tell the next one in the list, and say so in the timeline.

The first channel goes on trying, for two pages are better than none. Each page falls back once; what stands in for
it is a page itself and falls back to the next one in the same list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
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
    snoozed = [i.id for i in found.values() if i.snoozed_until is not None]
    snoozers = timeline.last_actors(tx, snoozed, "snoozed") if snoozed else {}
    work = _Round(plan, now, found)
    broken = {d.channel for d in destinations.all_of(tx) if d.state is DestinationState.BROKEN}
    for each in lost:
        incident = found.get(each.row.incident_id)
        if incident is None or not incident.open:
            continue
        if done := withheld(incident, now, snoozers.get(incident.id, "somebody")):
            work.needless(incident, each, done)
            continue
        first = pages.first_of(tx, each.row)
        same = (first.incident_id, first.channel, first.notice, first.created_at)
        if each.row.fallback_of is None and (same in work.handled or pages.others_told(tx, first)):
            continue  # another mailbox of the same page: one stand-in is enough
        work.handled.add(same)
        work.tell(incident, each, first, pages.told_with(tx, first), broken)
    pages.mark_fell_back(tx, [each.row.id for each in lost], now)
    outbox.close_unsent(tx, [(c.delivery.id, c.state, c.reason) for c in work.closed])
    pages.set_down(tx, [c.delivery.id for c in work.closed])
    outbox.enqueue(tx, work.new)
    incidents.save(tx, list(found.values()))
    notes.write_lines(tx, work.lines, now)
    return FellBack(tuple(work.fell), tuple(work.closed))


@dataclass(slots=True)
class _Round:
    """What is decided about the pages of one unit of work."""

    plan: Plan
    now: datetime
    found: dict[int, Incident]
    new: list[NewDelivery] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    lines: list[notes.Line] = field(default_factory=list)
    fell: list[tuple[Delivery, str, str | None]] = field(default_factory=list)
    handled: set[tuple[object, ...]] = field(default_factory=set)

    def needless(self, incident: Incident, each: Lost, why: str) -> None:
        """A person has acted meanwhile: nobody else is told."""
        if each.row.state is DeliveryState.PENDING and not each.dead:
            self.closed.append(Closed(each.row, DeliveryState.SUPPRESSED, why))
            self._note(incident, notes.suppressed(each.row, why))

    def tell(
        self, incident: Incident, each: Lost, first: Delivery, told: Collection[str], broken: Collection[str]
    ) -> None:
        """Tell the next one in the list, if there is one."""
        stand_in = _next(first.channel, told, self.plan, broken)
        if stand_in is not None:
            self.new += _stand_ins(each.row, first, incident, stand_in, self.plan, self.now)
            # What happens later is told there too, or an alert would stay open there.
            incident = replace(incident, notify=tuple(dict.fromkeys((*incident.notify, stand_in))))
        elif each.dead:
            return
        self.fell.append((each.row, each.why, stand_in))
        self._note(incident, notes.fell_back(each.row, each.why, stand_in, told))

    def _note(self, incident: Incident, entry: Entry) -> None:
        self.found[incident.id], more = notes.numbered(incident, [entry], self.now)
        self.lines += more


def _next(channel: str, told: Collection[str], plan: Plan, broken: Collection[str]) -> str | None:
    left = [name for name in plan.lists.get(channel, ()) if name not in told and name in plan.targets]
    # If all of them are broken it waits at each: whichever works again first tells it.
    return next((name for name in left if name not in broken), next(iter(left), None))


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
            trace=row.trace,
        )
        for target in plan.targets[channel]
    ]
