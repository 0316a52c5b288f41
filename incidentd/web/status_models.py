"""What the API of the status page takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from incidentd.config.section import PositiveDuration, TimeZone
from incidentd.domain.status_page.facts import Maintenance, Override, Update
from incidentd.domain.status_page.words import Level, Phase, Policy, Stage, State, Status
from incidentd.web import models as m
from incidentd.web.answers import Answer
from incidentd.workflows.publish_by_hand import Done

Text = Annotated[str, Field(max_length=20_000)]
Effects = dict[str, Status]


class PublicationQuery(m.PageQuery):
    """Which publications."""

    state: State | None = None
    """`draft`, `published` or `discarded`; without it, all."""


class SpokenBody(m.Body):
    """A person's words for the public."""

    body: Text | None = None
    """The text; without it, that of the template."""
    force: bool = False
    """Publish it although it holds what looks internal. That is recorded."""


class SayBody(SpokenBody):
    """More about an incident."""

    title: m.Title | None = None
    """What the incident is called from now on."""
    status: Phase | None = None
    """`investigating`, `identified`, `monitoring` or `resolved`; without it, as before."""
    components: Effects = Field(default_factory=dict)
    """Component, by id or name, and how it fares."""
    impact: Level | None = None
    """In the place of the one that follows from the components."""
    next_update: PositiveDuration | None = None
    """The next update is due after that."""
    started_at: m.Instant | None = None
    """When the impact began: uptime counts from then on. Without it, as before."""


class PublishBody(SayBody):
    """How a draft becomes public."""

    preview: bool = False
    """Change nothing, and answer what the public would read."""


class OpenBody(PublishBody):
    """A public incident that no alert told of."""

    title: m.Title
    """What it is called."""


class PostmortemBody(SpokenBody):
    """What it was."""

    body: Text
    """The text."""


class CorrectBody(SpokenBody):
    """Another text for an update that is public."""

    update: m.Word
    """Its id."""
    body: Text
    """The text."""


class OverrideBody(m.Body):
    """A status that somebody gives a component."""

    component: m.Word
    """Id or name."""
    status: Status
    """How it fares."""
    reason: m.Title
    """Why; the public does not read it."""
    for_: Annotated[PositiveDuration | None, Field(alias="for")] = None
    """How long; without it, until it is cleared."""


class PlanBody(SpokenBody):
    """A scheduled maintenance."""

    title: m.Title
    """What the public reads."""
    components: Annotated[list[m.Word], Field(min_length=1, max_length=100)]
    """Ids or names."""
    starts: Annotated[datetime | None, Field(strict=False)] = None
    """Start of the first occurrence, on the clock of `time_zone` unless it has an offset; default: now."""
    duration: PositiveDuration
    """How long each occurrence lasts."""
    rrule: Annotated[str | None, Field(max_length=300)] = None
    """When it comes again, as in RFC 5545."""
    time_zone: TimeZone = "Etc/UTC"
    """The IANA time zone in which it is meant."""
    quiet: bool = True
    """Alerts of its components tell nobody meanwhile."""
    verify: bool = False
    """At its end it is being verified, until somebody completes it."""


class MoveBody(SpokenBody):
    """Where a maintenance stands now."""

    status: Stage
    """`in_progress`, `verifying` or `completed`; the same again says more about it."""
    series: bool = False
    """With `completed`: it does not come again either."""


class UpdateAnswer(Answer):
    """One revision of a public text."""

    id: str
    revision: int
    status: str
    body: str
    at: AwareDatetime
    author: str
    origin: str
    """The template; empty for a person's own words."""
    affected: dict[str, list[Status]]
    """Component -> how it fared before and after."""
    forced: list[str]
    previous_hash: str
    hash: str


class PublicationAnswer(Answer):
    """One publication."""

    id: str
    incident_id: int | None
    state: State
    title: str
    status: Phase
    policy: Policy
    components: dict[str, Status]
    impact: Level
    created_at: AwareDatetime
    started_at: AwareDatetime
    updated_at: AwareDatetime
    published_at: AwareDatetime | None
    monitoring_at: AwareDatetime | None
    resolved_at: AwareDatetime | None
    next_update_at: AwareDatetime | None
    publish_at: AwareDatetime | None
    remind_at: AwareDatetime | None
    draft_text: str | None
    """What a step of a runbook proposes to say: published with the draft unless other words are given."""
    updates: list[UpdateAnswer]
    """Every revision, in the order they were written; empty in a list."""
    before: dict[str, Any] | None = None
    """Of a preview: what the public reads now."""
    after: dict[str, Any] | None = None
    """Of a preview: what it would read."""


class PublicationPage(Answer):
    """A page of publications."""

    items: list[PublicationAnswer]
    next_cursor: str | None


class OverrideAnswer(Answer):
    """A status that somebody gave a component."""

    id: int
    component: str
    status: Status
    reason: str
    author: str
    created_at: AwareDatetime
    until: AwareDatetime | None
    active: bool
    cleared_at: AwareDatetime | None
    cleared_by: str | None


class OverrideList(Answer):
    """The newest ones."""

    items: list[OverrideAnswer]
    next_cursor: None


class PlanAnswer(Answer):
    """A scheduled maintenance."""

    id: str
    title: str
    status: Stage
    components: list[str]
    scheduled_for: AwareDatetime
    scheduled_until: AwareDatetime
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    rrule: str | None
    time_zone: str
    verify: bool
    windows: list[int]
    """Maintenance windows that keep pages quiet meanwhile."""
    created_by: str
    created_at: AwareDatetime


class PlanList(Answer):
    """Those that are not completed first, then the newest."""

    items: list[PlanAnswer]
    next_cursor: None


def publication_json(done: Done) -> dict[str, Any]:
    """A publication as the API shows it."""
    p = done.publication
    names = (
        "incident_id", "state", "title", "policy", "created_at", "started_at", "updated_at", "published_at",
        "monitoring_at", "resolved_at", "next_update_at", "publish_at", "remind_at", "draft_text",
    )  # fmt: skip
    return {
        "id": p.code,
        **{name: getattr(p, name) for name in names},
        "status": p.phase,
        "components": dict(p.effects),
        "impact": p.shown_impact,
        "updates": [update_json(update) for update in done.updates],
    }


def update_json(update: Update) -> dict[str, Any]:
    """A revision as the API shows it."""
    names = ("revision", "status", "body", "at", "author", "origin", "previous_hash", "hash")
    return {
        "id": update.code,
        **{name: getattr(update, name) for name in names},
        "affected": {each.component: [each.old, each.new] for each in update.affected},
        "forced": list(update.forced),
    }


def override_json(known: Override, now: datetime) -> dict[str, Any]:
    """An override as the API shows it."""
    names = (
        "id",
        "component",
        "status",
        "reason",
        "author",
        "created_at",
        "until",
        "cleared_at",
        "cleared_by",
    )
    return {**{name: getattr(known, name) for name in names}, "active": known.holds(now)}


def plan_json(known: Maintenance) -> dict[str, Any]:
    """A maintenance as the API shows it."""
    names = (
        "title", "scheduled_for", "scheduled_until", "started_at", "completed_at", "rrule", "time_zone",
        "verify", "created_by", "created_at",
    )  # fmt: skip
    return {
        "id": known.code,
        **{name: getattr(known, name) for name in names},
        "status": known.stage,
        "components": list(known.components),
        "windows": list(known.windows),
    }
