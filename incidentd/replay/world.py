"""A world in memory: bodies and human acts come in, time passes, and it keeps who would have been paged when."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from incidentd.domain.correlate import QUIET, group_key
from incidentd.domain.escalation import Escalation, end
from incidentd.domain.incident import Change, Entry, Incident
from incidentd.domain.maintenance import Window
from incidentd.domain.notification import DeliveryClass, Notice
from incidentd.domain.schedule import Override
from incidentd.ingest.types import Post
from incidentd.replay import timers
from incidentd.replay.recording import Act, MadeWindow
from incidentd.store.outbox import NewDelivery
from incidentd.workflows.escalate import Climb, escalates
from incidentd.workflows.heartbeats import Signs
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.placing import Placing, Sighted
from incidentd.workflows.reach import Reach
from incidentd.workflows.receive import Book
from incidentd.workflows.rules import Rules
from incidentd.workflows.working import Bench, Working

_BEFORE = datetime.min.replace(tzinfo=UTC)


class Numbers:
    """1, 2, 3 and so on."""

    def __init__(self) -> None:
        self._last = 0

    def take(self) -> int:
        """The next number."""
        self._last += 1
        return self._last


@dataclass(frozen=True, slots=True)
class Page:
    """One message that would have paged somebody."""

    at: datetime
    """When it was to leave."""
    incident_id: int
    channel: str
    target: str
    person: str | None
    """The user; None: whoever reads the channel."""
    notice: Notice
    why: str


@dataclass(slots=True)
class World:
    """What one configuration makes of the events, which are told in the order of their time."""

    rules: Rules
    overrides: Sequence[Override] = ()
    windows: Sequence[MadeWindow] = ()
    """Maintenance that people made."""
    keeps_story: bool = False
    """Keep the timelines too."""
    pages: list[Page] = field(default_factory=list)
    story: list[tuple[datetime, int, Entry]] = field(default_factory=list)
    """When, of which incident, what."""
    escalations: dict[int, Escalation] = field(default_factory=dict)
    bench: Bench = field(init=False)
    _book: Book = field(init=False)
    _placing: Placing = field(init=False)
    _waiting: dict[int, list[Page]] = field(default_factory=dict)
    """Incident -> pages to people that leave later, unless somebody acts first."""
    _queue: list[tuple[datetime, int]] = field(default_factory=list)
    _armed: dict[int, datetime] = field(default_factory=dict)
    """Incident -> when it wants attention next; other entries of the queue are stale."""

    def __post_init__(self) -> None:
        ledger = Ledger(self.rules, _BEFORE)
        self.bench = Bench(ledger)
        self._book = Book(self.rules, _BEFORE, Numbers())
        self._placing = Placing(ledger, Numbers(), self.bench, {})

    # -- what comes in ----------------------------------------------------------------------------------------
    def take(self, at: datetime, post: Post) -> list[Sighted]:
        """A body arrives."""
        self.run_until(at)
        ledger, book = self._turn(at), self._book
        book.now = at
        by = self.rules.grouping
        seen = [book.sight(a, group_key(by, a.source, a.fingerprint, a.labels)) for a in post.alerts]
        for s in seen:
            if s.sighting not in QUIET:
                # Everything is known here, so that counting needs no look-up of who was where.
                self._placing.roaming.setdefault(s.occurrence.alert_id, set())
        self._placing.place_post(seen, post.truncated)
        self._settle(ledger)
        self._forget_batch()
        return seen

    def _forget_batch(self) -> None:
        """As if it had been written and read again."""
        book = self._book
        for occurrence in book.occurrences.values():
            occurrence.reason, occurrence.fresh = "", False
        for kept in (book.fresh, book.changed, book.seen, book.occurrences):
            kept.clear()
        book.signs = Signs()

    def act(self, act: Act) -> bool:
        """A person acts; False if here there is nothing to act upon."""
        self.run_until(act.at)
        work = self.bench.open_in(act.group_key) or self.bench.last_in(act.group_key)
        if work is None:
            return False
        ledger = self._turn(act.at)
        climb = self._climb(ledger)
        done = timers.acted(work.incident, act, climb, self.escalations.get(work.incident.id))
        if done is None:
            return False
        self._do(work, done, climb)
        return True

    def run_until(self, at: datetime) -> None:
        """Let time pass: what is due until `at` happens, each at its own instant."""
        while self._queue and self._queue[0][0] <= at:
            now, incident_id = heapq.heappop(self._queue)
            if self._armed.get(incident_id) == now:
                del self._armed[incident_id]
                self._attend(self.bench.known[incident_id], now)

    # -- what happens by itself -------------------------------------------------------------------------------
    def _attend(self, work: Working, now: datetime) -> None:
        ledger, incident = self._turn(now), work.incident
        climb = self._climb(ledger)
        change = timers.due_change(incident, self.rules, now)
        escalation = self.escalations.get(incident.id)
        if change is not None:
            self._do(work, change, climb)
        elif escalation is not None and escalation.running and escalation.due_at <= now:
            if escalates(incident, escalation):
                work.incident = climb.step(incident, escalation)
            else:
                climb.changed.append(timers.pointless(escalation, now))
            self._do(work, None, climb)
        elif incident.suppressed_by is not None:
            labels = self._firing_labels(incident)
            self._do(work, timers.uncovered(incident, self.bench.windows, labels), climb)
        else:
            self._arm(incident, after=now)

    def _do(self, work: Working, change: Change | None, climb: Climb) -> None:
        if change is not None:
            self.bench.apply(work, change)
        for escalation in climb.changed:
            self.escalations[escalation.incident_id] = escalation
        work.told = False
        self._settle(climb.ledger)
        self._arm(work.incident)

    def _firing_labels(self, incident: Incident) -> list[dict[str, str]]:
        return self._book.firing_labels(incident.id)

    # -- one instant ------------------------------------------------------------------------------------------
    def _turn(self, now: datetime) -> Ledger:
        ledger = Ledger(self.rules, now)
        self.bench.ledger = self._placing.ledger = ledger
        self.bench.windows = self._in_force(now) if self.rules.maintenance or self.windows else ()
        return ledger

    def _in_force(self, now: datetime) -> tuple[Window, ...]:
        made = [each.window for each in self.windows if each.stands(now)]
        return self.rules.calendar.in_force((*self.rules.maintenance, *made), now)

    def _climb(self, ledger: Ledger) -> Climb:
        return Climb(ledger, Reach(self.rules, self.overrides, ledger.now))

    def _settle(self, ledger: Ledger) -> None:
        """Take what the daemon would write now."""
        for incident_id, begun in ledger.follow_ups.starting.items():
            self.escalations[incident_id] = begun
        for incident_id, reason in ledger.follow_ups.ending.items():
            known = self.escalations.get(incident_id)
            if known is not None:
                self.escalations[incident_id] = end(known, reason, ledger.now)
            self._call_off(incident_id, ledger.now)
        for row in ledger.deliveries:
            if row.delivery_class is DeliveryClass.PAGE:
                self._page(row, ledger.now)
        if self.keeps_story:
            self.story += [(at, incident_id, entry) for incident_id, _, at, entry in ledger.entries]
        for incident_id in (*ledger.fresh, *ledger.changed):
            self._arm(self.bench.known[incident_id].incident)

    def _page(self, row: NewDelivery, now: datetime) -> None:
        page = Page(
            row.not_before, row.incident_id, row.channel, row.target, row.person, row.notice, row.comment
        )
        if page.person is not None and page.at > now:
            self._waiting.setdefault(page.incident_id, []).append(page)
        else:
            self.pages.append(page)

    def _call_off(self, incident_id: int, now: datetime) -> None:
        """Whoever acts spares people the pages that were to leave later."""
        for page in self._waiting.pop(incident_id, ()):
            if page.at <= now:
                self.pages.append(page)

    def _arm(self, incident: Incident, after: datetime = _BEFORE) -> None:
        at = timers.next_at(
            incident, self.rules, self.escalations.get(incident.id), self._lifted_at(incident)
        )
        if at is not None and at > after and self._armed.get(incident.id) != at:
            self._armed[incident.id] = at
            heapq.heappush(self._queue, (at, incident.id))

    def _lifted_at(self, incident: Incident) -> datetime | None:
        """When the first of the windows that hold now is over, for an incident that one of them keeps quiet."""
        if incident.suppressed_by is None:
            return None
        now, plans = self.bench.ledger.now, [window.plan for window in self.bench.windows]
        spans = [self.rules.calendar.span(plan, now) for plan in plans]
        ends = [span.ends_at for span in spans if span is not None]
        cancelled = [w.cancelled_at for w in self.windows if w.cancelled_at is not None and w.stands(now)]
        return min([*ends, *cancelled], default=now)

    def told_until(self, at: datetime) -> list[Page]:
        """Every page that left until `at`, in the order of time; `run_until` that instant first."""
        waiting = [page for pages in self._waiting.values() for page in pages]
        found = [page for page in (*self.pages, *waiting) if page.at <= at]
        return sorted(
            found, key=lambda p: (p.at, p.incident_id, p.person or "", p.channel, p.target, p.notice)
        )
