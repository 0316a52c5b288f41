"""How far an incident's escalation has gone, as the API shows it."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from incidentd.domain.escalation import Ended, Escalation


class EscalationState(BaseModel):
    """The escalation of an incident that nobody has acknowledged; null in all others."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    policy: str
    """As it was called when this started."""
    step: int
    """The last step that ran in this round, from 1; the last resort counts as one more. 0 before the first."""
    round: int
    """From 1."""
    next_at: AwareDatetime | None
    """When it goes on; null if everybody was told."""


def escalation_json(escalation: Escalation | None, episode: int) -> dict[str, Any] | None:
    """The escalation of an incident's present episode, unless people or alerts have ended it."""
    if escalation is None or escalation.episode != episode:
        return None
    if escalation.ended_reason not in {None, Ended.NOBODY_LEFT}:
        return None
    return {
        "policy": escalation.policy.name,
        "step": escalation.told,
        "round": escalation.round + 1,
        "next_at": escalation.due_at if escalation.running else None,
    }
