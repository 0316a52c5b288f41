"""Steps that a machine takes: which may run at all, who has to agree, and the one table of a run's states."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from incidentd.domain.runbook import Action, Kind, Run, Step
from incidentd.domain.severity import Severity

_PORTS = {"http": 80, "https": 443}
_CHANGING = frozenset({Kind.SILENCE})
RETRY_PAUSE = timedelta(seconds=1)
"""Between two attempts."""


class RunState(enum.StrEnum):
    """Where a run of a step stands."""

    OFFERED = "offered"
    """The runbook proposes it: a person has to agree."""
    ASKED = "asked"
    """One person asked for it, and a second one has to agree."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    """Ended before its time: by a person, by the end of the incident, or by the switch."""
    INTERRUPTED = "interrupted"
    """The daemon ended in the middle of it: what it had done by then, nobody knows."""
    REFUSED = "refused"
    """The configuration does not allow it, or a label does not fit."""
    WITHDRAWN = "withdrawn"
    """It never began."""


RUN_MOVES: Mapping[RunState, tuple[RunState, ...]] = {
    RunState.OFFERED: (RunState.ASKED, RunState.QUEUED, RunState.WITHDRAWN),
    RunState.ASKED: (RunState.QUEUED, RunState.WITHDRAWN),
    RunState.QUEUED: (RunState.RUNNING, RunState.REFUSED, RunState.WITHDRAWN),
    RunState.RUNNING: (
        RunState.SUCCEEDED,
        RunState.FAILED,
        RunState.TIMED_OUT,
        RunState.STOPPED,
        RunState.INTERRUPTED,
        RunState.REFUSED,
        # One that only looks is taken up again after a restart.
        RunState.QUEUED,
    ),
}
"""Every legal move of a run. A state that is not here is an end."""
LIVE = tuple(RUN_MOVES)
"""The states of a run that is not over; a step has at most one of them."""
BUSY = (RunState.QUEUED, RunState.RUNNING)
"""The machine has it."""


class RunMoveError(Exception):
    """A run cannot go from one state to the other."""


@dataclass(frozen=True, slots=True)
class CommandRule:
    """What the configuration says of one command, as far as deciding needs it."""

    changes: bool = True
    two_people: bool | None = None
    """None: as for all."""
    cooldown: timedelta = timedelta()
    """So long after a run of it no other one begins."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What machines may do."""

    enabled: bool = False
    dry_run: bool = False
    two_people: bool = False
    at_once: int = 4
    per_runbook: int = 2
    waiting: int = 200
    """Runs that wait for their turn; what an incident would start by itself beyond that is left to people."""
    fresh: timedelta = timedelta(minutes=5)
    """What an incident started by itself and could not begin for so long is given up: it is no first look any more."""
    agree_within: timedelta = timedelta(hours=1)
    """How long a request waits for a second person."""
    commands: Mapping[str, CommandRule] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    """``host`` or ``host:port`` that steps may ask over HTTP."""
    prometheus: tuple[str, ...] = ()
    """Names of the Prometheus servers."""

    def changes(self, action: Action) -> bool:
        """True if it may change something, so that a person must agree. What is not known is taken to."""
        if action.kind is Kind.COMMAND:
            known = self.commands.get(subject_of(action))
            return known is None or known.changes
        return action.kind in _CHANGING or action.attributes.get("method") == "POST"

    def needs_two(self, action: Action) -> bool:
        """True if two people must agree."""
        if not self.changes(action):
            return False
        own = self.commands[subject_of(action)].two_people if subject_of(action) in self.commands else None
        return self.two_people if own is None else own

    def cooldown(self, action: Action) -> timedelta:
        """So long after a run no other one of its command begins."""
        known = self.commands.get(subject_of(action)) if action.kind is Kind.COMMAND else None
        return known.cooldown if known else timedelta()

    def refusal(self, action: Action) -> str:
        """Why the configuration does not allow it, with what would; empty if it does."""
        if not self.enabled:
            return "automation.enabled is not set: incidentd runs no steps"
        match action.kind:
            case Kind.COMMAND if subject_of(action) not in self.commands:
                return f"automation.commands has no {subject_of(action)}"
            case Kind.HTTP if not self.allows(str(action.attributes["url"])):
                return f"automation.http_hosts does not have {place_of(str(action.attributes['url']))}"
            case Kind.PROMQL if not self.prometheus:
                return "automation.prometheus has no server to ask"
            case Kind.PROMQL if (
                action.attributes.get("source") or self.prometheus[0]
            ) not in self.prometheus:
                return f"automation.prometheus has no {action.attributes['source']}"
        return ""

    def allows(self, url: str) -> bool:
        """True if HTTP steps may ask there."""
        place = place_of(url)
        return place in self.hosts or place.rpartition(":")[0] in self.hosts


def place_of(url: str) -> str:
    """Host and port of an address, the port written out."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS.get(parts.scheme, 0)}"


def subject_of(action: Action) -> str:
    """What it works on, in one word: the command's name, the host, the source."""
    match action.kind:
        case Kind.COMMAND:
            return str(action.attributes["command"])
        case Kind.HTTP:
            return place_of(str(action.attributes["url"]))
        case Kind.PROMQL:
            return str(action.attributes.get("source") or "")
    return ""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the opening of an incident means for one step."""

    number: int
    action: Action
    state: RunState


def opening(steps: Sequence[Step], severity: Severity, policy: Policy) -> Iterator[Planned]:
    """The steps that begin with the incident, and those that are put to people."""
    if not policy.enabled:
        return
    for step in steps:
        action = step.action
        if action is None or action.run is Run.MANUAL or not action.fits(severity) or policy.refusal(action):
            continue
        looks = action.run is Run.AUTO and not policy.changes(action)
        yield Planned(step.number, action, RunState.QUEUED if looks else RunState.OFFERED)


@dataclass(frozen=True, slots=True)
class StepRun:
    """One run of one step of one incident, or the wish for it."""

    id: int
    incident_id: int
    number: int
    book: str
    """Hash of the runbook."""
    kind: Kind
    subject: str
    changes: bool
    state: RunState
    created_at: datetime
    dry_run: bool = False
    asked_by: str = ""
    """The first person; empty: the incident's opening."""
    approved_by: str = ""
    """The second person, where two are needed."""
    comment: str = ""
    turn_at: datetime | None = None
    """Since when the machine has it, or waits for a second person; None: nothing is to be done."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: int = 0
    lease_until: datetime | None = None
    """While it runs: moved on as long as its daemon lives, see `Watch`."""
    generation: int = 0
    """Grows with every beginning: a result counts only with the one it began under."""
    stop: str | None = None
    """Why it is to end now; None: it may go on."""
    summary: str = ""
    """What came of it, in one line."""
    output: str = ""
    """The end of what it said."""
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """It is not over."""
        return self.state in LIVE

    @property
    def whom(self) -> str:
        """Who set it going, as people read it; empty: the incident's opening."""
        return f"{self.asked_by} and {self.approved_by}" if self.approved_by else self.asked_by


def check_move(before: RunState, after: RunState) -> None:
    """Raise `RunMoveError` unless the table allows it."""
    if after not in RUN_MOVES.get(before, ()):
        raise RunMoveError(f"a run that is {before} cannot be {after}")
