"""The incidents a batch works on: loaded together, found by id and by group, settled once per post."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from incidentd.domain import flapping, heartbeat, response
from incidentd.domain.incident import SOURCE, Change, Entry, Incident, evolve
from incidentd.domain.maintenance import Window
from incidentd.domain.notification import Notice
from incidentd.store import heartbeats
from incidentd.store import incidents as store
from incidentd.store.engine import Tx
from incidentd.workflows import drill_opening, maintenance
from incidentd.workflows.ledger import Ledger

_NAMED = 10
"""How many members one timeline entry names; the rest is a number."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Numbers(Protocol):
    """Hands out the numbers of rows before they are written."""

    def take(self) -> int:
        """The next number."""
        ...


@dataclass(slots=True)
class Working:
    """An incident while a batch works on it: the counters move per alert, the rest is settled once per post."""

    incident: Incident
    firing: int
    total: int
    joined: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    over: datetime | None = None
    """The latest end among the occurrences that ended in the current post."""
    administrative: bool = False
    """That end repaired nothing."""
    grew: bool = False
    """It has new members since the current post began."""
    told: bool = False
    """The current post already tells people of it, in a message that shows the members too."""

    def end(self, title: str, at: datetime, *, administrative: bool) -> None:
        """An occurrence is over."""
        self.firing -= 1
        self.ended.append(title)
        self.replaced(at, administrative=administrative)

    def replaced(self, at: datetime, *, administrative: bool = False) -> None:
        """Remember the end of an occurrence."""
        if self.over is None or at >= self.over:
            self.over, self.administrative = at, administrative


@dataclass(slots=True)
class Bench:
    """Incidents by id and by group, held in memory. What is decided about them goes to the ledger."""

    ledger: Ledger
    known: dict[int, Working] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    """Group key -> its open incident."""
    resolved: dict[str, int] = field(default_factory=dict)
    """Group key -> its most recently resolved incident, if that may still be reopened."""
    silent: dict[str, str] = field(default_factory=dict)
    """Sources that have a heartbeat which is missing -> its name."""
    windows: tuple[Window, ...] = ()
    """Maintenance that holds now."""
    touched: dict[int, None] = field(default_factory=dict)
    """Incidents that the current post concerns."""
    gone: str = ""
    """Why alerts end although their source does not say so; empty for a post of the source."""

    def aimed(self, incident: Incident) -> Incident:
        """A new incident as it is to open: a drill is marked."""
        return drill_opening.marked(incident)

    def opened(self, incident: Incident) -> Incident:
        """A new incident with what follows from its being a drill; nothing, in memory."""
        return incident

    def load_ids(self, ids: set[int]) -> None:
        """Make sure that these are known, if there is more than what is held in memory."""

    def _take_all(self, incidents: Iterable[Incident]) -> None:
        for incident in incidents:
            if incident.id not in self.known:
                self.take(incident)

    def take(self, incident: Incident) -> Working:
        """Begin to work on an incident."""
        work = self.known[incident.id] = Working(incident, incident.alerts_firing, incident.alerts_total)
        self._index(incident)
        return work

    def by_id(self, incident_id: int | None) -> Working | None:
        """The incident, if it was loaded and still exists."""
        return None if incident_id is None else self.known.get(incident_id)

    def open_in(self, group: str) -> Working | None:
        """The open incident of a group."""
        return self.by_id(self.open.get(group))

    def last_in(self, group: str) -> Working | None:
        """The group's most recently resolved incident, unless that was too long ago to matter."""
        return self.by_id(self.resolved.get(group))

    def _index(self, incident: Incident) -> None:
        group = incident.group_key
        if incident.open:
            self.open[group] = incident.id
            return
        if self.open.get(group) == incident.id:
            del self.open[group]
        rival = self.last_in(group)
        if rival is None or _resolved_later(incident, rival.incident):
            self.resolved[group] = incident.id

    def touch(self, work: Working) -> None:
        """The current post concerns this incident."""
        self.touched[work.incident.id] = None

    def apply(self, work: Working, change: Change) -> Working:
        """Take a decision about an incident."""
        work.incident = self.ledger.apply(change)
        work.told = work.told or change.notice is not None
        self._index(work.incident)
        return work

    def settle(self, work: Working) -> Incident:
        """Write the counters and the gathered member lines into the incident."""
        incident = evolve(work.incident, alerts_firing=work.firing, alerts_total=work.total)
        if work.over is not None and incident.open:
            incident = evolve(incident, ended_at=max(work.over, incident.ended_at or work.over))
        if work.ended:
            incident = self.ledger.note(incident, _members("alerts_ended", "ended", work.ended))
        if work.joined:
            incident = self.ledger.note(incident, _members("alerts_joined", "joined", work.joined))
            work.grew = True
        work.joined, work.ended = [], []
        work.incident = incident
        return incident

    def end_post(self) -> None:
        """A post is placed: close what has nothing firing left, and tell of the groups that grew.

        Only now, for in one body the resolved alerts may stand before the firing ones.
        """
        for incident_id in self.touched:
            work = self.known[incident_id]
            incident = self.settle(work)
            if incident.open and work.over is not None and work.firing <= 0:
                self.apply(work, self._ended(incident, work, work.over))
            elif work.grew and incident.open and not incident.quiet and not work.told:
                self.apply(work, Change(incident, None, Notice.UPDATED))
            else:
                self.ledger.put(incident)
            work.over, work.administrative, work.grew, work.told = None, False, False, False
        self.touched.clear()

    def _ended(self, incident: Incident, work: Working, over: datetime) -> Change:
        """Its alerts have all ended by its source's word."""
        now = self.ledger.now
        if incident.source in self.silent:
            missing = self.silent[incident.source]
            return heartbeat.unsure(incident, missing, now, administrative=work.administrative)
        if incident.flapping_since is not None:
            rules = self.ledger.rules.flapping
            return flapping.withheld(incident, rules, now, administrative=work.administrative)
        return response.ended_by_source(
            incident, now, over, administrative=work.administrative, gone=self.gone
        )


@dataclass(slots=True)
class Workbench(Bench):
    """The incidents of one transaction, read from the store."""

    tx: Tx = field(kw_only=True)

    def load(self, groups: Sequence[str], ids: set[int], returning: set[int]) -> None:
        """Read the incidents of a batch in a constant number of statements.

        `groups`: of occurrences that begin; `ids`: where known occurrences are; `returning`: those of `ids` that
        may be reopened.
        """
        self.windows = maintenance.in_force(self.tx, self.ledger.rules, self.ledger.now)
        if self.ledger.rules.expected:
            self.silent = heartbeats.silent(self.tx)
        self._take_all(store.open_by_group(self.tx, groups) if groups else ())
        self._take_all(store.by_ids(self.tx, sorted(ids - self.known.keys())))
        # After a change of `grouping.by` an occurrence's own incident stands under another key than its alert now
        # has, and reopening it must not make that key's second open incident.
        own = {
            work.incident.group_key
            for i, work in self.known.items()
            if i in returning and not work.incident.open
        }
        strays = sorted(own.difference(groups))
        if strays:
            self._take_all(store.open_by_group(self.tx, strays))
        closed = [group for group in groups if group not in self.open]
        if closed:
            since = self.ledger.now - self.ledger.rules.reopen_window
            self._take_all(store.resolved_since(self.tx, closed, since))

    def aimed(self, incident: Incident) -> Incident:
        """A new incident as it is to open: a drill is marked, and tells those whom it was asked for."""
        return drill_opening.aimed(self.tx, incident)

    def opened(self, incident: Incident) -> Incident:
        """A new incident, with the people paged whom a drill is for."""
        return incident if incident.drill is None else drill_opening.opened(self.tx, self.ledger, incident)

    def load_ids(self, ids: set[int]) -> None:
        """Read further incidents."""
        self._take_all(store.by_ids(self.tx, sorted(ids - self.known.keys())))


def _resolved_later(a: Incident, b: Incident) -> bool:
    return (a.resolved_at or _NEVER, a.id) > (b.resolved_at or _NEVER, b.id)


def _members(kind: str, verb: str, titles: Sequence[str]) -> Entry:
    more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
    text = f"{len(titles)} alert(s) {verb}: {'; '.join(titles[:_NAMED])}{more}"
    return Entry(kind, SOURCE, text, {"count": len(titles)})
