"""Which runbook an incident gets: of those that fit, the one that says most exactly what it is for."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from incidentd.domain.matcher import Matcher
from incidentd.domain.runbook import Runbook
from incidentd.domain.severity import Severity

_REMEMBERED = 4096
"""Answers kept; a storm asks the same question again and again."""


class Why(enum.StrEnum):
    """Why an incident has this runbook, or none."""

    ONLY = "only_match"
    SPECIFIC = "most_specific"
    NAME = "first_by_name"
    """Others are as specific; their names come later."""
    NONE = "no_match"


class Specificity(NamedTuple):
    """How exactly a runbook says what it is for. The greater tuple wins."""

    equal: int
    """Conditions that name one value: `=`, a `service`, a single `severity`."""
    regex: int
    """Conditions that name a set of values: `=~`, several severities."""
    negative: int
    """Conditions that only exclude: `!=`, `!~`, and a label that must be missing."""

    def __str__(self) -> str:
        counted = zip(self, ("equal", "regex", "negative"), strict=True)
        return ", ".join(f"{number} {word}" for number, word in counted if number)


@dataclass(frozen=True, slots=True)
class Choice:
    """The runbook of an incident, with the reason."""

    runbook: Runbook | None
    why: Why
    others: tuple[str, ...] = ()
    """Runbooks that fit too, the best first."""

    @property
    def text(self) -> str:
        """The reason as people read it."""
        if self.runbook is None:
            return "no runbook matches"
        said = f"{self.why}: {specificity(self.runbook)}"
        return said + (f"; also fits: {', '.join(self.others)}" if self.others else "")


def specificity(runbook: Runbook) -> Specificity:
    """How exactly it says what it is for."""
    counts = [0, 0, 0]
    for matcher in runbook.match:
        counts[_rank(matcher)] += 1
    counts[0] += (runbook.service is not None) + (len(runbook.severities) == 1)
    counts[1] += len(runbook.severities) > 1
    return Specificity(*counts)


def _rank(matcher: Matcher) -> int:
    if matcher.op == "=":
        return 0 if matcher.value else 2
    return 1 if matcher.op == "=~" else 2


def fits(runbook: Runbook, labels: Mapping[str, str], service: str, severity: Severity) -> bool:
    """True if it is for such an incident."""
    return (
        runbook.service in {None, service}
        and (not runbook.severities or severity in runbook.severities)
        and all([matcher.matches(labels) for matcher in runbook.match])
    )


def misses(
    runbook: Runbook, labels: Mapping[str, str], service: str, severity: Severity
) -> tuple[list[str], int]:
    """The conditions that do not hold for such an incident, with what it has instead, and how many do hold."""
    found = [
        (matcher.matches(labels), str(matcher), labels.get(matcher.name, "")) for matcher in runbook.match
    ]
    if runbook.service is not None:
        found.append((runbook.service == service, f"service: {runbook.service}", service))
    if runbook.severities:
        wanted = f"severity: {', '.join(runbook.severities)}"
        found.append((severity in runbook.severities, wanted, severity.value))
    wrong = [f"{wanted} (here {actual or 'missing'})" for holds, wanted, actual in found if not holds]
    return wrong, len(found) - len(wrong)


def rivals(runbooks: Iterable[Runbook]) -> list[tuple[Runbook, Runbook]]:
    """Runbooks that no incident can get, each with the one that it always loses to: both have the same conditions."""
    first: dict[object, Runbook] = {}
    lost = []
    for runbook in sorted(runbooks, key=lambda each: each.name):
        conditions = (frozenset(map(str, runbook.match)), runbook.service, frozenset(runbook.severities))
        winner = first.setdefault(conditions, runbook)
        if winner is not runbook:
            lost.append((runbook, winner))
    return lost


def choose(
    runbooks: Iterable[Runbook], labels: Mapping[str, str], service: str, severity: Severity
) -> Choice:
    """The best of the runbooks that fit; of equally specific ones the first by name."""
    found = [(specificity(r), r) for r in runbooks if fits(r, labels, service, severity)]
    if not found:
        return Choice(None, Why.NONE)
    found.sort(key=lambda each: ([-count for count in each[0]], each[1].name))
    others = tuple([runbook.name for _, runbook in found[1:]])
    if not others:
        return Choice(found[0][1], Why.ONLY)
    why = Why.NAME if found[0][0] == found[1][0] else Why.SPECIFIC
    return Choice(found[0][1], why, others)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The runbooks in force."""

    runbooks: tuple[Runbook, ...] = ()
    _asked: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The labels that any of them looks at."""
    _known: dict[tuple[object, ...], Choice] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        names = {matcher.name for runbook in self.runbooks for matcher in runbook.match}
        object.__setattr__(self, "_asked", tuple(sorted(names)))

    def choose(self, labels: Mapping[str, str], service: str, severity: Severity) -> Choice:
        """The runbook of an incident, the same as `choose` over all of them."""
        key = (severity, service, *[labels.get(name, "") for name in self._asked])
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = choose(self.runbooks, labels, service, severity)
        return found

    def named(self, name: str) -> Runbook | None:
        """The runbook called so."""
        return next((runbook for runbook in self.runbooks if runbook.name == name), None)
