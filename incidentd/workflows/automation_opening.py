"""What an incident's opening and its getting worse mean for the steps of its runbook: in that transaction, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from incidentd.domain.automation import Planned, Policy, RunState, StepRun, opening, subject_of
from incidentd.domain.incident import Incident
from incidentd.domain.runbook import Runbook
from incidentd.domain.runbook_steps import StepState
from incidentd.store import automation, runbooks
from incidentd.store.engine import Tx

_Plans = list[tuple[Incident, str, list[Planned]]]
"""Incident, hash of its runbook, what is to begin or to be offered."""


def begin(tx: Tx, opened: Sequence[tuple[Incident, Runbook]], policy: Policy, now: datetime) -> None:
    """Write what begins with these incidents, and what is put to people."""
    if not policy.enabled or not opened:
        return
    plans = [
        (incident, book.hash, list(opening(book.steps, incident.severity, policy)))
        for incident, book in opened
    ]
    _add(tx, plans, policy, now)


def rise(tx: Tx, worse: Sequence[Incident], policy: Policy, now: datetime) -> None:
    """Write what is due for the first time at the severity that these incidents have by now.

    Nothing that was run or offered before is again, nor what a person has marked.
    """
    if not policy.enabled or not worse:
        return
    books = runbooks.of(tx, [incident.id for incident in worse])
    known = automation.numbers_of(tx, sorted(books)) if books else set()
    plans: _Plans = []
    for incident in worse:
        if (book := books.get(incident.id)) is None:
            continue
        due = [
            each
            for each in opening(book.steps, incident.severity, policy)
            if each.action.when
            and (incident.id, each.number) not in known
            and book.standing(each.number).state is StepState.PENDING
        ]
        plans.append((incident, book.hash, due))
    _add(tx, plans, policy, now)


def _add(tx: Tx, plans: _Plans, policy: Policy, now: datetime) -> None:
    wanted = any(each.state is RunState.QUEUED for _, _, found in plans for each in found)
    room = policy.waiting - automation.queued(tx) if wanted else 0
    automation.add(tx, list(_runs(plans, policy, room, now)))


def _runs(plans: _Plans, policy: Policy, room: int, now: datetime) -> Iterator[StepRun]:
    for incident, book, found in plans:
        for each in found:
            state = each.state
            if state is RunState.QUEUED:
                room -= 1
                # In a storm people decide what is worth looking at.
                state = state if room >= 0 else RunState.OFFERED
            yield new_run(incident, book, each, state, policy, now)


def tries(policy: Policy, incident: Incident) -> bool:
    """True if nothing of this incident may really be run now."""
    return policy.dry_run or incident.drill is not None


def new_run(
    incident: Incident, book: str, planned: Planned, state: RunState, policy: Policy, now: datetime
) -> StepRun:
    """A run that is not stored yet. In a drill nothing is run."""
    return StepRun(
        id=0,
        incident_id=incident.id,
        number=planned.number,
        book=book,
        kind=planned.action.kind,
        subject=subject_of(planned.action),
        changes=policy.changes(planned.action),
        state=state,
        created_at=now,
        dry_run=tries(policy, incident),
        turn_at=now if state is RunState.QUEUED else None,
    )
