"""What is written down for the page: publications with their updates, maintenance, overrides, uptime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status

BY_RULE = "incidentd"
"""Author of what no person wrote."""


@dataclass(frozen=True, slots=True)
class Affected:
    """How a component fared before and after an update."""

    component: str
    old: Status
    new: Status


@dataclass(frozen=True, slots=True)
class Update:
    """One public text. It is never altered: a correction is another revision of the same code."""

    code: str
    owner: str
    """Code of the publication or maintenance."""
    revision: int
    status: str
    body: str
    at: datetime
    """When it became, or becomes, public."""
    author: str
    """A person's name, or `BY_RULE`; never public."""
    origin: str
    """The template it was made from; empty for a person's own words."""
    affected: tuple[Affected, ...] = ()
    forced: tuple[str, ...] = ()
    """What the check of free text found, and its author insisted."""
    previous_hash: str = ""
    hash: str = ""

    def linked(self, previous_hash: str) -> Update:
        """The same behind another in the chain of its owner."""
        said = [
            previous_hash, self.code, self.owner, self.revision, self.status, self.body, self.at.isoformat(),
            self.author, self.origin, [[a.component, a.old, a.new] for a in self.affected], list(self.forced),
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
        return replace(self, previous_hash=previous_hash, hash=digest)


@dataclass(frozen=True, slots=True)
class Publication:
    """A public incident, or the draft of one."""

    id: int
    """0 until it is stored."""
    code: str
    """How the public knows it."""
    state: State
    title: str
    phase: Phase
    policy: Policy
    created_at: datetime
    started_at: datetime
    """When the impact began."""
    updated_at: datetime
    incident_id: int | None = None
    effects: Mapping[str, Status] = field(default_factory=dict)
    """Component -> how it makes it fare now."""
    impact: Level = Level.NONE
    """The worst so far."""
    impact_override: Level | None = None
    published_at: datetime | None = None
    monitoring_at: datetime | None = None
    resolved_at: datetime | None = None
    next_update_at: datetime | None = None
    publish_at: datetime | None = None
    """When a delayed draft becomes public."""
    remind_at: datetime | None = None
    """When people are asked whether the draft should be public."""
    settle_at: datetime | None = None
    """When it is resolved unless something fires again."""
    baseline: Mapping[str, Status] = field(default_factory=dict)
    """What its incident meant for the components when that was last looked at."""
    stale: bool = False
    """It says that our own monitoring is away."""
    by_hand: bool = False
    """A person has resolved it while its incident was open: what that does is of no concern until it has ended."""
    draft_text: str | None = None
    """What a step of a runbook proposes to say; whoever publishes the draft without own words says that."""

    @property
    def public(self) -> bool:
        """The public sees it."""
        return self.state is State.PUBLISHED

    @property
    def open(self) -> bool:
        """Public, and not over."""
        return self.public and not self.phase.over

    @property
    def shown_impact(self) -> Level:
        """What the page says it is."""
        return self.impact_override or self.impact


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One public maintenance: one occurrence, if it comes again."""

    id: int
    code: str
    title: str
    stage: Stage
    components: tuple[str, ...]
    scheduled_for: datetime
    scheduled_until: datetime
    created_at: datetime
    created_by: str
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    windows: tuple[int, ...] = ()
    """Numbers of the windows that keep pages quiet meanwhile."""
    rrule: str | None = None
    time_zone: str = "Etc/UTC"
    starts: str = ""
    """Of the first occurrence, on the clock of `time_zone`; of one that comes again."""
    verify: bool = False
    """It does not complete by itself: it is verified by a person."""


@dataclass(frozen=True, slots=True)
class Override:
    """A status that a person gave a component."""

    id: int
    component: str
    status: Status
    reason: str
    author: str
    created_at: datetime
    until: datetime | None
    """None: until it is cleared."""
    cleared_at: datetime | None = None
    cleared_by: str | None = None

    def holds(self, now: datetime) -> bool:
        """It is in force."""
        return self.cleared_at is None and self.created_at <= now and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class Day:
    """Seconds that a component spent in each state on one day of the page's zone, as far as we were watching."""

    component: str
    day: date
    operational: float = 0.0
    degraded: float = 0.0
    partial: float = 0.0
    major: float = 0.0
    maintenance: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything stored that a page is made of."""

    publications: tuple[Publication, ...] = ()
    maintenances: tuple[Maintenance, ...] = ()
    updates: Mapping[str, tuple[Update, ...]] = field(default_factory=dict)
    """Owner -> its updates in the order they were written, every revision."""
    overrides: tuple[Override, ...] = ()
    """Those that hold, and those that ended lately."""
    days: tuple[Day, ...] = ()
    known_since: Mapping[str, datetime] = field(default_factory=dict)
    """Component -> when it was first watched."""
