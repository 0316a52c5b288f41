"""An explanation: statements in the order a person reads them, each one sentence with what it follows from.

Here is what a statement is, and how instants and lists are written. Composing them from what is stored is the work of
`workflows.explain`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime


class Kind(enum.StrEnum):
    """What a statement is about."""

    OPENED = "opened"
    """Why it is an incident, or what an alert was taken for."""
    GROUPING = "grouping"
    """Why these alerts are one incident."""
    SEVERITY = "severity"
    ROUTE = "route"
    """Which route fits."""
    ROUTE_PASSED = "route_passed"
    """Why an earlier route does not."""
    POLICY = "policy"
    """Why this escalation policy, or none."""
    ALERTS = "alerts"
    """Which alerts, and which are missing from what the sender says."""
    QUIET = "quiet"
    """Why nobody is told for a while: maintenance, hold, snooze, flapping."""
    EVENT = "event"
    """What people did to it, or time and alerts made of it."""
    STEP = "step"
    """A step of the escalation."""
    TOLD = "told"
    NOT_TOLD = "not_told"
    """Somebody was not told, and will not be."""
    WAITING = "waiting"
    """Somebody is still to be told."""
    STANDING = "standing"
    """How it ended, or how it stands."""
    DUTY = "duty"
    """Who was on duty."""
    CONTACT = "contact"
    """How somebody is reached."""
    LIMIT = "limit"
    """What this explanation cannot know or leaves out."""
    VERDICT = "verdict"
    """The answer in one sentence."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an explanation."""

    at: datetime | None
    """When it happened, or will; None for what has no instant."""
    kind: Kind
    text: str
    """A whole sentence, for people."""
    because: str
    """The reason in one word, for machines."""
    data: Mapping[str, object] = field(default_factory=dict)
    """What the sentence is made of, for machines."""


def utc(at: datetime) -> str:
    """An instant as people read it: ``2026-11-20 20:40 UTC``, with seconds if there are any."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words as a sentence lists them: ``a, b and c``."""
    found = list(words)
    return f"{', '.join(found[:-1])} {last} {found[-1]}" if len(found) > 1 else "".join(found)


def counted(number: int, word: str) -> str:
    """A number with its noun: ``1 alert``, ``3 alerts``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """A line of a timeline as a sentence: it begins with a capital and ends with a full stop."""
    text = text.strip()
    whole = text if text.endswith((".", "!", "?")) else f"{text}."
    return f"{whole[0].upper()}{whole[1:]}"


def in_order(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements by time; those without an instant stay behind the one before them."""
    last: datetime | None = None
    keyed: list[tuple[datetime, Statement]] = []
    for statement in statements:
        last = statement.at or last or datetime.min.replace(tzinfo=UTC)
        keyed.append((last, statement))
    return tuple([statement for _, statement in sorted(keyed, key=lambda pair: pair[0])])
