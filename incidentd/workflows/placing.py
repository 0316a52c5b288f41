"""Occurrences into incidents: join, reopen, open, raise, end, in the order the alerts came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.domain import flapping, heartbeat, maintenance, response
from incidentd.domain.alert import Alert
from incidentd.domain.correlate import QUIET, RETURNING, Placement, Sighting, common_labels, place
from incidentd.domain.incident import SOURCE, Change, Entry, Incident, State, evolve
from incidentd.domain.notification import Notice
from incidentd.domain.response import Telling
from incidentd.domain.routing import RoutingDecision
from incidentd.domain.severity import Severity
from incidentd.store import alerts as alert_store
from incidentd.store import schema
from incidentd.store.alerts import OccurrenceRecord
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows import explain_trail
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import readable
from incidentd.workflows.working import Bench, Numbers, Workbench, Working

_TITLE = 300
"""Longest title and service stored on an incident, in characters."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """One alert of a post, compared with what was known just before it."""

    alert: Alert
    occurrence: OccurrenceRecord
    """The occurrence it speaks of."""
    previous: OccurrenceRecord | None
    """What was known before: the same occurrence, an older one, or nothing."""
    over_since: datetime | None
    """When what was known before had ended."""
    sighting: Sighting
    severity: Severity
    group: str
    roams: bool = False
    """It had several occurrences before: it may come back to an incident that it has left."""


@dataclass(slots=True)
class Placing:
    """Places the occurrences of one batch. Incidents are loaded once, decided in order, written by the ledger."""

    ledger: Ledger
    ids: Numbers
    bench: Bench
    roaming: dict[int, set[int]]
    """Alert -> the incidents it was part of, as far as counting needs it: only of alerts that may come back."""

    @classmethod
    def load(cls, tx: Tx, ledger: Ledger, sighted: Sequence[Sighted]) -> Placing:
        """Read every incident the batch can concern, in a constant number of statements."""
        wanted = [s for s in sighted if s.sighting not in QUIET]
        groups = list(dict.fromkeys([s.group for s in wanted if s.sighting is not Sighting.ENDED]))
        bench = Workbench(ledger, tx=tx)
        if wanted:
            # Incidents that this very batch opens need no loading: the bench knows them from then on.
            known = [(s.previous.incident_id, s.sighting) for s in wanted if s.previous is not None]
            ids = {i for i, _ in known if i is not None}
            bench.load(groups, ids, {i for i, sighting in known if i and sighting in RETURNING})
        return cls(ledger, Ids(tx, schema.incidents, len(groups)), bench, _roaming(tx, bench, wanted))

    def place_post(self, seen: Sequence[Sighted], truncated: int | None) -> None:
        """Place the alerts of one post, then settle the incidents it concerned."""
        for s in seen:
            if s.sighting in QUIET:
                continue
            if s.sighting is Sighting.ENDED:
                self._end(s)
            else:
                self._start(s)
        if truncated is not None:
            self._heed_truncation(seen, truncated)
        self.bench.end_post()

    # -- an occurrence begins ---------------------------------------------------------------------------------
    def _start(self, s: Sighted) -> None:
        own = self.bench.by_id(s.previous.incident_id) if s.previous else None
        if s.sighting is Sighting.NEWER and own is not None:
            # The old occurrence ended unannounced: it leaves its incident's count before the new one joins.
            own.firing -= 1
            own.replaced(s.alert.starts_at)
            self.bench.touch(own)
        elif s.sighting is Sighting.REFIRED and own is None and s.occurrence.incident_id is not None:
            # Retention has deleted the incident, and with it the row of this occurrence.
            s.occurrence.fresh = True
        work = self._placed(s, own)
        if s.sighting is Sighting.NEWER and own is not None and own is not work:
            own.ended.append(s.alert.title)
        work.firing += 1
        if own is not work and self._joins(s.occurrence.alert_id, work.incident.id):
            work.total += 1
        s.occurrence.incident_id = work.incident.id
        self.bench.touch(work)

    def _joins(self, alert_id: int, incident_id: int) -> bool:
        """True if the alert becomes part of the incident for the first time, as far as anybody knows."""
        known = self.roaming.get(alert_id)
        if known is None:
            return True
        new = incident_id not in known
        known.add(incident_id)
        return new

    def _placed(self, s: Sighted, own: Working | None) -> Working:
        bench, returning = self.bench, s.sighting in RETURNING
        current = bench.open_in(s.group)
        if current is None and returning and own is not None:
            current = bench.open_in(own.incident.group_key)
        last = own if returning else bench.last_in(s.group)
        where = place(
            s.sighting,
            current.incident if current else None,
            last.incident if last else None,
            self.ledger.now,
            self.ledger.rules.reopen_window,
            s.over_since,
        )
        target = current if where is Placement.JOIN else last
        if target is None or where in {Placement.OPEN, Placement.OPEN_HELD}:
            return self._open(s, held=where is Placement.OPEN_HELD)
        if where is Placement.STAY_QUIET:
            return target
        if where is Placement.JOIN:
            return self._join(target, s)
        return self._reopen(target, s, held=where is Placement.REOPEN_HELD)

    def _reopen(self, work: Working, s: Sighted, *, held: bool) -> Working:
        self._admit(work, s)
        incident, telling, name = self.bench.settle(work), self._telling(s), s.alert.name
        if held:
            until = self.ledger.now + self.ledger.rules.reopen_hold
            change = response.refired_same_start(incident, telling, alert_name=name, until=until)
        else:
            change = response.refired(incident, telling, alert_name=name, since=s.alert.starts_at)
            change = flapping.refired(change, self.ledger.rules.flapping, self.ledger.now)
        window = maintenance.covering(self.bench.windows, s.alert.labels)
        return self.bench.apply(work, maintenance.quietened(change, window))

    def _join(self, work: Working, s: Sighted) -> Working:
        work.joined.append(s.alert.title)
        self._admit(work, s)
        if work.incident.resolve_withheld_at is not None:
            self.bench.apply(work, self._back(self.bench.settle(work), s.alert.name))
        if work.incident.held_until is not None and s.sighting not in RETURNING:
            because = f"a new occurrence fires: {s.alert.name}"
            self.bench.apply(work, response.hold_ended(self.bench.settle(work), because=because))
        if s.severity.worse_than(work.incident.severity):
            self.bench.apply(work, response.raised(self.bench.settle(work), self._telling(s)))
        if work.incident.suppressed_by and not maintenance.covering(self.bench.windows, s.alert.labels):
            self.bench.apply(work, maintenance.uncovered(self.bench.settle(work), s.alert.name))
        return work

    def _back(self, incident: Incident, alert_name: str) -> Change:
        """It fires again before its withheld resolve was believed."""
        if incident.resolve_withheld_for == heartbeat.Withheld.FLAPPING:
            rules, now = self.ledger.rules.flapping, self.ledger.now
            return flapping.back(incident, rules, now, alert_name=alert_name)
        return heartbeat.contradicted(incident, alert_name)

    def _admit(self, work: Working, s: Sighted) -> None:
        """What the incident's alerts have in common, and since when: with one more of them."""
        i, starts_at = work.incident, s.alert.starts_at
        labels = common_labels(i.labels, s.alert.labels)
        if starts_at < i.began_at:
            # What was over in between, or is less bad than what is known, makes no figure look further back.
            as_bad = s.sighting not in RETURNING and not i.severity.worse_than(s.severity)
            first, counted = min(i.started_at, starts_at), starts_at if as_bad else i.began_at
            since = {"started_at": first, "counted_from": None if counted == first else counted}
            work.incident = evolve(i, labels=labels, **since)
        elif labels is not i.labels:
            work.incident = evolve(i, labels=labels)

    def _telling(self, s: Sighted) -> Telling:
        decision = self.ledger.rules.route_of(s.alert.labels, s.severity)
        trail = self._trail(s, decision)
        return Telling(s.severity, decision.notify, readable(decision), decision.escalation, trail)

    def _trail(self, s: Sighted, decision: RoutingDecision) -> dict[str, object]:
        return explain_trail.of_alert(self.ledger.rules, s.alert, s.severity, s.sighting, decision)

    def _open(self, s: Sighted, *, held: bool) -> Working:
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
            counted_from=now if s.sighting in RETURNING else None,
            held_until=now + self.ledger.rules.reopen_hold if held else None,
            suppressed_by=maintenance.covering(self.bench.windows, alert.labels),
            runbook_url=alert.annotations.get("runbook_url") or None,
        )
        incident = self.bench.aimed(incident)
        entry = _triggered(alert, incident, decision.reason.value, self._trail(s, decision))
        opened = self.ledger.open(incident, entry, None if held else Notice.TRIGGERED)
        work = self.bench.take(self.bench.opened(opened))
        work.told = not held
        return work

    # -- an occurrence ends -----------------------------------------------------------------------------------
    def _end(self, s: Sighted) -> None:
        # The end may be that of a newer occurrence nobody saw begin: it was the same incident's.
        s.occurrence.incident_id = (s.previous or s.occurrence).incident_id
        work = self.bench.by_id(s.occurrence.incident_id)
        if work is None:
            return
        work.end(s.alert.title, s.alert.ends_at or s.alert.starts_at, administrative=s.alert.administrative)
        self.bench.touch(work)

    # -- what the sender left out -----------------------------------------------------------------------------
    def _heed_truncation(self, seen: Sequence[Sighted], truncated: int) -> None:
        """Show on open incidents how many alerts the sender left out of the body that spoke of them."""
        bench = self.bench
        if truncated:
            ids = {s.occurrence.incident_id for s in seen if s.occurrence.incident_id is not None}
            bench.load_ids(ids)
        else:
            ids = set(bench.touched)
        for incident_id in sorted(ids):
            work = bench.by_id(incident_id)
            if work is None or work.incident.truncated == truncated or not work.incident.open:
                continue
            incident = bench.settle(work)
            # One warning until a body is complete again: the number may change with every post.
            if not truncated:
                incident = self.ledger.note(
                    incident, Entry("complete", "incidentd", "the sender's body is complete again")
                )
            elif not incident.truncated:
                text = f"the sender cut {truncated} alert(s) from its body (max_alerts): their state is not known here"
                incident = self.ledger.note(
                    incident, Entry("truncated", "incidentd", text, {"truncated": truncated})
                )
            work.incident = evolve(incident, truncated=truncated)
            bench.touch(work)


def _roaming(tx: Tx, bench: Bench, wanted: Sequence[Sighted]) -> dict[int, set[int]]:
    """Alerts that may come back to an incident they have left -> where they were, of those they may be placed into.

    An alert that stays with its incident is not looked up: the usual case costs no statement.
    """
    known: dict[int, set[int]] = {}
    asked: set[int] = set()
    near: dict[int, Incident] = {}
    for s in wanted:
        if not s.roams or s.previous is None or s.sighting is Sighting.ENDED:
            continue
        alert_id, last = s.occurrence.alert_id, s.previous.incident_id
        known.setdefault(alert_id, set()).update([last] if last is not None else [])
        own = bench.by_id(last)
        for group in {s.group, own.incident.group_key} if own else {s.group}:
            for work in (bench.open_in(group), bench.last_in(group)):
                if work is not None and work.incident.id != last:
                    asked.add(alert_id)
                    near[work.incident.id] = work.incident
    if near:
        since = min(incident.started_at for incident in near.values())
        for alert_id, incident_id in alert_store.members(tx, sorted(asked), sorted(near), since):
            known[alert_id].add(incident_id)
    return known


def _triggered(alert: Alert, incident: Incident, reason: str, trail: Mapping[str, object]) -> Entry:
    text, window = f"{alert.name} fires", incident.suppressed_by
    data: dict[str, object] = {
        "fingerprint": alert.fingerprint,
        "starts_at": alert.starts_at.isoformat(),
        "route": incident.route,
        "notify": list(incident.notify),
        "reason": reason,
        explain_trail.DECISION: trail,
    }
    if incident.held_until is not None:
        text += ": it had been reported ended before, so it is held"
        data["held_until"] = incident.held_until.isoformat()
    if window is not None:
        text, data = f"{text}; suppressed: maintenance {window}", {**data, "suppressed_by": window}
    return Entry("triggered", SOURCE, text, data)
