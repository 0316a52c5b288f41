"""What time, restarts and the switch mean for runs that are not over.

One that changes something and was interrupted is never taken up again: what it had done by then, nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.automation.base import Result, masked, one_line
from incidentd.domain.automation import Policy, RunState, StepRun, check_move
from incidentd.domain.automation_watch import Sign
from incidentd.domain.incident import OURSELVES, Change, Entry, Incident
from incidentd.store import automation, incidents, runbooks
from incidentd.store.engine import Tx
from incidentd.workflows.automation_audit import audited
from incidentd.workflows.automation_course import Claimed, chosen, ended, note, offer_again, released
from incidentd.workflows.automation_results import settle, still, told
from incidentd.workflows.automation_switch import stopped
from incidentd.workflows.ledger import Ledger
from incidentd.workflows.rules import Rules

ATTEMPTS = 3
"""How often a run that only looks is taken up, restarts included."""
_LOST = "the daemon ended in the middle of it"
_UNKNOWN = "the daemon stopped; whether it took effect is unknown"
_PAGE = 1000
"""Runs that one look ends at most; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at what is not over."""

    now: datetime
    held: frozenset[int] = frozenset()
    """Runs that are under way in this very process."""
    silent: Mapping[int, Sign] = field(default_factory=dict)
    """Runs of others that give no sign of life any more, with the last one: another may have come since."""
    alone: bool = False
    """This daemon has the database to itself and has just begun: nothing runs, whatever stands there."""


def due(tx: Tx, rules: Rules, look: Look) -> bool:
    """True if a run is to be ended or may begin: a read, so that waiting for long ones writes nothing."""
    off = _off(tx, rules.automation)
    return bool(_to_end(tx, rules.automation, off, look) or (not off and chosen(tx, rules.automation)))


def _to_end(tx: Tx, policy: Policy, off: str, look: Look) -> list[tuple[StepRun, tuple[RunState, str]]]:
    """What is over, with how and why."""
    if off:
        waits = automation.waiting(tx, _PAGE)
    else:
        waits = automation.waiting(tx, _PAGE, look.now - policy.fresh, look.now - policy.agree_within)
    known = [*automation.running(tx), *waits]
    return [(run, end) for run in known if (end := _over(run, policy, off, look)) is not None]


def _off(tx: Tx, policy: Policy) -> str:
    return stopped(tx) or ("" if policy.enabled else "automation.enabled is not set")


def tidy(tx: Tx, rules: Rules, look: Look) -> tuple[Change, ...]:
    """End what has waited for too long, what is switched off, and what nobody runs any more."""
    automation.lock(tx)
    policy, ledger = rules.automation, Ledger(rules, look.now)
    found = _to_end(tx, policy, _off(tx, policy), look)
    known = {i.id: i for i in incidents.by_ids(tx, sorted({run.incident_id for run, _ in found}))}
    for each, (state, why) in found:
        run = automation.by_id(tx, each.id)
        if run is None or run.state is not each.state:
            continue
        incident = known.get(run.incident_id)
        if incident is None or state is RunState.WITHDRAWN:
            _withdraw(tx, ledger, run, incident, why)
        elif state is RunState.STOPPED:
            automation.ask_to_stop(tx, [run.id], why)
        else:
            _interrupted(tx, ledger, run, ledger.changed.get(incident.id, incident))
    ledger.save(tx)
    return tuple(ledger.changes)


def _over(run: StepRun, policy: Policy, off: str, look: Look) -> tuple[RunState, str] | None:
    now = look.now
    if run.state is RunState.RUNNING:
        if run.id not in look.held and (
            look.alone or look.silent.get(run.id) == (run.generation, run.lease_until)
        ):
            return RunState.INTERRUPTED, _LOST
        return (RunState.STOPPED, off) if off and run.stop is None else None
    if off:
        return RunState.WITHDRAWN, off
    if run.state is RunState.ASKED and now - run.created_at > policy.agree_within:
        return RunState.WITHDRAWN, "no second person has agreed in time"
    if not run.asked_by and run.attempts == 0 and now - run.created_at > policy.fresh:
        return RunState.WITHDRAWN, "it could not begin in time: too many others waited"
    return None


def _withdraw(tx: Tx, ledger: Ledger, run: StepRun, incident: Incident | None, why: str) -> None:
    if incident is None:
        over = RunState.INTERRUPTED if run.state is RunState.RUNNING else RunState.WITHDRAWN
        automation.save(tx, ended(run, over, why, ledger.now))
        return
    automation.save(tx, ended(run, RunState.WITHDRAWN, why, ledger.now))
    released(tx, incident, run.number, why, ledger.now)
    offer_again(tx, run, incident, ledger.rules.automation, ledger.now)
    text = f"step {run.number} will not be run: {why}"
    note(ledger, incident, Entry("run_withdrawn", OURSELVES, text, {"step": run.number, "run": run.id}), run)


def _interrupted(
    tx: Tx, ledger: Ledger, run: StepRun, incident: Incident, known: Result | None = None
) -> None:
    step = runbooks.of(tx, [incident.id])[incident.id].step(run.number)
    if step is None or step.action is None:
        automation.save(tx, ended(run, RunState.INTERRUPTED, _LOST, ledger.now))
        return
    if not run.changes and run.attempts < ATTEMPTS and run.stop is None:
        check_move(run.state, RunState.QUEUED)
        automation.save(tx, replace(run, state=RunState.QUEUED, lease_until=None))
        text = f"step {run.number} was interrupted: {_LOST}; it only looks, so it begins again"
        note(ledger, incident, Entry("run_interrupted", OURSELVES, text, {"step": run.number}), run)
        return
    words = f"interrupted: {_LOST}"
    words += "; what it had done by then is not known, and it is not repeated" if run.changes else ""
    words = one_line(f"{words}; it was to stop: {run.stop}") if run.stop else words
    argv = _argv(run)
    said = masked(known or Result(RunState.INTERRUPTED, words, data={"argv": argv} if argv else {}))
    result = replace(said, state=RunState.INTERRUPTED, summary=words)
    over = ended(run, RunState.INTERRUPTED, words, ledger.now)
    over = replace(over, output=result.output, data=dict(result.data))
    automation.save(tx, over)
    told(tx, ledger, Claimed(run, step, step.action, incident), over, result, incident)
    more: dict[str, Value] = {"outcome": over.state.value, "interrupted": _UNKNOWN if run.changes else _LOST}
    more |= {"argv": list[Value](argv)} if argv else {}
    audited(tx, over, ledger.now, "runbook.step_ended", known and result, step.action, more)
    offer_again(tx, run, incident, ledger.rules.automation, ledger.now)


def _argv(run: StepRun) -> list[str]:
    kept = run.data.get("argv")
    return [str(each) for each in kept] if isinstance(kept, list) else []


def handed_back(tx: Tx, claimed: Claimed, result: Result, rules: Rules, now: datetime) -> tuple[Change, ...]:
    """A run was broken off because its daemon stops: the same as if that had died, but known at once.

    `result`: what it had said by then.
    """
    found = incidents.by_ids(tx, [claimed.run.incident_id])
    run = still(tx, claimed)
    if run is None or not found:
        return settle(tx, claimed, result, rules, now)
    ledger = Ledger(rules, now)
    _interrupted(tx, ledger, run, found[0], result)
    ledger.save(tx)
    return tuple(ledger.changes)


def unbegun(tx: Tx, claimed: Claimed, now: datetime) -> None:
    """Nothing of a run was done before its daemon stopped: it waits as before, whatever it changes."""
    found = incidents.by_ids(tx, [claimed.run.incident_id])
    run = still(tx, claimed)
    if run is None:
        return
    if run.stop is not None:
        back = ended(run, RunState.STOPPED, run.stop, now)
        if found:
            released(tx, found[0], run.number, run.stop, now)
    else:
        check_move(run.state, RunState.QUEUED)
        back = replace(
            run, state=RunState.QUEUED, started_at=None, attempts=run.attempts - 1, lease_until=None
        )
    automation.save(tx, back)
    if run.changes:
        audited(tx, back, now, "runbook.step_ended", Result(back.state, ""), claimed.action)
