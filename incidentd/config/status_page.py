"""`status_page`: what the public sees."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from incidentd.config.section import MatcherField, PositiveDuration, Section, TimeZone
from incidentd.config.server import Listen
from incidentd.config.status_export import Export
from incidentd.config.status_look import Brand, Language, Pages, PageWords
from incidentd.config.status_subscribers import Subscribers
from incidentd.domain.severity import Severity
from incidentd.domain.status_page import layout
from incidentd.domain.status_page.layout import MAIN, VARIABLES, check_text, public_id
from incidentd.domain.status_page.texts import TEXTS, texts_in
from incidentd.domain.status_page.words import Policy, Status
from incidentd.fields import BaseUrl, Slug


class Effect(enum.StrEnum):
    """How a component fares: Statuspage's words, best first."""

    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"


class Quorum(Section):
    """How many instances must fail for an outage; fewer are degraded performance."""

    label: str = Field(default="instance", min_length=1)
    """The label whose values are counted among the alerts that fire."""
    partial: int = Field(default=1, ge=1)
    """From so many on it is a partial outage."""
    major: int = Field(ge=1)
    """From so many on it is a major outage."""


class Component(Section):
    """One thing the public knows by name."""

    name: str = Field(min_length=1)
    """Its public name."""
    id: str | None = Field(default=None, pattern="^[a-z0-9]{1,32}$")
    """How documents and badges name it, such as by its id on a page it moved from; without one, made of its name."""
    group: str | None = None
    """The heading it stands under."""
    description: str = ""
    """One public sentence about it."""
    match: tuple[MatcherField, ...] = Field(min_length=1)
    """Which incidents affect it; all matchers must hold."""
    effect: Mapping[Severity, Effect] = {
        Severity.CRITICAL: Effect.MAJOR_OUTAGE,
        Severity.WARNING: Effect.DEGRADED_PERFORMANCE,
    }
    """What an open incident of a severity means for it; a severity that is not named means `operational`."""

    publish: Policy | Mapping[Severity, Policy] | None = None
    """Who decides that an incident becomes public for it, for all severities or for each; else as on the page."""
    auto_component: bool = False
    """Its status follows incidents from their draft on, before anybody publishes one."""
    quorum: Quorum | None = None
    """How many instances must fail for an outage; without it, one is enough."""
    showcase: bool = True
    """The page shows its uptime."""
    start_date: date | None = None
    """The first day that its uptime counts, such as `2027-01-31`."""
    only_show_if_degraded: bool = False
    """The page for people leaves it out while it is operational."""
    pages: frozenset[Slug] | None = None
    """Which pages show it: `main` and keys of `status_page.pages`; without it, all."""

    @property
    def public_id(self) -> str:
        """How documents name it."""
        return self.id or public_id("component", self.group or "", self.name)

    def part(self, default: Mapping[Severity, Policy]) -> layout.Part:
        """The same for the domain."""
        given = self.publish
        own = dict.fromkeys(Severity, given) if isinstance(given, Policy) else given
        quorum = self.quorum
        return layout.Part(
            id=self.public_id,
            name=self.name,
            group=self.group,
            description=self.description,
            showcase=self.showcase,
            start_date=self.start_date,
            only_show_if_degraded=self.only_show_if_degraded,
            match=self.match,
            effect={severity: Status(effect.value) for severity, effect in self.effect.items()},
            publish={**default, **(own or {})},
            auto_component=self.auto_component,
            quorum=None if quorum is None else layout.Quorum(quorum.label, quorum.partial, quorum.major),
            pages=self.pages,
        )


def _unique(components: tuple[Component, ...]) -> tuple[Component, ...]:
    names = [(component.group, component.name) for component in components]
    twice = next((name for index, (_, name) in enumerate(names) if names[index] in names[:index]), None)
    if twice is not None:
        raise ValueError(f"names {twice!r} twice in one group; accepted: each name once")
    ids = [component.public_id for component in components]
    same = next((each for index, each in enumerate(ids) if each in ids[:index]), None)
    if same is not None:
        raise ValueError(f"gives the id {same!r} twice; accepted: each id once")
    return components


class StatusPage(Section):
    """What the public sees. Only what stands here, and what somebody published, can ever appear there."""

    name: str = Field(default="Status", min_length=1)
    """Title of the page."""
    time_zone: TimeZone = "Etc/UTC"
    """Time zone of the times it shows, and of the days that uptime is counted by."""
    url: BaseUrl | None = None
    """Public address of the page; without one, `server.public_url`."""
    listen: Listen | None = None
    """Serve the page, its documents and its forms here, and nothing else, instead of on the daemon's own address; needs
    a restart. Whoever may reach this cannot reach the rest."""
    language: Language = "en"
    """Language of the pages for people and of the built-in texts: `en`, `de`, `fr`, `es`; another one speaks English,
    except for `words` and `texts`. Documents for machines are English in any case."""
    words: PageWords = {}  # noqa: RUF012 - pydantic copies it
    """Words of the pages for people in the place of the built-in ones: [status-page.md](status-page.md#languages)."""
    brand: Brand = Brand()
    """What makes the page yours."""
    pages: Pages = {}  # noqa: RUF012 - pydantic copies it
    """Other pages, by key."""
    components: Annotated[tuple[Component, ...], AfterValidator(_unique)] = ()
    """The things it reports on, in order."""
    publish: Mapping[Severity, Policy] = {
        Severity.CRITICAL: Policy.APPROVE,
        Severity.WARNING: Policy.NEVER,
        Severity.INFO: Policy.NEVER,
    }
    """Who decides that an incident of a severity becomes public: `never`, `approve` (a person), `delayed` (after
    `publish_delay`, unless a person discards the draft), `auto`. What is not named is `never`. Of several components
    the most cautious policy counts."""
    publish_delay: PositiveDuration = timedelta(minutes=5)
    """How long a `delayed` draft waits."""
    remind_after: PositiveDuration = timedelta(minutes=5)
    """A critical draft that is not public by then is told of again."""
    settle: PositiveDuration = timedelta(minutes=10)
    """How long a public incident is being monitored after its alerts ended; then it is resolved."""
    reopen: PositiveDuration = timedelta(minutes=30)
    """An incident that comes back within this time after that is the same public incident."""
    critical_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the components in major outage from which on the whole page is `critical`."""
    partial_weight: float = Field(default=0.3, ge=0, le=1)
    """What a minute of partial outage counts as in uptime, in minutes of major outage."""
    maintenance_indicator: bool = True
    """False: the page's indicator stays `none` during maintenance, for readers that do not know the word."""
    stale: bool = True
    """While a heartbeat of a source is missing the page says that monitoring data is delayed."""
    texts: Mapping[str, str] = {}
    """The public texts, by what they are for, in the place of the built-in ones: see docs/status-page.md."""
    expose: Mapping[str, Mapping[str, str]] = {}
    """Label, its value, and what the public reads for it: `{region: {eu-1: Europe}}` makes `{region}` a variable of
    texts. Values that are not named here read as nothing."""
    internal_domains: tuple[str, ...] = ()
    """Suffixes of internal names; a text that holds one is not published unless somebody insists."""

    subscribers: Subscribers = Subscribers()
    """Whom the page tells by itself."""
    export: Export = Export()
    """Where copies of the page stand that need no daemon."""

    @model_validator(mode="after")
    def _pages_exist(self) -> Self:
        known = {MAIN, *self.pages}
        for component in self.components:
            unknown = sorted((component.pages or frozenset()) - known)
            if unknown:
                where = f"component {component.name!r} is on the unknown page {unknown[0]!r}"
                raise ValueError(f"{where}; accepted: {', '.join(sorted(known))}")
        return self

    @model_validator(mode="after")
    def _texts_are_public(self) -> Self:
        for key, text in self.texts.items():
            if key not in TEXTS:
                raise ValueError(f"texts.{key} is not known; accepted: {', '.join(TEXTS)}")
            try:
                check_text(text, {*VARIABLES, *self.expose})
            except ValueError as wrong:
                raise ValueError(f"texts.{key}: {wrong}") from None
        return self

    def layout(self, public_url: str, people: Iterable[str] = ()) -> layout.Layout:
        """The same for the domain; `public_url` is the daemon's own address, `people` are names that stay inside."""
        default = {severity: self.publish.get(severity, Policy.NEVER) for severity in Severity}
        url, subscribers = (self.url or public_url).rstrip("/"), self.subscribers
        look = self.brand.look(self.language, self.words)
        form = f"{subscribers.url or url}/subscribe" if subscribers.email else ""
        return layout.Layout(
            id=public_id("page", self.name),
            name=self.name,
            url=url,
            time_zone=self.time_zone,
            parts=tuple([component.part(default) for component in self.components]),
            delay=self.publish_delay,
            remind_after=self.remind_after,
            settle=self.settle,
            reopen=self.reopen,
            critical_share=self.critical_share,
            partial_weight=self.partial_weight,
            maintenance_indicator=self.maintenance_indicator,
            stale=self.stale,
            texts={**texts_in(self.language), **self.texts},
            expose=self.expose,
            internal_domains=self.internal_domains,
            people=tuple(people),
            look=replace(look, subscribe=form),
            sites={key: each.site(key, url, look) for key, each in self.pages.items()},
        )
