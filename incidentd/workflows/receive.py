"""Alerts in: one batch of webhook posts becomes one transaction.

First every alert is compared with what is known of it (`sight`), which needs one read and decides the common case,
repeats, without touching an incident. Then the occurrences that matter are placed, in the order they came, and
everything that follows is written at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from incidentd.domain.alert import Alert
from incidentd.domain.correlate import QUIET, Sighting, group_key, sight
from incidentd.domain.incident import RECONCILE, Change, Entry
from incidentd.ingest.types import Quarantined
from incidentd.store import alerts as alert_store
from incidentd.store import incidents, quarantine, schema
from incidentd.store.alerts import AlertRecord, OccurrenceRecord
from incidentd.store.codec import dumps, loads
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows.heartbeats import Signs
from incidentd.workflows.ledger import Ledger, touched
from incidentd.workflows.placing import Placing, Sighted
from incidentd.workflows.rules import Rules
from incidentd.workflows.working import Numbers


@dataclass(frozen=True, slots=True)
class Submission:
    """One webhook post, parsed."""

    source: str
    request_id: str
    alerts: tuple[Alert, ...]
    quarantined: tuple[Quarantined, ...] = ()
    truncated: int | None = 0
    """How many alerts the sender says it cut from this body; None: it is no body of the sender's."""
    remark: str = ""
    """What the timeline adds of incidents that it changes: how the alerts were found."""
    trace: str | None = None
    """The context of its request; None: it is not traced."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one post."""

    incidents: tuple[int, ...]
    sightings: tuple[tuple[Sighting, int], ...]
    """How often each sighting occurred."""
    set_aside: int = 0
    """Alerts that this daemon could not process although they could be read: quarantined with the others."""


@dataclass(frozen=True, slots=True)
class Reception:
    """What became of a batch: receipts in the order of the posts, and what was decided, for metrics and wake-ups."""

    receipts: tuple[Receipt, ...]
    changes: tuple[Change, ...]
    telling: bool
    noted: bool
    """The timeline grew."""


@dataclass(slots=True)
class Book:
    """The alert side of the transaction: records by identity, and what is to be written of them."""

    rules: Rules
    now: datetime
    ids: Numbers
    known: dict[tuple[str, str], AlertRecord] = field(default_factory=dict)
    fresh: list[AlertRecord] = field(default_factory=list)
    changed: dict[int, AlertRecord] = field(default_factory=dict)
    seen: dict[int, None] = field(default_factory=dict)
    occurrences: dict[tuple[int, datetime], OccurrenceRecord] = field(default_factory=dict)
    signs: Signs = field(default_factory=Signs)

    def load(self, tx: Tx, posts: Sequence[Submission]) -> None:
        """Read what is known of every alert in the batch."""
        wanted: dict[str, dict[str, None]] = {}
        for post in posts:
            prints = wanted.setdefault(post.source, {})
            for alert in post.alerts:
                prints[alert.fingerprint] = None
        for source, prints in sorted(wanted.items()):
            for record in alert_store.known(tx, source, list(prints)):
                self.known[source, record.fingerprint] = record

    def sight(self, alert: Alert, group: str) -> Sighted:
        """Compare one alert with what is known just before it, and move the record on."""
        record = self.known.get((alert.source, alert.fingerprint))
        sighting = self._judge(record, alert)
        severity = self.rules.severity.severity_of(alert.labels)
        if record is None:
            record = alert_store.new_record(self.ids.take(), alert, severity, sighting.value, self.now)
            self.known[alert.source, alert.fingerprint] = record
            self.fresh.append(record)
            self._keep(record.current)
            return Sighted(alert, record.current, None, None, sighting, severity, group)
        previous, over_since, roams = record.current, record.current.ends_at, record.occurrences > 1
        self._follow(record, alert, sighting, severity.value)
        return Sighted(alert, record.current, previous, over_since, sighting, severity, group, roams)

    def _judge(self, record: AlertRecord | None, alert: Alert) -> Sighting:
        """`sight`, and what the configured heartbeats make of it, which a reload may have changed meanwhile."""
        known, newest = (None, None) if record is None else (record.current, record.newest)
        placed = known is not None and known.firing and (known.incident_id is not None or known.reason != "")
        if self.rules.is_heartbeat(alert):
            ended = max(alert.ends_at or alert.starts_at, alert.starts_at)
            self.signs.take(self.rules, alert, over=known is None or ended >= known.starts_at)
            if known is None or not placed or known.reason == Sighting.HEARTBEAT:
                return Sighting.HEARTBEAT
            # It was an alert like others: it stays in its incident until it ends, or has ended unannounced.
            sighting = sight(known, alert, newest)
            return Sighting.ENDED if sighting is Sighting.NEWER else sighting
        sighting = sight(known, alert, newest)
        # It was a heartbeat, whose firing nobody was told of.
        return Sighting.NEW if sighting is Sighting.REPEAT and not placed else sighting

    def _follow(self, record: AlertRecord, alert: Alert, sighting: Sighting, severity: str) -> None:
        if sighting in {Sighting.LATE, Sighting.ENDED_AGAIN}:
            return
        record.last_seen_at = self.now
        annotations = dumps(alert.annotations)
        # Labels never change, but what a reload makes of them may.
        same = annotations == record.annotations and severity == record.severity
        if sighting is Sighting.REPEAT and same:
            self.seen[record.id] = None
            return
        record.severity, record.annotations = severity, annotations
        record.generator_url = alert.generator_url
        record.cut = dumps(alert.cut) if alert.cut else "[]"
        self._move(record, alert, sighting)
        self.changed[record.id] = record

    def _move(self, record: AlertRecord, alert: Alert, sighting: Sighting) -> None:
        """Bring the record's occurrence up to what the alert says."""
        current = record.current
        newer = alert.starts_at > record.newest
        if sighting is Sighting.REPEAT:
            return
        if sighting is Sighting.ENDED and (alert.firing or not newer):
            current.ends_at = alert.ends_at or alert.starts_at
        elif newer or sighting is Sighting.EARLIER:
            current = self._next(record, alert, sighting)
        elif sighting is not Sighting.HEARTBEAT:
            current.ends_at, current.reason = None, current.reason or sighting.value
        elif current.incident_id is None and (alert.ends_at is None or alert.ends_at >= current.starts_at):
            current.ends_at = alert.ends_at
        self._keep(current)

    def _next(self, record: AlertRecord, alert: Alert, sighting: Sighting) -> OccurrenceRecord:
        old = record.current
        if old.ends_at is None:
            old.ends_at = alert.starts_at
            self._keep(old)
        record.occurrences += 1
        record.newest = max(record.newest, alert.starts_at)
        again = self.occurrences.get((record.id, alert.starts_at))
        if again is None:
            again = OccurrenceRecord(record.id, alert.starts_at, None, None, sighting.value, fresh=True)
        again.ends_at = alert.ends_at
        record.current = again
        return again

    def _keep(self, occurrence: OccurrenceRecord) -> None:
        self.occurrences[occurrence.alert_id, occurrence.starts_at] = occurrence

    def firing_labels(self, incident_id: int) -> list[dict[str, str]]:
        """The labels of each alert held in memory that fires in this incident."""
        mine = [r for r in self.known.values() if r.current.incident_id == incident_id and r.current.firing]
        return [loads(record.labels) for record in mine]

    def save(self, tx: Tx) -> None:
        """Write the alerts and their occurrences, which know their incidents by now."""
        alert_store.insert_new(tx, self.fresh)
        fresh = {record.id for record in self.fresh}
        alert_store.update(tx, [record for i, record in self.changed.items() if i not in fresh])
        seen = [i for i in self.seen if i not in self.changed and i not in fresh]
        alert_store.touch(tx, seen, self.now)
        alert_store.save_occurrences(tx, list(self.occurrences.values()), self.now)


def receive(tx: Tx, posts: Sequence[Submission], rules: Rules, now: datetime) -> Reception:
    """Take a batch of posts: the unit of work behind the alert webhooks. Idempotent per occurrence and status."""
    book = Book(rules, now, Ids(tx, schema.alerts, sum([len(post.alerts) for post in posts])))
    groups = [_groups(post, rules) for post in posts]
    incidents.lock_groups(tx, chain.from_iterable(groups))
    book.load(tx, posts)
    sighted = [list(map(book.sight, post.alerts, keys)) for post, keys in zip(posts, groups, strict=True)]
    # First, for whether a source's heartbeat is missing decides what its other words are worth.
    book.signs.save(tx, rules, now)
    ledger = Ledger(rules, now)
    placing = Placing.load(tx, ledger, [s for post in sighted for s in post])
    receipts = []
    for post, seen in zip(posts, sighted, strict=True):
        ledger.trace = post.trace
        placing.place_post(seen, post.truncated)
        if post.remark:
            _remark(placing, seen, post.remark)
        receipts.append(_receipt(seen))
    book.save(tx)
    ledger.save(tx)
    for post in posts:
        bad = [(item.where, item.reason.value, item.raw) for item in post.quarantined]
        quarantine.add(tx, post.source, post.request_id, bad, now)
    return Reception(tuple(receipts), tuple(ledger.changes), ledger.telling(), bool(ledger.entries))


def _remark(placing: Placing, seen: Sequence[Sighted], text: str) -> None:
    """Note on the incidents that the post changed how its alerts were found."""
    for incident_id in touched([s.occurrence.incident_id for s in seen if s.sighting not in QUIET]):
        work = placing.bench.by_id(incident_id)
        if work is not None:
            work.incident = placing.ledger.note(work.incident, Entry("reconciled", RECONCILE, text))
            placing.ledger.put(work.incident)


def _groups(post: Submission, rules: Rules) -> list[str]:
    return [group_key(rules.grouping, a.source, a.fingerprint, a.labels) for a in post.alerts]


def _receipt(seen: Sequence[Sighted]) -> Receipt:
    counts: dict[Sighting, int] = {}
    for s in seen:
        counts[s.sighting] = counts.get(s.sighting, 0) + 1
    return Receipt(touched([s.occurrence.incident_id for s in seen]), tuple(counts.items()))
