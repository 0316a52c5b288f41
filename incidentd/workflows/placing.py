"""Occurrences into incidents: join, reopen, open, raise, end, in the order the alerts came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from incidentd.domain import response
from incidentd.domain.alert import Alert
from incidentd.domain.correlate import QUIET, Placement, Sighting, common_labels, place
from incidentd.domain.incident import SOURCE, Change, Entry, Incident, State, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.response import Telling
from incidentd.domain.severity import Severity
from incidentd.store import incidents as store
from incidentd.store import schema
from incidentd.store.alerts import OccurrenceRecord
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import readable

_NAMED = 10
"""How many members one timeline entry names; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """One alert of a post, compared with what was known just before it."""

    alert: Alert
    occurrence: OccurrenceRecord
    """The occurrence it speaks of."""
    previous: OccurrenceRecord | None
    """What was known before: the same occurrence, an older one, or nothing."""
    sighting: Sighting
    severity: Severity
    group: str


@dataclass(slots=True)
class _Working:
    """An incident while a batch works on it: the counters move per alert, the rest is settled once."""

    incident: Incident
    firing: int
    total: int
    joined: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Placing:
    """Places the occurrences of one batch. Incidents are loaded once, decided in order, written by the ledger."""

    tx: Tx
    ledger: Ledger
    ids: Ids
    working: dict[int, _Working] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    """Group key -> its open incident."""
    resolved: dict[str, int] = field(default_factory=dict)
    """Group key -> its most recently resolved incident, if that may still be reopened."""
    touched: dict[int, None] = field(default_factory=dict)
    """Incidents whose counters moved in the current post."""

    @classmethod
    def load(cls, tx: Tx, ledger: Ledger, sighted: Sequence[Sighted]) -> Placing:
        """Read every incident the batch can concern, in a constant number of statements."""
        wanted = [s for s in sighted if s.sighting not in QUIET]
        placing = cls(tx, ledger, Ids(tx, schema.incidents, len({s.group for s in wanted})))
        if not wanted:
            return placing
        groups = list(dict.fromkeys([s.group for s in wanted if s.sighting is not Sighting.ENDED]))
        ids = {s.previous.incident_id for s in wanted if s.previous and s.previous.incident_id}
        for incident in store.open_by_group(tx, groups) if groups else ():
            placing._take(incident)
        missing = sorted(ids - placing.working.keys())
        for incident in store.by_ids(tx, missing):
            placing._take(incident)
        closed = [group for group in groups if group not in placing.open]
        if closed:
            since = ledger.now - ledger.rules.reopen_window
            for incident in store.resolved_since(tx, closed, since):
                placing._take(placing._loaded(incident))
        return placing

    def _loaded(self, incident: Incident) -> Incident:
        known = self.working.get(incident.id)
        return known.incident if known else incident

    def _take(self, incident: Incident) -> _Working:
        work = self.working.get(incident.id)
        if work is None:
            work = self.working[incident.id] = _Working(incident, incident.alerts_firing, incident.alerts_total)
        work.incident = incident
        self._index(incident)
        return work

    def _index(self, incident: Incident) -> None:
        group = incident.group_key
        if incident.open:
            self.open[group] = incident.id
            return
        if self.open.get(group) == incident.id:
            del self.open[group]
        rival = self.working.get(self.resolved.get(group, 0))
        if rival is None or _resolved_later(incident, rival.incident):
            self.resolved[group] = incident.id

    def place_post(self, seen: Sequence[Sighted], truncated: int) -> None:
        """Place the alerts of one post, then tell of the groups that grew."""
        for s in seen:
            if s.sighting in QUIET:
                continue
            if s.sighting is Sighting.ENDED:
                self._end(s)
            else:
                self._start(s)
        if truncated:
            self._warn_truncated(seen, truncated)
        for incident_id in self.touched:
            self._settle(self.working[incident_id], tell=True)
        self.touched.clear()

    # -- an occurrence begins ---------------------------------------------------------------------------------
    def _start(self, s: Sighted) -> None:
        own = s.previous.incident_id if s.previous else None
        if s.sighting is Sighting.NEWER and own is not None:
            self._leave(self.working.get(own), s)
        current = self._work_of(self.open.get(s.group))
        last = self._work_of(own if s.sighting is Sighting.REFIRED else self.resolved.get(s.group))
        where = place(
            s.sighting,
            current.incident if current else None,
            last.incident if last else None,
            self.ledger.now,
            self.ledger.rules.reopen_window,
        )
        work = self._placed(where, s, current, last)
        work.firing += 1
        if own != work.incident.id:
            work.total += 1
        s.occurrence.incident_id = work.incident.id
        self.touched[work.incident.id] = None

    def _work_of(self, incident_id: int | None) -> _Working | None:
        return None if incident_id is None else self.working.get(incident_id)

    def _leave(self, work: _Working | None, s: Sighted) -> None:
        """The old occurrence ended unannounced: it leaves its incident's count before the new one joins."""
        if work is None:
            return
        work.firing -= 1
        self.touched[work.incident.id] = None

    def _placed(self, where: Placement, s: Sighted, current: _Working | None, last: _Working | None) -> _Working:
        if where is Placement.JOIN:
            assert current is not None
            return self._join(current, s)
        if where in {Placement.OPEN, Placement.OPEN_HELD}:
            return self._open(s, held=where is Placement.OPEN_HELD)
        assert last is not None
        if where is Placement.STAY_QUIET:
            return last
        self._settle(last, tell=False)
        if where is Placement.REOPEN:
            return self._apply(last, response.refired(last.incident, self._telling(s), alert_name=s.alert.name))
        until = self.ledger.now + self.ledger.rules.reopen_hold
        return self._apply(last, response.refired_same_start(last.incident, alert_name=s.alert.name, until=until))

    def _join(self, work: _Working, s: Sighted) -> _Working:
        work.joined.append(s.alert.title)
        i = work.incident
        labels = common_labels(i.labels, s.alert.labels)
        if labels is not i.labels or s.alert.starts_at < i.started_at:
            work.incident = evolve(i, labels=labels, started_at=min(i.started_at, s.alert.starts_at))
        if i.held_until is not None and s.sighting is not Sighting.REFIRED:
            self._settle(work, tell=False)
            self._apply(work, response.hold_ended(work.incident))
        return self._raise_if_worse(work, s)

    def _raise_if_worse(self, work: _Working, s: Sighted) -> _Working:
        if not s.severity.worse_than(work.incident.severity):
            return work
        self._settle(work, tell=False)
        return self._apply(work, response.raised(work.incident, self._telling(s)))

    def _telling(self, s: Sighted) -> Telling:
        decision = self.ledger.rules.route_of(s.alert.labels, s.severity)
        return Telling(s.severity, decision.notify, readable(decision), decision.escalation)

    def _open(self, s: Sighted, *, held: bool) -> _Working:
        now, alert = self.ledger.now, s.alert
        decision = self.ledger.rules.route_of(alert.labels, s.severity)
        incident = Incident(
            id=self.ids.take(),
            source=alert.source,
            group_key=s.group,
            title=alert.title[:_TITLE],
            state=State.TRIGGERED,
            severity=s.severity,
            service=alert.service[:_TITLE],
            labels=dict(alert.labels),
            notify=decision.notify,
            route=readable(decision),
            escalation=decision.escalation,
            opened_at=now,
            started_at=alert.starts_at,
            held_until=now + self.ledger.rules.reopen_hold if held else None,
            runbook_url=alert.annotations.get("runbook_url") or None,
        )
        entry = Entry(
            "triggered",
            SOURCE,
            f"{alert.name} fires" + (": it had been reported ended before, so it is held" if held else ""),
            {
                "fingerprint": alert.fingerprint,
                "starts_at": alert.starts_at.isoformat(),
                "route": incident.route,
                "notify": list(decision.notify),
                "reason": decision.reason.value,
            },
        )
        incident = self.ledger.open(incident, entry, None if held else Notice.TRIGGERED)
        return self._take(incident)

    # -- an occurrence ends -----------------------------------------------------------------------------------
    def _end(self, s: Sighted) -> None:
        work = self._work_of(s.occurrence.incident_id)
        if work is None:
            return
        work.firing -= 1
        work.ended.append(s.alert.title)
        ended = s.alert.ends_at or s.alert.starts_at
        work.incident = evolve(work.incident, ended_at=max(ended, work.incident.ended_at or ended))
        self.touched[work.incident.id] = None
        if work.incident.open and work.firing == 0:
            self._settle(work, tell=False)
            change = response.ended_by_source(
                work.incident, self.ledger.now, ended, administrative=s.alert.administrative
            )
            self._apply(work, change)

    # -- settling ---------------------------------------------------------------------------------------------
    def _apply(self, work: _Working, change: Change) -> _Working:
        work.incident = self.ledger.apply(change)
        self._index(work.incident)
        return work

    def _settle(self, work: _Working, *, tell: bool) -> None:
        """Write the counters and the gathered member lines into the incident; `tell` queues an update of them."""
        incident = evolve(work.incident, alerts_firing=work.firing, alerts_total=work.total)
        grew = bool(work.joined)
        if work.ended:
            incident = self.ledger.note(incident, _members("alerts_ended", "ended", work.ended))
        if work.joined:
            incident = self.ledger.note(incident, _members("alerts_joined", "joined", work.joined))
        work.joined, work.ended = [], []
        work.incident = incident
        if tell and grew and incident.open and not incident.quiet:
            work.incident = self.ledger.apply(Change(incident, None, Notice.UPDATED))
        else:
            self.ledger.put(incident)

    def _warn_truncated(self, seen: Sequence[Sighted], truncated: int) -> None:
        """The sender left alerts out of its body: say so on the incidents it spoke of."""
        ids = {s.occurrence.incident_id for s in seen} - {None}
        for incident in store.by_ids(self.tx, sorted(i for i in ids if i is not None and i not in self.working)):
            self._take(incident)
        for incident_id in ids:
            work = self._work_of(incident_id)
            if work is None or work.incident.truncated == truncated or not work.incident.open:
                continue
            self._settle(work, tell=False)
            text = f"the sender cut {truncated} alert(s) from its body (max_alerts): their state is not known here"
            marked = evolve(work.incident, truncated=truncated)
            work.incident = self.ledger.note(marked, Entry("truncated", "incidentd", text, {"truncated": truncated}))
            self.touched[work.incident.id] = None


_TITLE = 300
"""Longest title and service stored on an incident, in characters."""


def _resolved_later(a: Incident, b: Incident) -> bool:
    return (a.resolved_at or _NEVER, a.id) > (b.resolved_at or _NEVER, b.id)


_NEVER = datetime.min


def _members(kind: str, verb: str, titles: Sequence[str]) -> Entry:
    shown = list(titles[:_NAMED])
    more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
    return Entry(kind, SOURCE, f"{len(titles)} alert(s) {verb}: {'; '.join(shown)}{more}", {"count": len(titles)})
