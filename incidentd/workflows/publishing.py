"""Publications by rule: drafts of what opened, their way to the public, and their end. One look is one unit of work.

It follows the timeline from where the last look ended, which stands in the database: a restart forgets nothing, and of
several replicas one takes each piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.domain import heartbeat
from incidentd.domain.heartbeat import PulseState
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, State
from incidentd.domain.notification import Notice
from incidentd.domain.status_page.facts import BY_RULE, Publication
from incidentd.domain.status_page.publishing import Seen, Step, follow, see, tick
from incidentd.domain.status_page.words import Policy
from incidentd.store import heartbeats, incidents, publications, timeline
from incidentd.store.engine import Tx
from incidentd.store.incidents import Search
from incidentd.store.maintenance import firing_labels
from incidentd.workflows import announcing, audit, hindsight
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

AT_ONCE = 500
"""Timeline entries that one look reads."""

Codes = Callable[[], str]
"""Draws a fresh public code: twelve letters and digits that nobody can guess."""


def due(tx: Tx, rules: Rules, now: datetime) -> bool:
    """True if `look` would do something: a read, so that an idle daemon writes nothing."""
    if not rules.layout.parts:
        return False
    last = publications.cursor(tx)
    return last is None or timeline.newest_id(tx) > last or bool(publications.waiting(tx, now))


def look(tx: Tx, rules: Rules, now: datetime, codes: Codes) -> tuple[Change, ...]:
    """Take in what happened to incidents, and what the clock means for publications."""
    ledger = Ledger(rules, now)
    for incident in incidents.by_ids(tx, _touched(tx)):
        # The newest value: one look may have decided on it before.
        _take(tx, ledger, incident, codes)
    for waiting in publications.waiting(tx, now):
        known = publications.by_code(tx, waiting.code)
        step = None if known is None else tick(rules.layout, known, now, codes())
        if step is not None:
            write(tx, ledger, step, BY_RULE)
    ledger.save(tx)
    return tuple(ledger.changes)


def _touched(tx: Tx) -> list[int]:
    """Incidents that the timeline speaks of since the last look; at the very first, those that are open."""
    last = publications.cursor(tx)
    if last is None:
        publications.move_cursor(tx, None, timeline.newest_id(tx))
        open_ones = Search(states=(State.TRIGGERED, State.ACKNOWLEDGED), limit=AT_ONCE)
        return sorted([incident.id for incident in incidents.search(tx, open_ones)])
    entries = timeline.after(tx, last, AT_ONCE)
    if not entries or not publications.move_cursor(tx, last, entries[-1].id):
        return []
    return sorted({entry.incident_id for entry in entries if not entry.kind.startswith("status_")})


def _take(tx: Tx, ledger: Ledger, incident: Incident, codes: Codes) -> None:
    known = publications.newest_of(tx, [incident.id]).get(incident.id)
    step = follow(ledger.rules.layout, known, seen(tx, ledger.rules, incident), ledger.now, codes())
    if step is not None:
        write(tx, ledger, step, BY_RULE, incident)


def seen(tx: Tx, rules: Rules, incident: Incident) -> Seen:
    """What the rules of the page see of an incident."""
    stale = _about_monitoring(incident)
    plain = Seen(
        incident_id=incident.id,
        # That somebody has closed it brings no data: it is over with a sign of life.
        open=incident.open or (stale and silent(tx, incident)),
        severity=incident.severity,
        started_at=incident.started_at,
        effects={},
        policy=Policy.NEVER,
        # Planned or not: what is not seen is not known to be well.
        quiet=(incident.suppressed_by is not None and not stale)
        or incident.drill is not None
        or incident.source == OURSELVES,
        flapping=incident.flapping_since is not None,
        stale=stale,
    )
    return see(rules.layout, plain, labels_of(tx, rules, incident))


def _about_monitoring(incident: Incident) -> bool:
    away = incident.labels.get("alertname") == heartbeat.ALERTNAME and bool(incident.labels.get("source"))
    return away and incident.group_key.startswith("heartbeat:")


def silent(tx: Tx, incident: Incident) -> bool:
    """True while the heartbeat that the incident is about is missing."""
    pulse = heartbeats.all_of(tx).get(incident.labels.get("heartbeat", ""))
    return pulse is not None and pulse.state is PulseState.MISSING


def labels_of(tx: Tx, rules: Rules, incident: Incident) -> Sequence[Mapping[str, str]]:
    """The labels of its alerts that fire, the severity as mapped; what they had in common if none does."""
    found: Sequence[Mapping[str, str]] = firing_labels(tx, [incident.id])[incident.id] or [incident.labels]
    return [{**labels, rules.severity.label: incident.severity.value} for labels in found]


def write(tx: Tx, ledger: Ledger, step: Step, actor: str, incident: Incident | None = None) -> Publication:
    """Write a decision: the publication, what is said, and the line in its incident's timeline."""
    known = publications.by_code(tx, step.publication.code) if step.publication.id else None
    hindsight.recount(tx, ledger.rules.layout, known, step, ledger.now)
    stored = publications.save(tx, step.publication)
    if step.update is not None:
        announcing.say(tx, step.update, ledger.now)
    _audited(tx, stored, step, actor, ledger.now)
    if stored.incident_id is None or not step.said:
        return stored
    number = stored.incident_id
    found = ledger.changed.get(number) or incident or next(iter(incidents.by_ids(tx, [number])), None)
    if found is not None:
        entry = Entry(
            step.kind, OURSELVES if actor == BY_RULE else actor, step.said, {"publication": stored.code}
        )
        notice = Notice.UPDATED if step.tell and found.open else None
        ledger.apply(Change(found, entry, notice, step.said, at_once=True))
    return stored


def _audited(tx: Tx, stored: Publication, step: Step, actor: str, now: datetime) -> None:
    data: dict[str, Value] = {
        "state": stored.state.value,
        "phase": stored.phase.value,
        "incident": stored.incident_id,
    }
    if step.update is not None:
        data |= {"update": step.update.code, "revision": step.update.revision}
        data |= {"affected": [[a.component, a.old.value, a.new.value] for a in step.update.affected]}
    what = f"status.{step.kind.removeprefix('status_')}"
    audit.note(tx, now, actor, what, f"publication:{stored.code}", data)
