"""Deployments near an incident stand in its timeline, whichever of the two became known first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from incidentd.domain.deployment import Deployment
from incidentd.domain.dora import Blame, Outage, own_word, said
from incidentd.domain.incident import OURSELVES, Entry, Incident
from incidentd.domain.slo import SOURCE as OBJECTIVES
from incidentd.store import deployments, figures
from incidentd.store.engine import Tx

DEPLOYMENT = "deployment"
"""The kind of such an entry."""
_OWN = frozenset({OURSELVES, OBJECTIVES})


@dataclass(frozen=True, slots=True)
class Near:
    """An entry about a deployment, for the timeline of an incident."""

    incident: int
    entry: Entry


def of(tx: Tx, fresh: Iterable[Incident], blame: Blame) -> list[Near]:
    """What to note in incidents that open now. One question to the database, and only if any of them has a service."""
    outages = [outage_of(i) for i in fresh if i.service and i.drill is None and i.source not in _OWN]
    outages = [outage for outage in outages if outage.severity in blame.severities]
    if not outages:
        return []
    deployments.take_turns(tx, {outage.service for outage in outages}, telling=False)
    first = min(outage.opened_at for outage in outages)
    last = max(outage.opened_at for outage in outages)
    known = deployments.near(tx, {outage.service for outage in outages}, first - blame.window, last)
    pairs = [(outage, d) for outage in outages for d in known if blame.blames(d, outage)]
    blamed = _blamed_before(tx, [deployment for _, deployment in pairs], blame)
    found = []
    for outage, deployment in pairs:
        found.append(Near(outage.id, entry_of(deployment, outage, first=deployment not in blamed)))
        blamed.add(deployment)
    return found


def _blamed_before(tx: Tx, suspects: Sequence[Deployment], blame: Blame) -> set[Deployment]:
    """Those that count as failed already, by an earlier incident."""
    if not suspects:
        return set()
    first, last = min(d.started_at for d in suspects), max(map(blame.until, suspects))
    earlier = figures.outages(tx, first, {deployment.service for deployment in suspects}, last)
    return {d for d in suspects if any(blame.blames(d, outage) for outage in earlier)}


def entry_of(deployment: Deployment, outage: Outage, *, first: bool) -> Entry:
    """The line in the timeline. `first`: no other incident made the deployment a failed one."""
    d = deployment
    data = {
        "deployment": d.id,
        "source": d.source,
        "service": d.service,
        "environment": d.environment,
        "version": d.version,
        "started_at": d.started_at.isoformat(),
        "finished_at": d.finished_at.isoformat() if d.finished_at else None,
        "failed_by_it": first and own_word(d) is None,
    }
    return Entry(DEPLOYMENT, OURSELVES, said(d, outage.opened_at), data)


def outage_of(incident: Incident) -> Outage:
    """An incident as deployments may be to blame for it."""
    labels = incident.labels
    where = labels.get("environment") or labels.get("env") or ""
    return Outage(
        incident.id, incident.service, incident.severity, where, incident.opened_at, incident.over_at
    )


def unlinked(tx: Tx, deployment: Deployment, blame: Blame) -> tuple[list[Outage], bool]:
    """Incidents that `deployment` is blamed for and whose timelines do not say so, and whether any does."""
    if not blame.counts(deployment):
        return [], False
    # A roll-back moves the end, but what was blamed before stays so.
    outages = figures.outages(tx, deployment.started_at, {deployment.service}, blame.until(deployment))
    blamed = [outage for outage in outages if blame.blames(deployment, outage)]
    linked = figures.linked(tx, [outage.id for outage in blamed], deployment.source, deployment.id)
    return [outage for outage in blamed if outage.id not in linked], bool(linked)
