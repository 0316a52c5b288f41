"""Drills: marked alerts that take the whole way of a page, so that it is known to work before it is needed.

What carries the label `LABEL` is a drill, whoever sent it: its words say so, and no figure counts it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.escalation import Kind, Target
from incidentd.domain.hours import EVERY_DAY
from incidentd.domain.notification import DeliveryState
from incidentd.domain.severity import Severity

LABEL = "incidentd_drill"
"""The label that makes an alert a drill; its value names the drill."""
PREFIX = "[DRILL] "
"""What the title of a drill begins with, in every message."""
ALERTNAME = "IncidentdDrill"
FAILED = "IncidentdDrillFailed"
"""`alertname` of the incident about a planned drill that failed."""
PLANNED = "drill"
"""The source of planned drills: they come from no Alertmanager, so neither its state nor its heartbeats touch them."""
SETTLING = timedelta(seconds=5)
"""Before this nothing is concluded from the pages there are: the first step of an escalation may still come."""
GRACE = timedelta(seconds=15)
"""After its deadline a drill is told to end; after that long it has ended, whatever became of it."""
LATENESS = timedelta(minutes=5)
"""A planned drill that could not start for longer is left out: nobody expects it at another hour."""


def drill_of(labels: Mapping[str, str]) -> str | None:
    """The drill that an alert with these labels belongs to; None if it is a real one."""
    return labels.get(LABEL) or None


def titled(title: str) -> str:
    """`title` as that of a drill."""
    return title if title.startswith(PREFIX) else PREFIX + title


class State(enum.StrEnum):
    """Where a drill stands."""

    WAITING = "waiting"
    """Its alert has not arrived."""
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class Fate(enum.StrEnum):
    """What became of one page of a drill."""

    ACCEPTED = "accepted"
    """The vendor took it."""
    WITHHELD = "withheld"
    """Somebody acted before it left."""
    LATER = "later"
    """It waits for its time, by somebody's contact rule or quiet hours."""
    PENDING = "pending"
    FAILED = "failed"
    """Given up, or told over another channel in its place."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a drill's incident, as the outbox has it."""

    channel: str
    target: str
    person: str | None
    state: DeliveryState
    fell_back: bool
    attempts: int
    not_before: datetime
    queued_at: datetime
    first_attempt_at: datetime | None
    accepted_at: datetime | None
    why: str
    """The last error, or why it ended unsent; empty if neither."""

    def fate(self, now: datetime) -> Fate:
        """What has become of it."""
        if self.state is DeliveryState.SENT:
            return Fate.ACCEPTED
        if self.state is DeliveryState.DEAD or self.fell_back:
            return Fate.FAILED
        if self.state in {DeliveryState.SUPERSEDED, DeliveryState.SUPPRESSED}:
            return Fate.WITHHELD
        return Fate.LATER if not self.attempts and self.not_before > now else Fate.PENDING

    def __str__(self) -> str:
        """Whom it tells, as people read it."""
        return f"{self.channel} ({f'{self.person}, ' if self.person else ''}{self.target})"


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill, asked for by a person or planned."""

    id: str
    name: str | None
    """Of a planned one: its key under `drills`."""
    requested_by: str
    severity: Severity
    service: str
    source: str
    """The source whose alert it is."""
    targets: tuple[Target, ...] | None
    """Whom it tells; None: whom the route says."""
    registered_at: datetime
    deadline_at: datetime
    """By then everything must have been accepted."""
    due_at: datetime | None = None
    """Of a planned one: its time by the plan."""
    received_at: datetime | None = None
    incident_id: int | None = None
    resolved_at: datetime | None = None
    finished_at: datetime | None = None
    state: State = State.WAITING
    """Final once it has finished."""
    reasons: tuple[str, ...] = ()
    """Why it failed."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its alert."""
        labels = {"alertname": ALERTNAME, LABEL: self.id, "severity": self.severity.value}
        return {**labels, "service": self.service} if self.service else labels

    @property
    def annotations(self) -> dict[str, str]:
        """The texts of its alert."""
        what = f"planned drill {self.name}" if self.name else f"drill by {self.requested_by}"
        return {
            "summary": f"{PREFIX}Nothing is wrong: {what}",
            "description": "It checks that pages arrive. It ends by itself; acknowledging it proves that you can.",
        }

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels among its targets."""
        return tuple(target.name for target in self.targets or () if target.kind is Kind.CHANNEL)

    @property
    def people(self) -> tuple[Target, ...]:
        """The users and schedules among its targets."""
        return tuple(target for target in self.targets or () if target.kind is not Kind.CHANNEL)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a drill has shown so far."""

    state: State
    reasons: tuple[str, ...] = ()


def judge(
    drill: Drill, pages: Sequence[Page], now: datetime, *, over: bool, suppressed_by: str | None
) -> Judgement:
    """What `drill` has shown so far: passed if every page that is due was accepted, and there was one at least.

    `over`: its incident is resolved, so nothing more is to come. A page that somebody's acknowledgement made needless
    is no failure; one that had to be told over another channel is.
    """
    if drill.received_at is None:
        late = now >= drill.deadline_at
        return (
            Judgement(State.FAILED, ("its alert did not arrive in time",))
            if late
            else Judgement(State.WAITING)
        )
    fates = [(page, page.fate(now)) for page in pages]
    failed = [f"{page}: {page.why or 'given up'}" for page, fate in fates if fate is Fate.FAILED]
    pending = [
        f"{page}: not accepted in time; {page.why or 'no answer'}"
        for page, fate in fates
        if fate is Fate.PENDING
    ]
    final = over or now >= drill.deadline_at
    early = now < drill.received_at + SETTLING
    if not final and (pending or early or not fates):
        return Judgement(State.RUNNING)
    reasons = [*failed, *pending]
    if not any(fate in {Fate.ACCEPTED, Fate.WITHHELD} for _, fate in fates) and not reasons:
        quiet = (
            f"maintenance {suppressed_by} keeps it quiet"
            if suppressed_by
            else "no route and no contact rule tells anybody now"
        )
        reasons.append(f"nobody was told: {quiet}")
    return Judgement(State.FAILED if reasons else State.PASSED, tuple(reasons))


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill that comes again."""

    name: str
    at: time
    """By the clock on the wall."""
    time_zone: str
    """Name in the IANA database."""
    severity: Severity
    days: frozenset[int] = EVERY_DAY
    """0 is Monday."""
    service: str = ""
    targets: tuple[Target, ...] | None = None
    wait: timedelta = timedelta(minutes=5)

    def last_due(self, now: datetime) -> datetime | None:
        """When it was to start last, up to and including `now`; UTC."""
        zone = ZoneInfo(self.time_zone)
        today = now.astimezone(zone).date()
        for back in range(8):
            day = today - timedelta(days=back)
            due = datetime.combine(day, self.at, zone).astimezone(UTC)
            if day.weekday() in self.days and due <= now:
                return due
        return None

    def drill(self, identity: str, due: datetime, now: datetime) -> Drill:
        """The drill of this plan that was due at `due`."""
        asked = (self.severity, self.service, PLANNED, self.targets)
        return Drill(identity, self.name, "incidentd", *asked, now, now + self.wait, due_at=due)
