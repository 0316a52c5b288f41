"""What machines did in steps, as the API shows it."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from incidentd.domain.automation import RunState, StepRun
from incidentd.domain.runbook import Kind
from incidentd.rendering.svg import sparkline


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RunAnswer(_Answer):
    """One run of a step by a machine, or the wish for it."""

    id: int
    number: int
    """Of the step."""
    kind: Kind
    subject: str
    """The command's name, the host, the source."""
    changes: bool
    """It may change something."""
    state: RunState
    dry_run: bool
    asked_by: str | None
    """Null: the incident's opening."""
    approved_by: str | None
    """The second person, where two are needed."""
    comment: str
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    attempts: int
    summary: str
    """What came of it, in one line."""
    data: dict[str, Any]
    """Exit code, status, values: as its kind has them."""


class RunDetail(RunAnswer):
    """The same with what it said."""

    output: str
    """The last 50,000 bytes of it."""


class RunList(_Answer):
    """A page of the runs of an incident's steps, newest first."""

    items: list[RunAnswer]
    next_cursor: str | None


class SwitchAnswer(_Answer):
    """Whether machines take steps."""

    enabled: bool
    """By the configuration."""
    dry_run: bool
    """By the configuration: nothing is done, and what would be is written down."""
    stopped: bool
    """By a person: nothing runs until somebody lets it go on."""
    stopped_by: str | None
    stopped_at: AwareDatetime | None
    comment: str
    commands: list[str]
    """Names of those that may run."""
    unfit: list[str]
    """Steps of runbooks in force that the configuration does not let a machine take, each with the reason."""


def run_json(run: StepRun) -> dict[str, Any]:
    """A run as the API shows it."""
    names = (
        "id", "number", "subject", "changes", "dry_run", "comment", "created_at", "started_at", "ended_at",
        "attempts", "summary",
    )  # fmt: skip
    return {
        **{name: getattr(run, name) for name in names},
        "kind": run.kind.value,
        "state": run.state.value,
        "asked_by": run.asked_by or None,
        "approved_by": run.approved_by or None,
        "data": {name: value for name, value in run.data.items() if name != "stood"},
    }


def drawing(run: StepRun) -> str | None:
    """The course of the first series of a run; None if it has none."""
    series = run.data.get("series")
    first = series[0] if isinstance(series, list) and series else None
    points = [(float(at), float(value)) for at, value in first["points"]] if first else []
    return sparkline(first["name"] or f"step {run.number}", points) if first and points else None
