"""How people are reached: over what, how soon, and how urgent it has to be."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
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


class Wait(enum.StrEnum):
    """Why a message to somebody leaves when it does."""

    NONE = "none"
    """At once."""
    RULE = "contact_rule"
    """Their contact rule says after how long."""
    QUIET_HOURS = "quiet_hours"
    """Their quiet hours are over then."""


@dataclass(frozen=True, slots=True)
class Call:
    """One message to somebody."""

    channel: str
    target: str
    at: datetime
    """Not before."""
    waits: Wait = field(default=Wait.NONE, compare=False)
    """Why not sooner."""


def calls(person: Person, urgency: Urgency, now: datetime) -> tuple[Call, ...]:
    """What tells `person` of something that urgent from `now` on, each target once, soonest first."""
    found = [
        Call(contact.channel, target, *_when(person, urgency, now, contact))
        for contact in person.contacts
        if urgency in contact.urgencies
        for target in contact.targets
    ]
    found.sort(key=lambda call: call.at)
    first: dict[tuple[str, str], Call] = {}
    for call in found:
        first.setdefault((call.channel, call.target), call)
    return tuple(first.values())


def _when(person: Person, urgency: Urgency, now: datetime, contact: Contact) -> tuple[datetime, Wait]:
    at = now + contact.after
    if person.quiet is not None and urgency is Urgency.LOW and person.quiet.hold(at):
        return person.quiet.over(at), Wait.QUIET_HOURS
    return at, Wait.RULE if contact.after else Wait.NONE
