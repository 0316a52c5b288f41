"""A runbook: what to do about some alerts, step by step, and which of its steps a machine can take."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from incidentd.domain.matcher import Matcher
from incidentd.domain.severity import Severity

DEFAULT_TIMEOUT = timedelta(minutes=1)
LONGEST_TIMEOUT = timedelta(minutes=10)


class Kind(enum.StrEnum):
    """What a machine can do in a step."""

    HTTP = "http"
    PROMQL = "promql"
    COMMAND = "command"
    SILENCE = "silence"
    NOTIFY = "notify"
    STATUS_DRAFT = "status-draft"


class Run(enum.StrEnum):
    """Who sets an automated step going."""

    AUTO = "auto"
    """The opening of the incident: for looking, never for changing."""
    APPROVE = "approve"
    """A person who agrees to it."""
    MANUAL = "manual"
    """A person who asks for it."""


class Guidance(enum.StrEnum):
    """What told people what to do about an incident."""

    RUNBOOK = "runbook"
    """One of the folder fitted as it opened."""
    LINK = "link"
    """Nothing but the address that its alert names."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Action:
    """What a machine does in a step, checked when the runbook was read."""

    kind: Kind
    run: Run = Run.MANUAL
    timeout: timedelta = DEFAULT_TIMEOUT
    when: tuple[Severity, ...] = ()
    """Severities of the incident for which it may run; empty: all."""
    retries: int = 0
    stop_on_resolve: bool = False
    """End it when the incident is resolved meanwhile."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    """What its kind takes besides, as plain JSON values: see docs/runbooks.md."""

    def fits(self, severity: Severity) -> bool:
        """True if it may run for an incident of this severity."""
        return not self.when or severity in self.when


@dataclass(frozen=True, slots=True)
class Step:
    """One step, in the order of the file."""

    number: int
    """From 1."""
    text: str
    """What to do, as one plain line."""
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Runbook:
    """One file of the runbook folder."""

    name: str
    """The file's name without ``.md``."""
    title: str
    match: tuple[Matcher, ...]
    """All must hold for an incident's labels."""
    steps: tuple[Step, ...]
    text: str = field(repr=False)
    """The whole file."""
    hash: str
    """SHA-256 of the file, in hexadecimal."""
    service: str | None = None
    """The only service it is for; None: any."""
    severities: tuple[Severity, ...] = ()
    """The severities it is for; empty: all."""
    owner: str | None = None
    version: str | None = None
    tested: date | None = None
    """When somebody last went through it."""
