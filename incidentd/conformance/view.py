"""What an adapter answers: the protocol, as models from which its JSON Schema is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Answer(BaseModel):
    # Unknown fields are left for later versions.
    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class Capabilities(_Answer):
    """`GET {adapter}/capabilities`: who answers, and what its view can show."""

    protocol: Literal[1]
    """Version of this protocol."""
    name: str
    """The receiver's name, for the report."""
    version: str = ""
    """The receiver's version, for the report."""
    pages: bool = False
    """`pages` of an incident is counted. Without it, nothing is judged of who is told."""
    truncated: bool = False
    """`truncated` of an incident is known."""
    acknowledge: bool = False
    """`POST {adapter}/incidents/{id}/acknowledge` acknowledges it."""
    settle_seconds: float = 2.0
    """How long after an answer a change may still appear in the view."""


class ViewedAlert(_Answer):
    """One alert of an incident."""

    fingerprint: str
    """As it was posted."""
    status: Literal["firing", "resolved"]
    """As the receiver believes it to be now."""
    starts_at: AwareDatetime | None = None
    """When it began, if the receiver keeps it."""


class ViewedIncident(_Answer):
    """One incident (alert group, ticket, issue: whatever the receiver opens)."""

    id: int | str
    """Its name at the receiver."""
    open: bool
    """Not resolved. Acknowledged ones are open."""
    alerts: list[ViewedAlert]
    """All its alerts that carry the asked label."""
    pages: int | None = None
    """How often people were told that it fires: opened, reopened. Not: acknowledged, resolved, each channel."""
    truncated: bool | None = None
    """It shows that the sender left alerts out."""
    opened_at: AwareDatetime | None = None
    """For people who read the report."""
    resolved_at: AwareDatetime | None = None
    """For people who read the report."""


class View(_Answer):
    """`GET {adapter}/incidents?label=NAME=VALUE`: every incident, open or not, with an alert of that label."""

    incidents: list[ViewedIncident]
    """In any order."""


def schema() -> dict[str, Any]:
    """The JSON Schema of both answers."""
    parts = {
        model.__name__: model.model_json_schema(ref_template="#/$defs/{model}")
        for model in (Capabilities, View)
    }
    definitions: dict[str, Any] = {}
    for name, part in parts.items():
        definitions |= part.pop("$defs", {})
        definitions[name] = part
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Adapter of the conformance suite, protocol 1",
        "$defs": dict(sorted(definitions.items())),
    }
