"""What told people what to do, looked up when they have done it: whether runbooks help is a figure of those moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from incidentd.domain.incident import Change
from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Guidance
from incidentd.store import figures, runbooks
from incidentd.store.engine import Tx


def guided(tx: Tx, changes: Sequence[Change]) -> list[Change]:
    """The same changes; those that acknowledge or resolve know the guidance of their incident, and when it was over.

    At most two statements, whatever their number.
    """
    ids = {change.incident.id for change in changes if _measured(change)}
    if not ids:
        return list(changes)
    with_one = runbooks.attached_to(tx, sorted(ids))
    again = {c.incident.id: c.incident for c in changes if c.incident.id in ids and c.incident.reopen_count}
    gaps = figures.gaps_of(tx, list(again.values()))
    return [
        replace(_with(change, with_one), gaps=gaps.get(change.incident.id, ()))
        if change.incident.id in ids
        else change
        for change in changes
    ]


def _measured(change: Change) -> bool:
    ended = change.entry is not None and change.entry.kind == "resolved"
    return ended or change.notice is Notice.ACKNOWLEDGED


def _with(change: Change, with_one: set[int]) -> Change:
    if change.incident.id in with_one:
        return replace(change, guidance=Guidance.RUNBOOK)
    return replace(change, guidance=Guidance.LINK if change.incident.runbook_url else Guidance.NONE)
