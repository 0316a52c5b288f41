"""What one transaction will write: incidents, their timeline and their deliveries, gathered and saved together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.domain.incident import Change, Entry, Incident, State, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Guidance
from incidentd.store import automation, incidents, outbox, proofs, runbooks, silences, timeline
from incidentd.store.engine import Tx
from incidentd.store.outbox import NewDelivery
from incidentd.store.runbooks import Attachment
from incidentd.workflows import audit, automation_opening, deployment_links
from incidentd.workflows.digest import in_digest, once
from incidentd.workflows.follow_ups import FollowUps
from incidentd.workflows.guidance import guided
from incidentd.workflows.rules import Rules


@dataclass(slots=True)
class Ledger:
    """Collects changes of incidents in the order they are decided; `save` writes them all, or nothing is written."""

    rules: Rules
    now: datetime
    fresh: dict[int, Incident] = field(default_factory=dict)
    """Incidents opened in this transaction."""
    changed: dict[int, Incident] = field(default_factory=dict)
    """Incidents loaded from the store and changed."""
    entries: list[tuple[int, int, datetime, Entry]] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    """Every decision that moved a state or told somebody: what metrics and logs are made of, after the commit."""
    attached: list[Attachment] = field(default_factory=list)
    """Runbooks of incidents opened in this transaction."""
    trace: str | None = None
    """The context of what is being decided; None: that of the transaction."""
    traces: dict[int, str] = field(default_factory=dict)
    """Incident -> the context of what was decided about it last."""
    follow_ups: FollowUps = field(init=False)

    def __post_init__(self) -> None:
        self.follow_ups = FollowUps(self.rules.paging, self.now)

    def put(self, incident: Incident) -> None:
        """Remember the newest value of an incident."""
        if incident.id in self.fresh:
            self.fresh[incident.id] = incident
        else:
            self.changed[incident.id] = incident

    def note(self, incident: Incident, entry: Entry) -> Incident:
        """Append a timeline entry: the incident with its sequence number and its last instant moved on."""
        seq, at = incident.last_seq + 1, incident.moment(self.now)
        self.entries.append((incident.id, seq, at, entry))
        return evolve(incident, last_seq=seq, last_at=at)

    def apply(self, change: Change) -> Incident:
        """Take a decision: its timeline entry, its deliveries, its next value."""
        incident, told = change.incident, len(self.deliveries)
        if change.entry is not None:
            incident = self.note(incident, change.entry)
        if change.notice is not None:
            incident = self._tell(incident, change, change.notice)
        if self.trace is not None:
            self.deliveries[told:] = [replace(row, trace=self.trace) for row in self.deliveries[told:]]
            self.traces[incident.id] = self.trace
        incident = self.follow_ups.of(change, incident)
        self.put(incident)
        self.changes.append(replace(change, incident=incident))
        return incident

    def open(self, incident: Incident, entry: Entry, notice: Notice | None) -> Incident:
        """Take a new incident, with the runbook that fits it."""
        self.fresh[incident.id] = incident
        choice = self.rules.runbook_of(incident)
        if (book := choice.runbook) is not None:
            self.attached.append(Attachment(incident.id, book, choice.text))
            known = {"name": book.name, "hash": book.hash, "reason": choice.text}
            entry = replace(
                entry, text=f"{entry.text}; runbook {book.name}", data={**entry.data, "runbook": known}
            )
        return self.apply(Change(incident, entry, notice))

    def _tell(self, incident: Incident, change: Change, notice: Notice) -> Incident:
        if incident.suppressed_by is not None:
            # Whatever happens to it in the window, nobody has heard of it; people are told when that ends.
            return incident
        if notice is Notice.UPDATED and not change.at_once:
            if incident.update_queued or not set(incident.notify) - {change.source_channel}:
                return incident
            incident = evolve(incident, update_queued=True)
        elif incident.update_queued:
            # This notice shows the newest state and overtakes the waiting update: a later change needs its own.
            incident = evolve(incident, update_queued=False)
        actor = change.entry.actor if change.entry else "source"
        told = self.rules.deliveries(incident, notice, actor, change.comment, self.now)
        if change.at_once:
            told = [replace(row, not_before=self.now) for row in told]
        told = in_digest(incident, told, self.rules.paging, self.now)
        self.deliveries += [row for row in told if row.channel != change.source_channel]
        return incident

    def save(self, tx: Tx) -> None:
        """Write everything."""
        for near in deployment_links.of(tx, self.fresh.values(), self.rules.blame):
            self.apply(Change(self.fresh[near.incident], near.entry))
        # Closed ones first: within one transaction too a group must never have two open incidents.
        incidents.save(tx, sorted(self.changed.values(), key=lambda incident: incident.open))
        incidents.add(tx, list(self.fresh.values()))
        timeline.append(tx, self.entries)
        runbooks.attach(tx, self.attached, self.now)
        books = [(self.fresh[each.incident_id], each.runbook) for each in self.attached]
        automation_opening.begin(tx, books, self.rules.automation, self.now)
        automation_opening.rise(tx, self._worse(), self.rules.automation, self.now)
        self.changes = guided(tx, self.changes)
        self.follow_ups.save(tx, self.fresh.keys())
        over = self._over()
        silences.end(tx, over, "its incident is resolved", self.now)
        # Without automation too: offers may be left from when it was enabled. Who has no runbook never had any.
        guided_by_one = {c.incident.id for c in self.changes if c.guidance is Guidance.RUNBOOK}
        automation.end_offers(
            tx, [n for n in over if n in guided_by_one], "its incident is resolved", self.now
        )
        proofs.acknowledged(tx, self._who_acknowledged(), self.now)
        audit.incidents_changed(tx, self.entries, {**self.changed, **self.fresh}, self.now)
        ends = [
            replace(row, trace=self.traces.get(row.incident_id))
            for row in self.follow_ups.told(tx, self.deliveries)
        ]
        outbox.enqueue(tx, [*once(tx, self.deliveries), *ends])

    def _over(self) -> list[int]:
        """Incidents that are resolved by what was decided."""
        ended = {c.incident.id for c in self.changes if c.entry is not None and c.entry.kind == "resolved"}
        # One that fires again within the same batch is not over.
        return sorted(
            [number for number in ended if not (self.changed.get(number) or self.fresh[number]).open]
        )

    def _worse(self) -> list[Incident]:
        """Incidents that may be worse than they ever were."""
        kinds = {"severity_raised", "reopened"}
        found = sorted({number for number, _, _, entry in self.entries if entry.kind in kinds})
        return [
            self.changed[number] for number in found if number in self.changed and self.changed[number].open
        ]

    def _who_acknowledged(self) -> list[str]:
        """The configured people who did: it proves that they can."""
        actors = [
            change.entry.actor for change in self.changes if change.entry and _is_acknowledgement(change)
        ]
        return [actor for actor in actors if actor in self.rules.paging.people]

    def telling(self) -> bool:
        """True if the outbox got something to send at once."""
        return any(row.not_before <= self.now for row in self.deliveries)


def _is_acknowledgement(change: Change) -> bool:
    return change.notice is Notice.ACKNOWLEDGED and change.incident.state is State.ACKNOWLEDGED


def touched(ids: Iterable[int | None]) -> tuple[int, ...]:
    """Incident ids for an answer: each once, in order."""
    return tuple(sorted({i for i in ids if i is not None}))
