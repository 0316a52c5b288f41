"""A drill's alert has come in: whom its incident tells, and what is noted of it. In the transaction of intake."""

from __future__ import annotations

from datetime import timedelta

from incidentd.domain.drill import Drill, drill_of, titled
from incidentd.domain.incident import OURSELVES, Entry, Incident, evolve
from incidentd.store import drills, overrides
from incidentd.store.engine import Tx
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.reach import Reach

_INSTANT = timedelta(microseconds=1)


def marked(incident: Incident) -> Incident:
    """The incident, told apart from real ones if its alert is a drill's."""
    identity = drill_of(incident.labels)
    if identity is None:
        return incident
    return evolve(incident, drill=identity, title=titled(incident.title), counts=False)


def aimed(tx: Tx, incident: Incident) -> Incident:
    """The incident as it is to open: a drill is marked as such, and tells those whom it was asked for.

    Its own targets are honoured for a drill that is known, which takes the scope `respond`: an alert's label alone
    opens no way to tell somebody.
    """
    after = marked(incident)
    known = None if after.drill is None else drills.by_id(tx, after.drill)
    if known is None or (_awaited(known) and known.targets is None):
        return after
    if not _awaited(known):
        return evolve(after, notify=(), escalation=None, route=f"drill {known.id} is over: nobody is told")
    route = f"the targets of drill {known.name or f'by {known.requested_by}'}"
    return evolve(after, notify=known.channels, escalation=None, route=route)


def opened(tx: Tx, ledger: Ledger, incident: Incident) -> Incident:
    """Note that the drill has arrived, and page the people it is for; the incident with what was noted."""
    known = drills.by_id(tx, incident.drill or "")
    if known is None or not _awaited(known):
        return incident
    now = ledger.now
    drills.received(tx, known.id, incident.id, incident.source, now)
    if not known.people or incident.suppressed_by is not None:
        return incident
    on_call = overrides.between(tx, now, now + _INSTANT) if ledger.rules.paging.schedules else ()
    reached = Reach(ledger.rules, on_call, now).targets(incident, known.people, OURSELVES, "drill")
    ledger.deliveries += reached.rows
    told = [f"paged {', '.join(reached.whom)}"] if reached.whom else []
    incident = ledger.note(incident, Entry("drill", OURSELVES, "; ".join([*told, *reached.failed])))
    ledger.put(incident)
    return incident


def _awaited(drill: Drill) -> bool:
    return drill.finished_at is None and drill.incident_id is None
