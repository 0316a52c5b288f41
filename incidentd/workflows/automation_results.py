"""What came of runs: written once, to the step, the timeline and the audit log.

A result is never dropped, also not of a run that was taken for interrupted while it was under way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd.automation.base import Result, masked, one_line
from incidentd.domain.automation import RunState, StepRun
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident
from incidentd.domain.runbook_steps import Move, entry_of, moved
from incidentd.store import automation, incidents, runbooks
from incidentd.store.engine import Tx
from incidentd.workflows.automation_audit import audited
from incidentd.workflows.automation_course import Claimed, ended, note, offer_again
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

_SHOWN = 2000
"""Characters of an output that the timeline repeats."""
_FAILURES = frozenset(
    {RunState.FAILED, RunState.TIMED_OUT, RunState.STOPPED, RunState.INTERRUPTED, RunState.REFUSED}
)
_LATE = "late"
"""In a run's data: how it ended after it had been taken for interrupted."""


def settle(tx: Tx, claimed: Claimed, result: Result, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """Write what came of a run; if it is not the one any more that was begun, as a line that tells of it."""
    result = masked(result)
    found = incidents.by_ids(tx, [claimed.run.incident_id])
    run = still(tx, claimed)
    if run is None:
        return _late(tx, claimed, result, Ledger(rules, now), found[0]) if found else ()
    if not found:
        automation.save(tx, ended(run, result.state, result.summary, now))
        return ()
    done = ended(run, result.state, result.summary, now)
    automation.save(tx, replace(done, output=result.output, data=dict(result.data)))
    ledger = Ledger(rules, now)
    told(tx, ledger, claimed, done, result, found[0])
    audited(tx, done, now, "runbook.step_ended", result, claimed.action)
    ledger.save(tx)
    offer_again(tx, run, found[0], rules.automation, now)
    return tuple(ledger.changes)


def still(tx: Tx, claimed: Claimed) -> StepRun | None:
    """The run, if it is still the one that was begun; locked."""
    run = automation.by_id(tx, claimed.run.id)
    mine = run is not None and run.state is RunState.RUNNING and run.generation == claimed.run.generation
    return run if mine else None


def _late(tx: Tx, claimed: Claimed, result: Result, ledger: Ledger, incident: Incident) -> tuple[Change, ...]:
    run, outcome = automation.by_id(tx, claimed.run.id), result.state.value
    if run is None or claimed.run.dry_run or result.state is RunState.INTERRUPTED:
        return ()
    if run.generation == claimed.run.generation:
        if run.state is RunState.INTERRUPTED and _LATE not in run.data:
            summary = one_line(f"{run.summary}; but it ended, {outcome}: {result.summary}")
            data = {**result.data, _LATE: outcome}
            automation.save(tx, replace(run, summary=summary, output=result.output, data=data))
        elif run.state is not RunState.QUEUED:
            return ()  # this very result: the database had taken it, and could not say so
    facts = _facts(claimed.run, result) | {"step": run.number, "outcome": outcome}
    text = f"step {run.number} was taken for interrupted, but it ended, {outcome}: {result.summary}"
    note(ledger, incident, Entry("run_late", claimed.run.asked_by or OURSELVES, text, facts), run)
    audited(
        tx, replace(claimed.run, state=result.state), ledger.now, "runbook.step_ended", result, claimed.action
    )
    ledger.save(tx)
    return tuple(ledger.changes)


def _facts(run: StepRun, result: Result) -> dict[str, object]:
    facts: dict[str, object] = {"run": run.id, "kind": run.kind.value, "outcome": run.state.value}
    return facts | ({"output": result.output[-_SHOWN:]} if result.output else {})


def told(tx: Tx, ledger: Ledger, claimed: Claimed, run: StepRun, result: Result, incident: Incident) -> None:
    """The step and the timeline; people who asked are told too."""
    step, actor = claimed.step, run.asked_by or OURSELVES
    facts = _facts(run, result)
    if run.dry_run:
        data = {"step": run.number, **facts}
        text = f"step {run.number}, dry run: {result.summary}"
        note(ledger, incident, Entry("run_tried", actor, text, data), run)
        return
    move = Move.FAIL if run.state in _FAILURES else Move.SUCCEED
    before = runbooks.of(tx, [incident.id])[incident.id].standing(step.number)
    after = moved(before, move, actor, _comment(run, result), incident.moment(ledger.now))
    runbooks.put(tx, incident.id, after)
    entry = entry_of(step, move, after)
    note(ledger, incident, replace(entry, data={**entry.data, **facts}), run)


def _comment(run: StepRun, result: Result) -> str:
    said = {RunState.INTERRUPTED: "interrupted", RunState.STOPPED: "stopped", RunState.REFUSED: "not run"}
    words = said.get(run.state, "")
    if not words or result.summary.startswith(words):
        return result.summary
    return f"{words}: {result.summary}"
