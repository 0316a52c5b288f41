"""The account of an import: what became of every object and of every field of it, and why."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

UNKNOWN = "not known to this version of the importer"
EMPTY = "empty: says nothing"


class Outcome(enum.StrEnum):
    """What became of something."""

    MAPPED = "mapped"
    """It means the same here."""
    APPROXIMATED = "approximated"
    """Something is here that does not mean quite the same; the reason says what differs."""
    DROPPED = "dropped"
    """It is not here; the reason says why, and what to do."""


_WORSE = (Outcome.MAPPED, Outcome.APPROXIMATED, Outcome.DROPPED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one field."""

    field: str
    """Its path in the object, such as ``slack.channel_id``."""
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one object, with every field that is not null."""

    kind: str
    id: str
    name: str
    place: str
    """Where it stands in the file."""
    outcome: Outcome
    reason: str
    becomes: tuple[str, ...]
    """Paths in our configuration."""
    fields: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole account."""

    entries: tuple[Entry, ...]
    commands: tuple[str, ...] = ()
    """What to run once the daemon has the configuration: overrides are stored, not configured."""
    disabled: tuple[str, ...] = ()
    """YAML of routes that could not be expressed, for a person to finish."""

    def count(self, outcome: Outcome) -> int:
        """Number of objects with that outcome."""
        return sum(entry.outcome is outcome for entry in self.entries)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field below `value` that is not null: its path and what it holds. A list of plain values is one."""
    below: Iterator[tuple[str, Any]] | None = None
    if isinstance(value, Mapping) and value:
        below = ((str(key), each) for key, each in value.items())
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        below = ((str(index), each) for index, each in enumerate(value))
    if below is None:
        if value is not None and path:
            yield path, value
        return
    for key, each in below:
        yield from leaves(each, f"{path}.{key}" if path else key)


class Account:
    """The account of one object while it is being imported."""

    def __init__(self, kind: str, place: str, raw: Mapping[str, Any]) -> None:
        self.kind, self.place, self.raw = kind, place, raw
        self.outcome: Outcome | None = None
        self.reasons: list[str] = []
        self.becomes: list[str] = []
        self._notes: dict[str, tuple[Outcome, str]] = {}

    @property
    def id(self) -> str:
        """Its ID; where it stands if it has none."""
        return str(self.raw.get("id") or self.place)

    @property
    def name(self) -> str:
        """What people call it; empty if it has no name."""
        slack = block(self.raw.get("slack"))
        return str(self.raw.get("name") or self.raw.get("username") or slack.get("name") or "")

    def get(self, field: str) -> Any:  # noqa: ANN401 - whatever the export holds
        """The field's value; what Terraform leaves empty is null."""
        value = self.raw.get(field)
        return None if value == "" else value

    def note(self, outcome: Outcome, reason: str, *fields: str) -> None:
        """Say what became of fields; a path stands for all below it that have no note of their own."""
        self._notes.update(dict.fromkeys(fields, (outcome, reason)))

    def mapped(self, *fields: str, why: str = "") -> None:
        """These fields mean the same here."""
        self.note(Outcome.MAPPED, why, *fields)

    def settle(self, outcome: Outcome, reason: str = "", becomes: str = "") -> None:
        """Say what became of the object. Said twice, the worse outcome holds and both reasons are kept."""
        if self.outcome is None or _WORSE.index(outcome) > _WORSE.index(self.outcome):
            self.outcome = outcome
        if reason and reason not in self.reasons:
            self.reasons.append(reason)
        if becomes and becomes not in self.becomes:
            self.becomes.append(becomes)

    def drop(self, reason: str) -> None:
        """The object is not here, whatever was said before; nor is any of its fields."""
        self.settle(Outcome.DROPPED, reason)

    def entry(self) -> Entry:
        """The finished account."""
        if self.outcome is None:
            self.drop(UNKNOWN)
        fields = tuple(Finding(path, *self._said(path, value)) for path, value in leaves(self.raw))
        outcome = self.outcome or Outcome.DROPPED
        reason, becomes = "; ".join(self.reasons), () if outcome is Outcome.DROPPED else tuple(self.becomes)
        return Entry(self.kind, self.id, self.name, self.place, outcome, reason, becomes, fields)

    def _said(self, path: str, value: object) -> tuple[Outcome, str]:
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            found = self._notes.get(".".join(parts[:end]))
            if found is not None and (found[0] is Outcome.DROPPED or self.outcome is not Outcome.DROPPED):
                return found
        if value in ("", []) or value == {}:
            return Outcome.MAPPED, EMPTY
        if self.outcome is Outcome.DROPPED:
            return Outcome.DROPPED, "goes with its object"
        return Outcome.DROPPED, UNKNOWN


def block(value: object) -> Mapping[str, Any]:
    """A nested object: Terraform writes it as a list of one. Anything else is an empty one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, Mapping) else {}
