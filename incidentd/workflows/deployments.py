"""Deployments: what a pipeline posts is written down together with whom is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.domain.deployment import Deployment, Filed, Filing, file
from incidentd.domain.dora import FailureType, own_word
from incidentd.domain.incident import Change
from incidentd.store import change_events, deployments, incidents
from incidentd.store.engine import Tx
from incidentd.workflows import audit
from incidentd.workflows.deployment_links import entry_of, unlinked
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

TOLD_WITHIN = timedelta(hours=6)
"""A change event that could not be told by then is given up, were it only because its channel is gone."""
_TOO_LATE = "given up: its channel took nothing, or does not tell of deployments any more"


def record(tx: Tx, posted: Deployment, audience: Sequence[str], actor: str, now: datetime) -> Filed:
    """Write what `posted` adds to what is known. `audience`: the channels that hear of it when it has ended, once."""
    known = deployments.locked(tx, posted.source, posted.id)
    filed = file(None if known is None else known.deployment, posted)
    if known is None:
        number = deployments.insert(tx, filed.deployment, now)
    else:
        number = known.number
        if filed.filing is Filing.UPDATED:
            deployments.update(tx, number, filed.deployment)
    if known is None or filed.filing is Filing.UPDATED:
        data = {"service": posted.service, "environment": posted.environment, "version": posted.version}
        audit.note(tx, now, actor, "deployment.recorded", f"deployment:{number}", data)
    if filed.finished_now:
        change_events.enqueue(tx, number, audience, now)
    return filed


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a post about a deployment."""

    filed: Filed
    changes: tuple[Change, ...]
    """Incidents in whose timelines it stands now."""
    failed: FailureType | None
    """It counts as failed by its own word from now on, and did not before."""


def take(
    tx: Tx,
    posted: Deployment,
    audience: Sequence[str],
    rules: Rules,
    actor: str,
    now: datetime,
    *,
    start_known: bool = True,
) -> Taken:
    """`record` a post, and note the deployment in the incidents that opened during it or soon after.

    Without `start_known`, `posted.started_at` is only a guess, and an earlier post knows better.
    """
    deployments.take_turns(tx, {posted.service}, telling=True)
    if not start_known and (known := deployments.locked(tx, posted.source, posted.id)) is not None:
        started = known.deployment.started_at
        posted = replace(
            posted, started_at=started if posted.finished_at is None else min(started, posted.finished_at)
        )
    filed = record(tx, posted, audience, actor, now)
    if filed.filing not in {Filing.NEW, Filing.UPDATED}:
        return Taken(filed, (), None)
    deployment = filed.deployment
    outages, blamed = unlinked(tx, deployment, rules.blame)
    failed = own_word(deployment) if filed.failed_now and not blamed else None
    if not outages:
        return Taken(filed, (), failed)
    ledger = Ledger(rules, now)
    found = {incident.id: incident for incident in incidents.by_ids(tx, [outage.id for outage in outages])}
    for outage in outages:
        entry = entry_of(deployment, outage, first=not blamed)
        ledger.apply(Change(found[outage.id], entry))
        blamed = True
    ledger.save(tx)
    return Taken(filed, tuple(ledger.changes), failed)


def give_up_untold(tx: Tx, now: datetime) -> list[tuple[int, str]]:
    """End change events that nobody has taken for too long, as (deployment, channel)."""
    return change_events.give_up_old(tx, now - TOLD_WITHIN, _TOO_LATE, now)
