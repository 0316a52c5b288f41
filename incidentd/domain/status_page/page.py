"""The page as the public may see it: the one value that every public byte is made of.

Strings in it are names and descriptions of components out of the configuration, and texts that were published. There is
no way into it for a label, an annotation, an author or a reason: no type here has a place for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from incidentd.domain.status_page.words import Level, Status


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that stands in the page itself, so that it costs no request."""

    media: str
    """Such as `image/svg+xml`."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """How the page for people looks and speaks; documents for machines know nothing of it."""

    language: str = "en"
    """A BCP 47 tag; what we have no words for speaks English, except for `words`."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Texts of the page in the place of the built-in ones."""
    accent: str = ""
    """Colour of links and buttons, such as `#0057b8`; empty: ours."""
    accent_dark: str = ""
    """The same where the reader's screen is dark."""
    logo: Logo | None = None
    home: str = ""
    """Where the logo leads; empty: to the page itself."""
    private: bool = False
    """Only for those who have its token: search engines are told to stay away."""
    subscribe: str = ""
    """Path of the form for subscribers; empty: there is none."""


@dataclass(frozen=True, slots=True)
class PublicComponent:
    """A component, or a group of them."""

    id: str
    name: str
    status: Status
    position: int
    """In its group, or among what stands in none; from 1."""
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    showcase: bool = False
    start_date: date | None = None
    group_id: str | None = None
    only_show_if_degraded: bool = False
    members: tuple[str, ...] | None = None
    """Ids of the components of a group; None for a component."""


@dataclass(frozen=True, slots=True)
class PublicAffected:
    """How a component fared before and after an update."""

    code: str
    name: str
    """With that of its group."""
    old: Status
    new: Status


@dataclass(frozen=True, slots=True)
class PublicUpdate:
    """One text of an incident or maintenance."""

    id: str
    status: str
    body: str
    """Plain text; whoever shows it escapes it."""
    created_at: datetime
    updated_at: datetime
    affected: tuple[PublicAffected, ...]


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An incident, or a scheduled maintenance."""

    id: str
    name: str
    status: str
    impact: Level
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    monitoring_at: datetime | None
    resolved_at: datetime | None
    updates: tuple[PublicUpdate, ...]
    """The newest first; one at least."""
    components: tuple[str, ...]
    """Ids."""
    next_update_at: datetime | None = None
    scheduled_for: datetime | None = None
    """Of a maintenance."""
    scheduled_until: datetime | None = None

    @property
    def maintenance(self) -> bool:
        """It was planned."""
        return self.scheduled_for is not None

    @property
    def over(self) -> bool:
        """It is history."""
        return self.status in {"resolved", "postmortem", "completed"}


@dataclass(frozen=True, slots=True)
class PublicDay:
    """One day of a component: seconds of each state, as far as we were watching."""

    day: date
    degraded: float
    partial: float
    major: float
    maintenance: float
    observed: float
    """Without maintenance; 0: there is no data, and nothing may be concluded."""


@dataclass(frozen=True, slots=True)
class PublicUptime:
    """A component's days, the oldest first, and its uptime over windows."""

    component: str
    days: tuple[PublicDay, ...]
    """Only those on which we were watching."""
    percent: tuple[tuple[int, float | None], ...]
    """(days, percent with two decimals, never rounded up); None without data."""


@dataclass(frozen=True, slots=True)
class PublicPage:
    """Everything, at one instant."""

    id: str
    name: str
    url: str
    time_zone: str
    updated_at: datetime
    indicator: Level
    description: str
    """English, word for word as readers of the format expect."""
    components: tuple[PublicComponent, ...]
    """Groups and components, in the order of the page."""
    incidents: tuple[PublicEvent, ...]
    """The newest first."""
    maintenances: tuple[PublicEvent, ...]
    """The newest first."""
    uptimes: tuple[PublicUptime, ...]
    partial_weight: float
    monitoring_delayed: bool
    """Our own monitoring is away: what is shown may be out of date."""
    at: datetime
    """When it was made; documents for machines do not tell it, for it changes although nothing has."""
    look: Look = field(default_factory=Look)

    @property
    def events(self) -> tuple[PublicEvent, ...]:
        """Incidents and maintenances together, the newest first."""
        return tuple(
            sorted((*self.incidents, *self.maintenances), key=lambda e: (e.created_at, e.id), reverse=True)
        )
