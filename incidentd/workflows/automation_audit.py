"""What the audit log says of runs: that one began, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from incidentd.audit.chain import Value
from incidentd.automation.base import Result
from incidentd.domain.automation import StepRun
from incidentd.domain.incident import OURSELVES
from incidentd.domain.runbook import Action, Kind
from incidentd.masking import mask_secrets
from incidentd.store.engine import Tx
from incidentd.workflows import audit


def audited(
    tx: Tx,
    run: StepRun,
    now: datetime,
    action: str,
    result: Result | None = None,
    what: Action | None = None,
    more: Mapping[str, Value] | None = None,
) -> None:
    """Note in the audit log that a run began, or what came of it; with `more` that is known."""
    data: dict[str, Value] = {
        "run": run.id,
        "step": run.number,
        "runbook": run.book,
        "kind": run.kind.value,
        "subject": run.subject,
        "changes": run.changes,
        "dry_run": run.dry_run,
        "attempts": run.attempts,
    }
    data |= more or {}
    private = {}
    if run.approved_by:
        private["approved_by"] = run.approved_by
    if result is not None:
        took = now - (run.started_at or now)
        known = {name: result.data.get(name) for name in ("argv", "exit_code", "signal", "status")}
        data |= {name: value for name, value in known.items() if value is not None}
        data |= {
            "outcome": run.state.value,
            "milliseconds": round(took.total_seconds() * 1000),
            "output_sha256": result.sha256,
        }
    data |= _request(what) if what is not None else {}
    audit.note(tx, now, run.asked_by or OURSELVES, action, f"incident:{run.incident_id}", data, private)


def _request(action: Action) -> dict[str, Value]:
    """What is asked of another machine; an address may hold what is nobody's to read."""
    given = action.attributes
    match action.kind:
        case Kind.HTTP:
            return {"method": str(given.get("method") or "GET"), "url": mask_secrets(str(given["url"]))}
        case Kind.PROMQL:
            return {"query": mask_secrets(str(given["query"]))}
    return {}
