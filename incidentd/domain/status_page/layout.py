"""What the configuration says of the page: its components, what an incident means for each, and the public texts."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from incidentd.domain.matcher import Matcher
from incidentd.domain.severity import Severity
from incidentd.domain.status_page.page import Look
from incidentd.domain.status_page.texts import TEXTS, effect_in, listed_in
from incidentd.domain.status_page.words import Policy, Status, worst

VARIABLES = frozenset({"components", "effect", "page", "started"})
"""What a public text may speak of, beside what `expose` allows."""
MAIN = "main"
"""The page itself, where there are several."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many different values of a label must fire for an outage; fewer are degraded performance."""

    label: str
    partial: int
    major: int

    def cap(self, firing: int) -> Status:
        """The worst that so many can mean."""
        if firing >= self.major:
            return Status.MAJOR
        return Status.PARTIAL if firing >= self.partial else Status.DEGRADED


@dataclass(frozen=True, slots=True)
class Part:
    """One component. What begins the list is public, from `match` on it is not."""

    id: str
    name: str
    group: str | None = None
    description: str = ""
    showcase: bool = True
    start_date: date | None = None
    only_show_if_degraded: bool = False
    match: tuple[Matcher, ...] = ()
    effect: Mapping[Severity, Status] = field(default_factory=dict)
    publish: Mapping[Severity, Policy] = field(default_factory=dict)
    auto_component: bool = False
    """Its status follows incidents that nobody has published."""
    quorum: Quorum | None = None
    pages: frozenset[str] | None = None
    """The pages that show it; None: all."""

    def on(self, page: str) -> bool:
        """The page `page` shows it."""
        return self.pages is None or page in self.pages

    @property
    def full_name(self) -> str:
        """The name with that of its group."""
        return f"{self.group} - {self.name}" if self.group else self.name

    def effect_of(self, alerts: Sequence[Mapping[str, str]], severity: Severity) -> Status:
        """What an incident with alerts that have these labels means for it."""
        firing = [labels for labels in alerts if all([m.matches(labels) for m in self.match])]
        effect = self.effect.get(severity, Status.OPERATIONAL)
        if not firing or self.quorum is None:
            return effect if firing else Status.OPERATIONAL
        cap = self.quorum.cap(len({labels.get(self.quorum.label) for labels in firing}))
        return min(effect, cap, key=lambda status: status.rank)

    def policy(self, severity: Severity) -> Policy:
        """Who decides that an incident of this severity becomes public for it."""
        return self.publish.get(severity, Policy.NEVER)


@dataclass(frozen=True, slots=True)
class Site:
    """What another page of the same daemon has of its own."""

    id: str
    name: str
    url: str
    look: Look


@dataclass(frozen=True, slots=True)
class Layout:
    """One page, and what others have of their own."""

    id: str
    name: str
    url: str
    """Without a slash at the end."""
    time_zone: str
    parts: tuple[Part, ...] = ()
    delay: timedelta = timedelta(minutes=5)
    remind_after: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(minutes=10)
    reopen: timedelta = timedelta(minutes=30)
    critical_share: float = 0.5
    """Share of components in major outage from which on the page is critical."""
    partial_weight: float = 0.3
    """What a second of partial outage counts as, in uptime."""
    maintenance_indicator: bool = True
    stale: bool = True
    """Missing heartbeats are told to the public."""
    texts: Mapping[str, str] = field(default_factory=lambda: TEXTS)
    expose: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Label -> value -> what the public reads for it."""
    internal_domains: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Names that no public text may hold."""
    look: Look = field(default_factory=Look)
    sites: Mapping[str, Site] = field(default_factory=dict)
    """The other pages, by key."""

    def part(self, wanted: str) -> Part | None:
        """The component with this id, name, or group and name; None if there is none, or no single one."""
        found = [p for p in self.parts if wanted == p.id or wanted in {p.name, p.full_name}]
        exact = [p for p in found if wanted in {p.id, p.full_name}]
        return (exact or found)[0] if len(exact) == 1 or len(found) == 1 else None

    def known(self, effects: Mapping[str, Status]) -> dict[str, Status]:
        """Those of `effects` whose component exists, in the order of the page."""
        return {part.id: effects[part.id] for part in self.parts if part.id in effects}

    def text(
        self, key: str, effects: Mapping[str, Status], started_at: datetime, words: Mapping[str, str]
    ) -> str:
        """The public text for `key`. `words` are values of exposed labels."""
        names, tag = [part.name for part in self.parts if part.id in effects], self.look.language
        return self.texts[key].format_map(
            {
                **dict.fromkeys(self.expose, ""),
                **words,
                "components": listed_in(tag, names) or self.name,
                "effect": effect_in(tag, worst(effects.values())),
                "page": self.name,
                "started": started_at.strftime("%Y-%m-%d %H:%M UTC"),
            }
        )

    def exposed(self, labels: Mapping[str, str]) -> dict[str, str]:
        """What the public may read for these labels: nothing but what the configuration wrote down."""
        return {name: values.get(labels.get(name, ""), "") for name, values in self.expose.items()}


NO_PAGE = Layout("", "", "", "Etc/UTC")
"""Nothing is configured."""


def public_id(*parts: str) -> str:
    """Twelve characters that stay the same while the names do; readers take ids as opaque."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def check_text(text: str, variables: Iterable[str]) -> str:
    """`text` if it only speaks of `variables`. Raises ValueError."""
    known = sorted(variables)
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is not None and (name not in known or spec or conversion):
            raise ValueError(
                f"{{{name}}} cannot stand in a public text; accepted: {', '.join(f'{{{v}}}' for v in known)}"
            )
    return text
