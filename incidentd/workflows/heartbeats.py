"""Heartbeats: hearing them, incidents about those that are missing, and resolves that are not believed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from incidentd.domain import heartbeat as domain
from incidentd.domain import response
from incidentd.domain.alert import Alert
from incidentd.domain.heartbeat import Heartbeat, Pulse, PulseState, Trust, Turn, Withheld
from incidentd.domain.incident import OURSELVES, SOURCE, Change, Entry, Incident, State
from incidentd.domain.maintenance import covering, quietened
from incidentd.domain.notification import Notice
from incidentd.store import heartbeats, incidents, schema
from incidentd.store.engine import Tx
from incidentd.store.prepared import Ids
from incidentd.workflows import explain_trail, maintenance
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules, readable

GAP = timedelta(minutes=1)
"""A longer pause between two looks: the process slept, its database was away, or its clock was corrected."""

_REMEMBERED = timedelta(days=90)
"""How far back an incident is looked for that a person closed while its heartbeat was missing."""
PINGED = "heartbeats"
"""`source` of incidents about heartbeats that are pinged: no sender of alerts speaks of them."""


@dataclass(slots=True)
class Listening:
    """Since when this process has been able to hear: what was not heard before that is no absence."""

    since: datetime | None = None
    last: datetime | None = None
    refusals: int = 0

    def at(self, now: datetime, refusals: int = 0) -> datetime:
        """Since when, at a look that found the database there. `refusals`: how often it has refused a write so far.

        A beat may be among them: a full or read-only disk can be read all the time.
        """
        paused = self.last is None or abs(now - self.last) > GAP
        if self.since is None or paused or refusals != self.refusals:
            self.since = now
        self.last, self.refusals = now, refusals
        return self.since


@dataclass(slots=True)
class Signs:
    """What one batch of posts says of heartbeats; their last word counts."""

    beats: dict[str, bool] = field(default_factory=dict)
    """Name -> whether it beats, or its alert is over."""
    over: set[str] = field(default_factory=set)
    """Fingerprints of the alerts that are over."""

    def take(self, rules: Rules, alert: Alert, *, over: bool) -> None:
        """Note an alert that is a heartbeat. `over`: the source has said that it ended."""
        if alert.firing or over:
            for name, heartbeat in rules.expected.items():
                if heartbeat.source == alert.source and heartbeat.beats(alert.labels):
                    self.beats[name] = alert.firing
            (self.over.discard if alert.firing else self.over.add)(alert.fingerprint)

    def save(self, tx: Tx, rules: Rules, now: datetime) -> None:
        """Write them, in a fixed order so that replicas cannot block each other."""
        for name, beats in sorted(self.beats.items()):
            expected = rules.expected[name]
            if beats:
                heartbeats.beat(tx, name, expected.source, now)
            elif not self._beats_elsewhere(tx, expected, now):
                heartbeats.end(tx, name, now)

    def _beats_elsewhere(self, tx: Tx, expected: Heartbeat, now: datetime) -> bool:
        """True if another alert that fits was seen firing lately: replicas may each have their own."""
        seen = heartbeats.firing(tx, expected.source, now - expected.patience)
        return any(expected.beats(labels) for print_, labels in seen if print_ not in self.over)


def ping(tx: Tx, expected: Heartbeat, now: datetime) -> Pulse:
    """Somebody says that what this heartbeat stands for is alive."""
    heartbeats.beat(tx, expected.name, expected.source, now)
    return heartbeats.all_of(tx)[expected.name]


def watch_due(tx: Tx, rules: Rules, listening_since: datetime, now: datetime) -> bool:
    """True if `watch` would change something: a read, so that an idle daemon writes nothing."""
    pulses = heartbeats.all_of(tx)
    return bool(_turns(rules, pulses, listening_since, now) or _judged(tx, rules, pulses, now))


def watch(tx: Tx, rules: Rules, listening_since: datetime, now: datetime) -> tuple[Change, ...]:
    """Open an incident for each heartbeat that is missing, resolve it when it is back, and believe what can be."""
    ledger = Ledger(rules, now)
    known = {pulse.name: pulse for pulse in heartbeats.all_of(tx).values()}
    incidents.lock_groups(tx, [_group(name) for name in known.keys() | rules.expected.keys()])
    # Again, under the locks: a beat or another replica may have come first.
    pulses = heartbeats.locked(tx)
    for name, what in _turns(rules, pulses, listening_since, now):
        pulses[name] = _turned(tx, ledger, name, what, pulses.get(name))
    for change in _judged(tx, rules, pulses, now, locked=True):
        ledger.apply(change)
    ledger.save(tx)
    return tuple(ledger.changes)


def missing(pulses: Mapping[str, Pulse], rules: Rules) -> dict[str, bool]:
    """Every expected heartbeat -> whether it is missing: what the metric shows."""
    return {
        name: name in pulses and pulses[name].state in {PulseState.MISSING, PulseState.BACK}
        for name in sorted(rules.expected)
    }


def _group(name: str) -> str:
    return f"heartbeat:{name}"


def _turns(
    rules: Rules, pulses: Mapping[str, Pulse], listening_since: datetime, now: datetime
) -> list[tuple[str, Turn | None]]:
    """What has to be done about each; None for one that is not expected any more."""
    found: list[tuple[str, Turn | None]] = []
    for name in sorted(pulses.keys() | rules.expected.keys()):
        if name not in rules.expected:
            found.append((name, None))
        elif what := domain.turn(rules.expected[name], pulses.get(name), listening_since, now):
            found.append((name, what))
    return found


def _turned(tx: Tx, ledger: Ledger, name: str, what: Turn | None, pulse: Pulse | None) -> Pulse:
    now = ledger.now
    expected = ledger.rules.expected.get(name)
    if expected is None or pulse is None:
        fresh = Pulse(name, expected.source if expected else "", PulseState.WAITING, now)
        if expected is not None:
            heartbeats.save(tx, fresh)
        else:
            heartbeats.forget(tx, name)
            _resolve(tx, ledger, name, "it is not configured any more", administrative=True)
        return fresh
    if what is Turn.LOST:
        after = replace(pulse, state=PulseState.MISSING, since=now)
        _open(tx, ledger, expected, pulse)
    else:
        after = replace(pulse, state=PulseState.BEATING)
        _resolve(tx, ledger, name, "it is back", administrative=False)
    heartbeats.save(tx, after)
    return after


def _open(tx: Tx, ledger: Ledger, expected: Heartbeat, pulse: Pulse) -> None:
    rules, now = ledger.rules, ledger.now
    if incidents.open_by_group(tx, [expected.group_key]):
        return
    labels = {"alertname": domain.ALERTNAME, "heartbeat": expected.name}
    labels |= {"source": expected.source} if expected.source else {}
    telling = _telling(rules, expected, labels)
    window = covering(maintenance.in_force(tx, rules, now), labels)
    since = now - rules.reopen_window
    last = [i for i in incidents.resolved_since(tx, [expected.group_key], since) if i.resolved_by == SOURCE]
    if last:
        newest, name = max(last, key=lambda i: i.id), _lost(expected, pulse)
        again = response.refired(newest, telling, alert_name=name, since=now)
        ledger.apply(quietened(again, window))
        return
    incident = Incident(
        id=Ids(tx, schema.incidents, 1).take(),
        source=expected.source or PINGED,
        group_key=expected.group_key,
        title=f"Heartbeat {expected.name} is missing",
        state=State.TRIGGERED,
        severity=expected.severity,
        service=expected.source or expected.name,
        labels=labels,
        notify=telling.notify,
        route=telling.route,
        escalation=telling.escalation,
        opened_at=now,
        started_at=now,
        suppressed_by=window,
    )
    data = {
        "route": telling.route,
        "notify": list(telling.notify),
        "heartbeat": expected.name,
        "decision": telling.trail,
    }
    text = _lost(expected, pulse)
    ledger.open(incident, Entry("triggered", OURSELVES, text, data), Notice.TRIGGERED)


def _telling(rules: Rules, expected: Heartbeat, labels: Mapping[str, str]) -> response.Telling:
    decision = rules.route_of(labels, expected.severity)
    trail = explain_trail.routed(rules, labels, expected.severity, decision)
    return response.Telling(
        expected.severity, decision.notify, readable(decision), decision.escalation, trail
    )


def _lost(expected: Heartbeat, pulse: Pulse) -> str:
    if pulse.ended_at is not None:
        return f"heartbeat {expected.name}: its source says that it ended"
    seen = pulse.last_beat_at
    last = "never seen" if seen is None else f"last seen {seen.isoformat(timespec='seconds')}"
    return f"heartbeat {expected.name} is missing: {last}"


def _resolve(tx: Tx, ledger: Ledger, name: str, why: str, *, administrative: bool) -> None:
    going_on = incidents.open_by_group(tx, [_group(name)])
    for incident in going_on:
        change = response.ended_by_source(incident, ledger.now, ledger.now, administrative=administrative)
        entry = Entry("resolved", OURSELVES, f"resolved: heartbeat {name}: {why}", {"heartbeat": name})
        ledger.apply(Change(change.incident, entry, change.notice))
    if not going_on:
        _told_after_all(tx, ledger, name, why)


def _told_after_all(tx: Tx, ledger: Ledger, name: str, why: str) -> None:
    """The timeline of an incident that a person closed too early tells the end: the status page waits for that."""
    closed = incidents.resolved_since(tx, [_group(name)], ledger.now - _REMEMBERED)
    last = max(closed, key=lambda incident: incident.id, default=None)
    if last is not None and last.resolved_by != SOURCE:
        entry = Entry("heartbeat_over", OURSELVES, f"heartbeat {name}: {why}", {"heartbeat": name})
        ledger.apply(Change(last, entry))


def _judged(
    tx: Tx, rules: Rules, pulses: Mapping[str, Pulse], now: datetime, *, locked: bool = False
) -> list[Change]:
    """What becomes of resolves that were withheld because of a heartbeat."""
    waiting = [i for i in heartbeats.withheld(tx) if i.resolve_withheld_for != Withheld.FLAPPING]
    if waiting and locked:
        held = incidents.by_ids(tx, [i.id for i in waiting])
        waiting = [i for i in held if i.resolve_withheld_at is not None]
    changes: list[Change] = []
    for source in dict.fromkeys(i.source for i in waiting):
        own = [i for i in waiting if i.source == source]
        changes += domain.judge_withheld(own, _trust(rules, pulses, source), now)
    return changes


def _trust(rules: Rules, pulses: Mapping[str, Pulse], source: str) -> Trust:
    own = [p for p in pulses.values() if p.source == source and p.name in rules.expected]
    return Trust(
        silent=next((p.name for p in own if p.silent), None),
        back_since=max((p.since for p in own if p.state is not PulseState.WAITING), default=None),
        limit=rules.mass_resolve.get(source, 5),
        settle=rules.reopen_hold,
    )
