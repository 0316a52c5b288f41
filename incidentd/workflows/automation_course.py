"""The course of runs: whose turn it is.

A run that changes something begins at most once: that it begins is committed before, and nothing takes it up again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.automation.base import Task
from incidentd.domain.automation import Policy, RunState, StepRun, check_move, subject_of
from incidentd.domain.automation_watch import LEASE
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident
from incidentd.domain.notification import Notice
from incidentd.domain.runbook import Action, Step
from incidentd.domain.runbook_steps import Move, Progress, StepState, entry_of, moved
from incidentd.store import automation, incidents, runbooks
from incidentd.store.engine import Tx
from incidentd.workflows.automation_audit import audited
from incidentd.workflows.automation_opening import tries
from incidentd.workflows.automation_switch import stopped
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

_PAGE = 200
"""Runs of the queue that are looked at together."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run whose turn has come, with what it needs."""

    run: StepRun
    step: Step
    action: Action
    incident: Incident

    @property
    def task(self) -> Task:
        """The same for its executor."""
        incident = self.incident
        known = (incident.title, incident.service, incident.severity.value, incident.labels)
        return Task(self.action, incident.id, *known)


# -- whose turn it is -------------------------------------------------------------------------------------------
def claim(tx: Tx, rules: Rules, now: datetime) -> tuple[list[Claimed], tuple[Change, ...]]:
    """Begin as many as the limits allow; with what timelines say of it."""
    policy = rules.automation
    if not policy.enabled or stopped(tx) is not None:
        return [], ()
    automation.lock(tx)
    turn = chosen(tx, policy)
    ledger = Ledger(rules, now)
    claimed = []
    found = {
        incident.id: incident for incident in incidents.by_ids(tx, sorted({r.incident_id for r in turn}))
    }
    books = runbooks.of(tx, sorted(found))
    for each in turn:
        # Read again under the lock of its incident: a person may have taken it back.
        run = automation.by_id(tx, each.id)
        if run is None or run.state is not RunState.QUEUED:
            continue
        begun = _begun(tx, ledger, run, found.get(run.incident_id), books.get(run.incident_id))
        claimed += [begun] if begun else []
    ledger.save(tx)
    return claimed, tuple(ledger.changes)


def chosen(tx: Tx, policy: Policy) -> list[StepRun]:
    """Those whose turn it is, in their order, as far as the limits allow."""
    busy, turn = automation.running(tx), list[StepRun]()
    last: StepRun | None = None
    while len(busy) < policy.at_once:
        # Those of a runbook that has all its places are passed over by the database, however many they are.
        page = automation.queue(tx, last, _full(busy, policy), _PAGE)
        for run in page:
            if len(busy) < policy.at_once and _fits(run, busy, policy):
                turn.append(run)
                busy.append(run)
        if len(page) < _PAGE:
            break
        last = page[-1]
    return turn


def _full(busy: Sequence[StepRun], policy: Policy) -> list[str]:
    count = Counter(run.book for run in busy)
    return [book for book, running in count.items() if running >= policy.per_runbook]


def _fits(run: StepRun, busy: Sequence[StepRun], policy: Policy) -> bool:
    same = sum(other.book == run.book for other in busy)
    # Two restarts of one service at once is what nobody wants.
    twin = run.changes and any((o.kind, o.subject) == (run.kind, run.subject) for o in busy)
    return same < policy.per_runbook and not twin


def _begun(
    tx: Tx, ledger: Ledger, run: StepRun, incident: Incident | None, progress: Progress | None
) -> Claimed | None:
    now = ledger.now
    step = progress.step(run.number) if progress else None
    if incident is None or progress is None or step is None or step.action is None:
        automation.save(tx, ended(run, RunState.WITHDRAWN, "its incident is gone", now))
        return None
    incident, policy = ledger.changed.get(incident.id, incident), ledger.rules.automation
    # The configuration in force counts, not that of when it was asked for.
    run = replace(run, dry_run=run.dry_run or tries(policy, incident), changes=policy.changes(step.action))
    refusal = _refusal(tx, policy, run, step.action, incident, now)
    if refusal:
        automation.save(tx, ended(run, RunState.REFUSED, refusal, now))
        offer_again(tx, run, incident, policy, now)
        released(tx, incident, run.number, refusal, now)
        text = f"step {run.number} was not run: {refusal}"
        note(ledger, incident, Entry("run_refused", OURSELVES, text, {"step": run.number}), run)
        return None
    check_move(run.state, RunState.RUNNING)
    begun = replace(
        run,
        state=RunState.RUNNING,
        started_at=now,
        attempts=run.attempts + 1,
        generation=run.generation + 1,
        lease_until=now + LEASE,
        stop=None,
    )
    automation.save(tx, begun)
    incident = _set_going(tx, ledger, begun, step, incident, progress)
    return Claimed(begun, step, step.action, incident)


def begun(tx: Tx, claimed: Claimed, argv: Sequence[str], now: datetime) -> None:
    """Keep what is to run, and note in the audit log that what changes something begins. `argv`: of a command."""
    run = claimed.run
    if argv:
        # Who finds it interrupted can say what that was.
        automation.save(tx, replace(run, data={**run.data, "argv": list(argv)}))
    if run.changes:
        said = {"argv": list(argv)} if argv else None
        audited(tx, run, now, "runbook.step_begun", None, claimed.action, said)


def _refusal(tx: Tx, policy: Policy, run: StepRun, action: Action, incident: Incident, now: datetime) -> str:
    """Asked again when its turn comes: the configuration and the world have gone on."""
    if not incident.open and (action.stop_on_resolve or not run.asked_by):
        return "its incident is resolved"
    # A reload may have made a command mutating that was only looking when it was queued.
    if run.changes and not run.asked_by:
        return "it changes something, and nobody has agreed to it"
    if policy.needs_two(action) and not run.dry_run and not run.approved_by:
        return "two people have to agree to it by now: ask for it again"
    return policy.refusal(action) or ("" if run.dry_run else cooling(tx, policy, action, now, run.id))


def cooling(tx: Tx, policy: Policy, action: Action, now: datetime, but: int = 0) -> str:
    """Why it is too early for another run of the same command than run `but`; empty if it is not."""
    pause = policy.cooldown(action)
    last = automation.last_begun(tx, action.kind, subject_of(action), but) if pause else None
    if last is None or now >= last + pause:
        return ""
    return f"{subject_of(action)} ran at {last:%H:%M:%S} UTC and rests until {last + pause:%H:%M:%S}"


def _set_going(
    tx: Tx, ledger: Ledger, run: StepRun, step: Step, incident: Incident, progress: Progress
) -> Incident:
    before = progress.standing(step.number)
    if run.dry_run or before.state is StepState.RUNNING:
        return incident
    after = moved(before, Move.START, run.asked_by or OURSELVES, run.comment, incident.moment(ledger.now))
    runbooks.put(tx, incident.id, after)
    if not run.asked_by:
        return incident  # the line that tells what came of it is enough
    entry = entry_of(step, Move.START, after)
    return ledger.apply(Change(incident, replace(entry, data={**entry.data, "run": run.id})))


# -- what both ends share -------------------------------------------------------------------------------------
def note(ledger: Ledger, incident: Incident, entry: Entry, run: StepRun) -> None:
    """Write a line about a run, and tell people of it if one of them asked for it."""
    incident = ledger.changed.get(incident.id, incident)
    # A first look is there to be found, not to be told of: a page has just left.
    notice = Notice.UPDATED if run.asked_by and incident.open else None
    ledger.apply(Change(incident, entry, notice, entry.text))


def offer_again(tx: Tx, run: StepRun, incident: Incident, policy: Policy, now: datetime) -> None:
    """A dry run takes nothing away: what was put to people, or waited for a second one, still does."""
    stood = run.data.get("stood")
    if not run.dry_run or not isinstance(stood, dict):
        return
    if stood["state"] == RunState.OFFERED and not incident.open:
        return  # offers end with their incident
    known = (run.incident_id, run.number, run.book, run.kind, run.subject, run.changes)
    fresh = StepRun(0, *known, RunState.OFFERED, now, tries(policy, incident))
    if stood["state"] == RunState.ASKED:
        asked = datetime.fromisoformat(str(stood["since"]))
        who, why = str(stood["by"]), str(stood["comment"])
        fresh = replace(
            fresh,
            state=RunState.ASKED,
            created_at=asked,
            turn_at=now,
            asked_by=who,
            comment=why,
            dry_run=False,
        )
    automation.add(tx, [fresh])


def released(tx: Tx, incident: Incident, number: int, why: str, now: datetime) -> None:
    """Nothing is at this step any more: one that was to be taken up again and will not be has failed."""
    progress = runbooks.of(tx, [incident.id]).get(incident.id)
    before = progress.standing(number) if progress else None
    if before is not None and before.state is StepState.RUNNING:
        runbooks.put(tx, incident.id, moved(before, Move.FAIL, OURSELVES, why, incident.moment(now)))


def ended(run: StepRun, state: RunState, summary: str, now: datetime) -> StepRun:
    """The run, over."""
    check_move(run.state, state)
    return replace(run, state=state, summary=summary, ended_at=now, turn_at=None, lease_until=None)
