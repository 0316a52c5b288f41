"""Deployments: what a pipeline posts is written down together with whom is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidentd.domain.deployment import Deployment, Filed, Filing, file
from incidentd.store import change_events, deployments
from incidentd.store.engine import Tx
from incidentd.workflows import audit

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


def give_up_untold(tx: Tx, now: datetime) -> list[tuple[int, str]]:
    """End change events that nobody has taken for too long, as (deployment, channel)."""
    return change_events.give_up_old(tx, now - TOLD_WITHIN, _TOO_LATE, now)
