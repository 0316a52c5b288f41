"""Working through the runbook of an incident: a person moves a step, and the timeline tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidentd.domain.incident import ActionRefusedError, Change, Refusal
from incidentd.domain.notification import Notice
from incidentd.domain.runbook_steps import OF_PEOPLE, MoveRefusedError, Progress, StepState, entry_of, moved
from incidentd.store import runbooks
from incidentd.store.engine import Tx
from incidentd.workflows.automation import find, taken_over
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules


@dataclass(frozen=True, slots=True)
class StepAsk:
    """What a person wants of a step."""

    incident_id: int
    number: int
    state: StepState
    """`done`, `skipped`, or `pending` to put it back."""
    actor: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """What came of it."""

    progress: Progress
    changes: tuple[Change, ...]
    """Empty if the step stood so already."""


def mark_step(tx: Tx, ask: StepAsk, rules: Rules, now: datetime) -> Marked:
    """Move a step as a person asks.

    Also on an incident that is resolved: what is left to do is often done after it. Raises `NotFoundError` without
    such an incident, runbook or step, `ActionRefusedError` while a machine is at it.
    """
    incident, progress, step = find(tx, ask.incident_id, ask.number)
    before = progress.standing(ask.number)
    if before.state is ask.state:
        return Marked(progress, ())
    move = OF_PEOPLE[ask.state]
    try:
        after = moved(before, move, ask.actor, ask.comment, incident.moment(now))
    except MoveRefusedError as refused:
        raise ActionRefusedError(Refusal.STEP_STATE, incident.state, str(refused)) from None
    runbooks.put(tx, ask.incident_id, after)
    taken_over(tx, ask.incident_id, ask.number, ask.actor, now)
    ledger, entry = Ledger(rules, now), entry_of(step, move, after)
    ledger.apply(Change(incident, entry, Notice.UPDATED if incident.open else None, entry.text))
    ledger.save(tx)
    return Marked(runbooks.of(tx, [ask.incident_id])[ask.incident_id], tuple(ledger.changes))
