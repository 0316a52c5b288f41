"""Runbooks as the API shows them: the folder's, and the one of an incident with its steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from incidentd.domain.automation import StepRun
from incidentd.domain.duration import format_duration
from incidentd.domain.incident import Incident
from incidentd.domain.runbook import Action, Kind, Run, Runbook, Step
from incidentd.domain.runbook_steps import Progress, Standing, StepState
from incidentd.domain.severity import Severity
from incidentd.runbooks.problem import RunbookProblem
from incidentd.web.automation_answers import RunAnswer, run_json

Json = dict[str, Any]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RunbookRef(_Answer):
    """Where it is written what to do: the alert's own link, and the runbook that matched as the incident opened."""

    url: str | None
    """The alert's annotation `runbook_url`."""
    name: str | None
    """Of the runbook that matched; null: none did."""
    hash: str | None
    """SHA-256 of its text."""
    steps_done: int | None
    """Steps that are done or skipped."""
    steps_total: int | None


class ActionAnswer(_Answer):
    """What a machine can do in a step."""

    kind: Kind
    run: Run
    timeout: str
    when: list[Severity]
    retries: int
    stop_on_resolve: bool
    attributes: dict[str, Any]


class StepAnswer(_Answer):
    """One step of an incident's runbook."""

    number: int
    text: str
    state: StepState
    actor: str | None
    """Who moved it last."""
    at: AwareDatetime | None
    comment: str
    action: ActionAnswer | None
    """Null: a person does it."""
    run: RunAnswer | None
    """What a machine did of it last, or is to do; null: nothing."""


class IncidentRunbook(_Answer):
    """The runbook of an incident, as it was when that opened."""

    incident_id: int
    url: str | None
    name: str | None
    title: str | None
    hash: str | None
    reason: str | None
    """Why this one."""
    attached_at: AwareDatetime | None
    steps_done: int | None
    steps_total: int | None
    steps: list[StepAnswer]
    text: str | None
    """The whole file."""


class RunbookAnswer(_Answer):
    """One runbook that is in force."""

    name: str
    title: str
    match: list[str]
    service: str | None
    severity: list[Severity]
    owner: str | None
    version: str | None
    tested: date | None
    hash: str
    steps: int
    automated: int


class RunbookFault(_Answer):
    """What is wrong with a file; its last good version stays in force."""

    file: str
    line: int | None
    detail: str


class RunbookList(_Answer):
    """The runbooks in force."""

    items: list[RunbookAnswer]
    next_cursor: None
    problems: list[RunbookFault]


def ref_json(incident: Incident, progress: Progress | None) -> Json | None:
    """What an incident shows of its runbook; null if there is neither one nor a link."""
    if progress is None and not incident.runbook_url:
        return None
    return {
        "url": incident.runbook_url or None,
        "name": progress.name if progress else None,
        "hash": progress.hash if progress else None,
        "steps_done": progress.over if progress else None,
        "steps_total": len(progress.steps) if progress else None,
    }


def attached_json(
    incident: Incident, progress: Progress | None, text: str | None, runs: Sequence[StepRun] = ()
) -> Json:
    """The runbook of an incident with its steps; `runs` are the newest of each."""
    steps = progress.steps if progress else ()
    latest = {run.number: run for run in runs}
    known = [(step, progress.standing(step.number)) for step in steps] if progress else []
    return {
        "incident_id": incident.id,
        **(ref_json(incident, progress) or {}),
        "title": progress.title if progress else None,
        "reason": progress.reason if progress else None,
        "attached_at": progress.attached_at if progress else None,
        "steps": [step_json(step, standing, latest.get(step.number)) for step, standing in known],
        "text": text,
    }


def step_json(step: Step, standing: Standing, run: StepRun | None = None) -> Json:
    """One step and where it stands."""
    return {
        "number": step.number,
        "text": step.text,
        "state": standing.state.value,
        "actor": standing.actor or None,
        "at": standing.at,
        "comment": standing.comment,
        "action": _action_json(step.action) if step.action else None,
        "run": run_json(run) if run else None,
    }


def _action_json(action: Action) -> Json:
    return {
        "kind": action.kind.value,
        "run": action.run.value,
        "timeout": format_duration(action.timeout),
        "when": [severity.value for severity in action.when],
        "retries": action.retries,
        "stop_on_resolve": action.stop_on_resolve,
        "attributes": dict(action.attributes),
    }


def runbook_json(runbook: Runbook) -> Json:
    """A runbook of the folder."""
    return {
        "name": runbook.name,
        "title": runbook.title,
        "match": [str(matcher) for matcher in runbook.match],
        "service": runbook.service,
        "severity": [severity.value for severity in runbook.severities],
        "owner": runbook.owner,
        "version": runbook.version,
        "tested": runbook.tested,
        "hash": runbook.hash,
        "steps": len(runbook.steps),
        "automated": sum([step.action is not None for step in runbook.steps]),
    }


def fault_json(problem: RunbookProblem) -> Json:
    """What is wrong with a file."""
    return {"file": problem.file, "line": problem.line, "detail": problem.what}
