"""How people are reached: over what, how soon, and how urgent it has to be."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.hours import Hours
from incidentd.domain.severity import Severity


class Urgency(enum.StrEnum):
    """Whether to interrupt somebody now."""

    HIGH = "high"
    LOW = "low"
    """Told, but not in quiet hours."""
    NONE = "none"
    """Recorded: no escalation starts."""


URGENCY: Mapping[Severity, Urgency] = {
    Severity.CRITICAL: Urgency.HIGH,
    Severity.WARNING: Urgency.LOW,
    Severity.INFO: Urgency.NONE,
}
"""How urgent each severity is, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach somebody."""

    channel: str
    targets: tuple[str, ...]
    """Of that channel: the person's own address, or those that the channel has."""
    urgencies: frozenset[Urgency] = frozenset({Urgency.HIGH, Urgency.LOW})
    after: timedelta = timedelta()
    """How long it waits: what was acknowledged by then is not told."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told."""

    name: str
    contacts: tuple[Contact, ...] = ()
    quiet: Hours | None = None
    """When what is of low urgency waits."""


@dataclass(frozen=True, slots=True)
class Call:
    """One message to somebody."""

    channel: str
    target: str
    at: datetime
    """Not before."""


def calls(person: Person, urgency: Urgency, now: datetime) -> tuple[Call, ...]:
    """What tells `person` of something that urgent from `now` on, each target once, soonest first."""
    found = [
        Call(contact.channel, target, _awake(person, urgency, now + contact.after))
        for contact in person.contacts
        if urgency in contact.urgencies
        for target in contact.targets
    ]
    found.sort(key=lambda call: call.at)
    first: dict[tuple[str, str], Call] = {}
    for call in found:
        first.setdefault((call.channel, call.target), call)
    return tuple(first.values())


def _awake(person: Person, urgency: Urgency, at: datetime) -> datetime:
    return person.quiet.over(at) if person.quiet is not None and urgency is Urgency.LOW else at
