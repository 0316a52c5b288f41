"""What people ask of machines: run a step, agree to one, end one. Nothing is run from here.

What is asked stands in the table with its timeline entry, in one transaction; `jobs.automation` does it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain.automation import Planned, RunState, StepRun, check_move
from incidentd.domain.incident import ActionRefusedError, Change, Entry, Incident, Refusal
from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Action, Step
from incidentd.domain.runbook_steps import Progress, StepState
from incidentd.store import automation, incidents, runbooks
from incidentd.store.engine import Tx
from incidentd.workflows.automation_course import cooling, ended, offer_again, released
from incidentd.workflows.automation_opening import new_run, tries
from incidentd.workflows.automation_switch import stopped
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.respond import NotFoundError
from incidentd.workflows.rules import Rules


@dataclass(frozen=True, slots=True)
class RunAsk:
    """What a person wants a machine to do."""

    incident_id: int
    number: int
    actor: str
    comment: str = ""
    dry_run: bool = False
    """Say what would be done, and do nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking."""

    progress: Progress
    run: StepRun | None
    """The one that the step has now; None: it has none that is not over."""
    changes: tuple[Change, ...]
    """Empty if it stood so already."""


def ask(tx: Tx, wanted: RunAsk, rules: Rules, now: datetime) -> Asked:
    """Set a step going, or agree to it as the second person. Asking once more changes nothing.

    Raises `NotFoundError`, and `ActionRefusedError` where the configuration, the switch, the step's state or a
    command's rest does not allow it.
    """
    place = find(tx, wanted.incident_id, wanted.number)
    incident, progress, step = place
    action = _allowed(tx, step, incident, rules)
    live = automation.live_of(tx, incident.id, step.number)
    done = progress.standing(step.number).state is StepState.DONE
    # The configuration in force counts, not that of when it was put to people.
    wanted = replace(wanted, dry_run=wanted.dry_run or tries(rules.automation, incident))
    if _standing(live, wanted) or (live is None and done and not wanted.dry_run):
        return Asked(progress, live, ())
    if not wanted.dry_run and (why := cooling(tx, rules.automation, action, now)):
        raise ActionRefusedError(Refusal.COOLDOWN, incident.state, why)
    known = live or _fresh(place, action, rules, now)
    run, entry = _decided(known, wanted, step, two=rules.automation.needs_two(action), now=now)
    if live is not None:
        run = replace(run, data=_stood(live))
    run = replace(run, changes=rules.automation.changes(action))
    if live is None:
        automation.add(tx, [run])
    else:
        automation.save(tx, run)
    waits = run.state is RunState.ASKED
    ledger = Ledger(rules, now)
    ledger.apply(Change(incident, entry, Notice.UPDATED if waits and incident.open else None, entry.text))
    ledger.save(tx)
    return Asked(progress, automation.live_of(tx, incident.id, step.number), tuple(ledger.changes))


def _standing(live: StepRun | None, wanted: RunAsk) -> bool:
    """It stands already as this person wants it: two people are two."""
    if live is None or live.state is RunState.OFFERED:
        return False
    return live.state is not RunState.ASKED or (live.asked_by == wanted.actor and not wanted.dry_run)


def _stood(live: StepRun) -> dict[str, object]:
    """What a dry run puts back when it is over."""
    found = {"state": live.state.value}
    if live.state is RunState.ASKED:
        found |= {"by": live.asked_by, "since": live.created_at.isoformat(), "comment": live.comment}
    return {"stood": found}


def _fresh(place: tuple[Incident, Progress, Step], action: Action, rules: Rules, now: datetime) -> StepRun:
    incident, progress, step = place
    planned = Planned(step.number, action, RunState.OFFERED)
    return new_run(incident, progress.hash, planned, RunState.OFFERED, rules.automation, now)


def _decided(run: StepRun, wanted: RunAsk, step: Step, *, two: bool, now: datetime) -> tuple[StepRun, Entry]:
    dry = run.dry_run or wanted.dry_run
    # Only looking at what it would do is no agreement.
    second = run.state is RunState.ASKED and not dry
    state = RunState.ASKED if two and not second and not dry else RunState.QUEUED
    check_move(run.state, state)
    run = replace(
        run,
        state=state,
        # An offer was made by nobody: whoever takes it up first is who asks.
        asked_by=run.asked_by if second else wanted.actor,
        approved_by=wanted.actor if second else "",
        comment=wanted.comment or run.comment,
        created_at=run.created_at if second else now,
        turn_at=now,
        dry_run=dry,
    )
    return run, _entry(run, step, wanted, second=second)


def _entry(run: StepRun, step: Step, wanted: RunAsk, *, second: bool) -> Entry:
    said = f": {wanted.comment}" if wanted.comment else ""
    data = {"step": step.number, "kind": run.kind.value, "dry_run": run.dry_run, "comment": wanted.comment}
    if run.state is RunState.ASKED:
        how = f"incidentctl step INC-{run.incident_id} {step.number} run"
        text = f"{wanted.actor} asks for step {step.number}, {step.text}{said}; a second person has to agree: {how}"
        return Entry("run_requested", wanted.actor, text, data)
    what = "agreed to" if second else "set going"
    text = f"step {step.number} {what}{', as a dry run' if run.dry_run else ''}: {step.text}{said}"
    return Entry("run_approved" if run.changes else "run_asked", wanted.actor, text, data)


def _allowed(tx: Tx, step: Step, incident: Incident, rules: Rules) -> Action:
    action = step.action
    why = "" if action is not None else f"step {step.number} is for a person: there is nothing to run"
    if action is not None and not action.fits(incident.severity):
        why = f"step {step.number} is for incidents that are {' or '.join(action.when)}"
    elif action is not None:
        why = rules.automation.refusal(action) or stopped(tx) or ""
    if why or action is None:
        raise ActionRefusedError(Refusal.AUTOMATION, incident.state, why)
    return action


def find(tx: Tx, incident_id: int, number: int) -> tuple[Incident, Progress, Step]:
    """The step and what it belongs to, locked. Raises `NotFoundError`."""
    found = incidents.by_ids(tx, [incident_id])
    if not found:
        raise NotFoundError(f"there is no incident INC-{incident_id}")
    progress = runbooks.of(tx, [incident_id]).get(incident_id)
    if progress is None:
        raise NotFoundError(f"INC-{incident_id} has no runbook")
    step = progress.step(number)
    if step is None:
        raise NotFoundError(f"the runbook of INC-{incident_id} has steps 1 to {len(progress.steps)}")
    return found[0], progress, step


def end(tx: Tx, wanted: RunAsk, rules: Rules, now: datetime) -> Asked:
    """End the run of a step, or take back the wish for one. Without any nothing changes. Raises `NotFoundError`."""
    incident, progress, step = find(tx, wanted.incident_id, wanted.number)
    live = automation.live_of(tx, incident.id, step.number)
    if live is None or live.stop is not None:
        return Asked(progress, live, ())
    said = f": {wanted.comment}" if wanted.comment else ""
    why = f"stopped by {wanted.actor}{said}"
    if live.state is RunState.RUNNING:
        automation.ask_to_stop(tx, [live.id], why)
    else:
        automation.save(tx, ended(live, RunState.WITHDRAWN, why, now))
        released(tx, incident, step.number, why, now)
        offer_again(tx, live, incident, rules.automation, now)
    ledger = Ledger(rules, now)
    entry = Entry(
        "run_stopped", wanted.actor, f"step {step.number} {why}", {"step": step.number, "run": live.id}
    )
    ledger.apply(Change(incident, entry))
    ledger.save(tx)
    return Asked(progress, automation.live_of(tx, incident.id, step.number), tuple(ledger.changes))


def taken_over(tx: Tx, incident_id: int, number: int, actor: str, now: datetime) -> None:
    """A person has marked the step: what a machine was to do of it is not needed. One that runs is not touched."""
    live = automation.live_of(tx, incident_id, number)
    if live is not None and live.state is not RunState.RUNNING:
        automation.save(tx, ended(live, RunState.WITHDRAWN, f"{actor} has marked the step", now))
