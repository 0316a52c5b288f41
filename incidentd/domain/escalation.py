"""Escalation: who is told next while nobody answers, and when.

A policy is frozen when it starts. Its steps count from the start and from one another, not from when a vendor took
the message, so an undeliverable page escalates. All of them in order are a round; after the last round comes the last
resort, and after that it ends visibly.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.domain.hours import Hours
from incidentd.domain.severity import Severity

LEAST_PAUSE = timedelta(minutes=5)
"""Between rounds of a policy whose steps all follow at once."""
LAST_RESORT = "last_resort"


class Kind(enum.StrEnum):
    """What a target is."""

    SCHEDULE = "schedule"
    """Whoever is on duty then."""
    USER = "user"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a step tells. As text ``schedule:primary``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """As it is configured."""
        return f"{self.kind}:{self.name}"


def parse_target(text: str) -> Target:
    """``schedule:NAME``, ``user:NAME``, ``channel:NAME``, or a channel's bare name. Raises ValueError."""
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = Kind.CHANNEL, text
    if kind not in set(Kind) or not name:
        raise ValueError("is no target; accepted: schedule:NAME, user:NAME, channel:NAME or a channel's name")
    return Target(Kind(kind), name)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a policy."""

    after: timedelta
    """Since the step before; of the first one since the start."""
    notify: tuple[Target, ...]
    severities: frozenset[Severity] = frozenset()
    """It is for these alone; empty: for all."""
    hours: Hours | None = None
    """At other times it tells nobody. Its time passes all the same."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens while nobody answers."""

    name: str
    steps: tuple[Step, ...]
    repeat: int = 0
    """Further rounds after the first."""
    last_resort: tuple[Target, ...] = ()
    pause: timedelta = timedelta()
    """Before each further round, before the last resort, and before it ends. Zero: as long as the longest step."""

    @property
    def rest(self) -> timedelta:
        """The pause that counts."""
        return self.pause or max([step.after for step in self.steps]) or LEAST_PAUSE


class Ended(enum.StrEnum):
    """Why an escalation goes no further."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SNOOZED = "snoozed"
    """It starts anew when the snooze ends."""
    NOBODY_LEFT = "nobody_left"
    """Everybody was told and nobody answered."""
    STUCK = "stuck"
    """It stood still, and the self-audit could not start it anew."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """How far a policy has gone for one incident."""

    incident_id: int
    episode: int
    policy: Policy
    """As it was at the start, with the steps that are for the incident's severity."""
    due_at: datetime
    """When it goes on; of one that has ended, when it would have."""
    step: int = 0
    """Which comes next, from 0. After the last one: the last resort, then the end."""
    round: int = 0
    """From 0 to `policy.repeat`."""
    ended_at: datetime | None = None
    ended_reason: Ended | None = None
    stuck: bool = False
    """The self-audit has told of it once."""

    @property
    def running(self) -> bool:
        """It goes on at `due_at`."""
        return self.ended_at is None

    @property
    def told(self) -> int:
        """The number of the last step that ran, from 1; the last resort counts as one more. 0 before the first."""
        if self.step or not self.round:
            return min(self.step, len(self.policy.steps) + bool(self.policy.last_resort))
        return len(self.policy.steps)


class Reason(enum.StrEnum):
    """What a turn is."""

    STEP = "step"
    OTHER_HOURS = "other_hours"
    """The step is for other hours: it tells nobody."""
    LAST_RESORT = "last_resort"
    NOBODY_LEFT = "nobody_left"


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due now, and what follows."""

    reason: Reason
    targets: tuple[Target, ...]
    label: str
    """The step as metrics name it: its number, or ``last_resort``."""
    place: str
    """The same as people read it: ``step 2 of 3, round 1 of 2``."""
    next: Escalation


def fitting(policy: Policy, severity: Severity) -> Policy | None:
    """`policy` with the steps for `severity` alone, each at its own time; None if there is none."""
    steps: list[Step] = []
    waited = timedelta()
    for step in policy.steps:
        waited += step.after
        if not step.severities or severity in step.severities:
            steps.append(replace(step, after=waited))
            waited = timedelta()
    return replace(policy, steps=tuple(steps), pause=policy.rest) if steps else None


def start(
    incident_id: int, episode: int, policy: Policy, severity: Severity, now: datetime
) -> Escalation | None:
    """A fresh escalation, frozen as of now; None if no step is for `severity`."""
    frozen = fitting(policy, severity)
    if frozen is None:
        return None
    return Escalation(incident_id, episode, frozen, now + frozen.steps[0].after)


def advance(escalation: Escalation, now: datetime) -> Turn:
    """What is due, and the escalation as it goes on from `now`.

    However late it is, one step runs and the next one counts from now: nobody is flooded after an outage.
    """
    policy, number = escalation.policy, escalation.step
    following = _following(escalation, now)
    if number < len(policy.steps):
        step = policy.steps[number]
        meant = step.hours is None or step.hours.hold(now)
        reason = Reason.STEP if meant else Reason.OTHER_HOURS
        targets = step.notify if meant else ()
        return Turn(reason, targets, str(number + 1), _place(escalation), following)
    if number == len(policy.steps) and policy.last_resort:
        return Turn(Reason.LAST_RESORT, policy.last_resort, LAST_RESORT, "last resort", following)
    return Turn(Reason.NOBODY_LEFT, (), "end", "end", following)


def at_once(escalation: Escalation, now: datetime) -> Escalation:
    """It goes on now: a person asks for it, or the step before could reach nobody."""
    return replace(escalation, due_at=now) if escalation.running else escalation


def end(escalation: Escalation, reason: Ended, now: datetime) -> Escalation:
    """It goes no further."""
    return replace(escalation, ended_at=now, ended_reason=reason) if escalation.running else escalation


def _following(escalation: Escalation, now: datetime) -> Escalation:
    policy, number = escalation.policy, escalation.step
    last = len(policy.steps) - 1
    if number < last:
        return replace(escalation, step=number + 1, due_at=now + policy.steps[number + 1].after)
    if number == last and escalation.round < policy.repeat:
        return replace(escalation, step=0, round=escalation.round + 1, due_at=now + policy.rest)
    if number <= last + 1:
        skipped = number == last and not policy.last_resort
        return replace(escalation, step=number + (2 if skipped else 1), due_at=now + policy.rest)
    return end(escalation, Ended.NOBODY_LEFT, now)


def _place(escalation: Escalation) -> str:
    policy = escalation.policy
    text = f"step {escalation.step + 1} of {len(policy.steps)}"
    return text + (f", round {escalation.round + 1} of {policy.repeat + 1}" if policy.repeat else "")
