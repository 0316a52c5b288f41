"""What runbooks are good for: which were used, how far people went through them, how fast it was with and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from incidentd.domain.figures import NOTHING, IncidentFacts, Row, grouped
from incidentd.domain.runbook import Guidance, Runbook
from incidentd.domain.runbook_steps import StepState


@dataclass(frozen=True, slots=True)
class Steps:
    """How many steps stand where. Together they are all steps of all incidents that had the runbook."""

    pending: int = 0
    running: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0

    @classmethod
    def of(cls, total: int, touched: Mapping[StepState, int]) -> Steps:
        """Of `total` steps these are known to stand somewhere; the others are pending."""
        counts = {state.value: touched.get(state, 0) for state in StepState if state is not StepState.PENDING}
        return cls(pending=total - sum(counts.values()), **counts)

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.running + self.done + self.skipped + self.failed

    def __add__(self, other: Steps) -> Steps:
        return Steps(
            pending=self.pending + other.pending,
            running=self.running + other.running,
            done=self.done + other.done,
            skipped=self.skipped + other.skipped,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Worked:
    """One version of a runbook in the incidents that opened in a window."""

    name: str
    title: str
    incidents: int
    last_at: datetime
    """When an incident got it last."""
    steps: Steps


@dataclass(frozen=True, slots=True)
class Use:
    """One runbook in a window."""

    name: str
    title: str
    in_force: bool
    """False: there is no such file any more."""
    owner: str | None
    version: str | None
    tested: date | None
    """When somebody last went through it, as its file says now."""
    incidents: Row
    steps: Steps
    """Of the incidents that opened in the window."""
    last_at: datetime | None
    """When an incident got it last; None: not in this window."""


@dataclass(frozen=True, slots=True)
class RunbookReport:
    """The runbooks of a window."""

    guidance: Mapping[Guidance, Row]
    """What happened with a runbook, with a link alone, and with neither. All three, always."""
    steps: Steps
    uses: tuple[Use, ...]
    """The most used first."""


def runbook_report(
    facts: Iterable[IncidentFacts],
    worked: Iterable[Worked],
    books: Sequence[Runbook],
    until: datetime,
    window: timedelta,
    *,
    idle: bool,
) -> RunbookReport:
    """The runbooks of the `window` up to `until`; with `idle` also those of `books`, in force, that no incident got."""
    known = list(facts)
    rows = grouped([fact for fact in known if fact.runbook], until, window, lambda fact: fact.runbook)
    versions: dict[str, list[Worked]] = {}
    for each in worked:
        versions.setdefault(each.name, []).append(each)
    force = {book.name: book for book in books}
    uses = [
        _use(name, force.get(name), rows.get(name, NOTHING), versions.get(name, []))
        for name in {*rows, *versions, *(force if idle else ())}
    ]
    uses.sort(key=lambda use: (-use.incidents.opened, use.name))
    guided = grouped(known, until, window, lambda fact: fact.guidance.value)
    return RunbookReport(
        guidance={kind: guided.get(kind.value, NOTHING) for kind in Guidance},
        steps=sum([use.steps for use in uses], Steps()),
        uses=tuple(uses),
    )


def _use(name: str, book: Runbook | None, row: Row, versions: Sequence[Worked]) -> Use:
    newest = max(versions, key=lambda each: each.last_at, default=None)
    return Use(
        name=name,
        title=book.title if book else newest.title if newest else name,
        in_force=book is not None,
        owner=book.owner if book else None,
        version=book.version if book else None,
        tested=book.tested if book else None,
        incidents=row,
        steps=sum([each.steps for each in versions], Steps()),
        last_at=newest.last_at if newest else None,
    )
