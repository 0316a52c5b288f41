"""Service level objectives: how much of an error budget is spent, how fast, and what that means.

Windows, factors and the pairing of a long with a short window are those of the Google SRE workbook, "Alerting on SLOs",
section 6 (https://sre.google/workbook/alerting-on-slos/).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from incidentd.domain.severity import Severity

SOURCE: Final = "objectives"
"""`source` of incidents about budgets that burn: no sender of alerts speaks of them."""
ALERTNAME: Final = "IncidentdBudgetBurn"
WINDOWS: Final[Mapping[str, timedelta]] = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "3d": timedelta(days=3),
}
"""Spans over which the speed of spending is looked at."""
RAISED: Final = "severity_raised"
OVER: Final = "resolved"
AGAIN: Final = "reopened"
TURNS: Final = (RAISED, OVER, AGAIN)
"""Kinds of entries in a timeline between which an incident is equally bad."""
SHOWN: Final = ("1h", "6h", "3d")
POINTS: Final = 60
"""Of a burn-down."""
_YELLOW, _RED = 0.5, 0.2


class BudgetState(enum.StrEnum):
    """What is left of a budget, and so what a team should do."""

    GREEN = "green"
    """More than half is left."""
    YELLOW = "yellow"
    """At most half."""
    RED = "red"
    """At most a fifth: reliability comes before features."""
    EXHAUSTED = "exhausted"
    """Nothing: change only what repairs."""


@dataclass(frozen=True, slots=True)
class Promql:
    """Where the share of errors comes from if not from incidents."""

    url: str
    errors: str
    """Expression with ``$window``: how much went wrong in it."""
    total: str
    """The same for how much there was at all."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a service promises."""

    name: str
    service: str
    target: float
    """Share of good time or of good events, above 0 and below 1."""
    window: timedelta
    severities: frozenset[Severity] = frozenset({Severity.CRITICAL})
    """Of incidents that count as time without service."""
    promql: Promql | None = None
    burn_alerts: bool = True

    @property
    def allowed(self) -> float:
        """The share that may go wrong."""
        return 1 - self.target


@dataclass(frozen=True, slots=True)
class Spell:
    """A time of trouble of a service: one incident, or the part of it in which it was as bad as that."""

    incident: int
    severity: Severity
    started_at: datetime
    ended_at: datetime | None
    """None: it lasts."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An entry of an incident's timeline at which a part of it ends."""

    kind: str
    """One of `TURNS`."""
    at: datetime
    before: Severity | None = None
    after: Severity | None = None
    """Both are known where the severity changed."""


def turn(kind: str, at: datetime, said: Mapping[str, Any]) -> Turn:
    """The turn that an entry of one of `TURNS` is; `said` is its data."""
    # When the source ended it, or when it came back, where that was told: our own word of it comes later.
    told = said.get({OVER: "ended_at", AGAIN: "since"}.get(kind, ""))
    before, after = (Severity(said[key]) if key in said else None for key in ("from", "to"))
    return Turn(kind, datetime.fromisoformat(told) if told else at, before, after)


@dataclass(frozen=True, slots=True)
class Debit:
    """What one incident took from a budget."""

    incident: int
    seconds: float
    share: float
    """Of the whole budget; 1 is all of it."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """The share that went wrong, by window."""

    budget: float
    """Over the objective's own window."""
    recent: Mapping[str, float]
    """By the keys of `WINDOWS`."""
    course: tuple[tuple[datetime, float], ...] = ()
    """Instants, and how much of the whole had gone wrong by then, as a share of the objective's window."""


@dataclass(frozen=True, slots=True)
class Burning:
    """A budget is being spent so fast that somebody has to know."""

    severity: Severity
    long: str
    short: str
    factor: float


RULES: Final = (
    Burning(Severity.CRITICAL, "1h", "5m", 14.4),
    Burning(Severity.CRITICAL, "6h", "30m", 6.0),
    Burning(Severity.WARNING, "3d", "6h", 1.0),
)
"""What is told at which speed: 1 spends the budget exactly in a month. The short window ends the alert soon."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an objective stands."""

    objective: Objective
    good: float
    """The share of good time or events so far."""
    left: float
    """The share of the budget that is left; below 0 if more was spent than there was."""
    burn: Mapping[str, float]
    """Speed of spending by window."""
    state: BudgetState
    burning: tuple[Burning, ...]
    """The rules that hold now, the most urgent first."""
    course: tuple[tuple[datetime, float], ...]
    """Instants, and the share of the budget left then, of those that stand in the window now."""


def parts(whole: Spell, turns: Sequence[Turn]) -> list[Spell]:
    """`whole`, of its last severity, as times of one severity each, without those in which it was over.

    `turns` in order. Looked at from the end, for that is where the severity is known.
    """
    found, severity, end = [], whole.severity, whole.ended_at
    last = len(turns) - 1
    for place, turn in reversed(list(enumerate(turns))):
        if turn.kind == OVER:
            # The last end is the source's own; it is earlier than what we wrote of it.
            end = whole.ended_at if place == last and whole.ended_at is not None else turn.at
            continue
        severity = turn.after or severity
        at = turn.at if end is None else min(turn.at, end)
        found.append(Spell(whole.incident, severity, at, end))
        severity, end = turn.before or severity, at
    found.append(Spell(whole.incident, severity, whole.started_at, end))
    return found[::-1]


def gaps(spells: Sequence[Spell]) -> tuple[tuple[datetime, datetime], ...]:
    """When one incident was over and came back: the times between its parts, in order."""
    found = []
    for before, after in pairwise(spells):
        if before.ended_at is not None and before.ended_at < after.started_at:
            found.append((before.ended_at, after.started_at))
    return tuple(found)


def counted(objective: Objective, spells: Iterable[Spell]) -> list[Spell]:
    """The spells that are time without service, in the order they began."""
    found = [spell for spell in spells if spell.severity in objective.severities]
    return sorted(found, key=lambda spell: (spell.started_at, spell.incident))


def shares(spells: Sequence[Spell], since: datetime, until: datetime) -> list[tuple[int, timedelta]]:
    """Incident -> the time between `since` and `until` that it alone is charged with; `spells` in order.

    Time in which several last is charged to the one that began first, so that the shares add up to the time in which
    any of them lasted.
    """
    found: list[tuple[int, timedelta]] = []
    reached = since
    for spell in spells:
        start, end = max(spell.started_at, reached), min(spell.ended_at or until, until)
        found.append((spell.incident, max(end - start, timedelta())))
        reached = max(reached, end)
    return found


def covered(spells: Sequence[Spell], since: datetime, until: datetime) -> timedelta:
    """The time between `since` and `until` in which any of `spells`, in order, lasted."""
    return sum((took for _, took in shares(spells, since, until)), timedelta())


def debits(objective: Objective, spells: Iterable[Spell], now: datetime) -> list[Debit]:
    """What each incident took from the budget of the window up to `now`; none without a share."""
    budget = (objective.window * objective.allowed).total_seconds()
    charged = shares(counted(objective, spells), now - objective.window, now)
    took: dict[int, float] = {}
    for incident, span in charged:
        took[incident] = took.get(incident, 0.0) + span.total_seconds()
    return [Debit(incident, seconds, seconds / budget) for incident, seconds in took.items() if seconds]


def ratios(objective: Objective, spells: Iterable[Spell], now: datetime) -> Ratios:
    """The same as measured ratios, from the time of incidents."""
    known, since = counted(objective, spells), now - objective.window
    step = objective.window / POINTS
    course = [since + step * n for n in range(POINTS + 1)]
    return Ratios(
        budget=covered(known, since, now) / objective.window,
        recent={name: covered(known, now - span, now) / span for name, span in WINDOWS.items()},
        course=tuple([(at, covered(known, since, at) / objective.window) for at in course]),
    )


def standing(objective: Objective, measured: Ratios) -> Standing:
    """How an objective stands by what was measured."""
    burn = {name: ratio / objective.allowed for name, ratio in measured.recent.items()}
    left = 1 - measured.budget / objective.allowed
    return Standing(
        objective=objective,
        good=1 - measured.budget,
        left=left,
        burn=burn,
        state=state_of(left),
        burning=tuple([r for r in RULES if min(burn.get(r.long, 0), burn.get(r.short, 0)) >= r.factor]),
        course=tuple([(at, 1 - wrong / objective.allowed) for at, wrong in measured.course]),
    )


def state_of(left: float) -> BudgetState:
    """What it means that this share of a budget is left."""
    if left <= 0:
        return BudgetState.EXHAUSTED
    if left <= _RED:
        return BudgetState.RED
    return BudgetState.YELLOW if left <= _YELLOW else BudgetState.GREEN


def told_as(objective: Objective, rule: Burning) -> Severity:
    """How urgent it is to people. Budgets of incidents never page: the incident itself has."""
    return rule.severity if objective.promql is not None else Severity.WARNING
