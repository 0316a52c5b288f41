"""What people do to publications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.domain.status_page.derive import impact_of
from incidentd.domain.status_page.facts import Publication, Update
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.publishing import Step, affected
from incidentd.domain.status_page.words import Level, Phase, Policy, State, Status, highest

_OPEN = (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MONITORING)
TRANSITIONS: Mapping[Phase, tuple[Phase, ...]] = {
    **dict.fromkeys(_OPEN, (*_OPEN, Phase.RESOLVED)),
    Phase.RESOLVED: (*_OPEN, Phase.POSTMORTEM),
    Phase.POSTMORTEM: (Phase.POSTMORTEM,),
}
"""Where a public incident may go. What is not here is refused."""


class StatusRefusedError(Exception):
    """What was asked for is not possible as it stands."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Words:
    """What a person wants to be told."""

    author: str
    code: str
    """Fresh: of the update."""
    body: str | None = None
    """None: the template's."""
    title: str | None = None
    phase: Phase | None = None
    effects: Mapping[str, Status] = field(default_factory=dict)
    """Components that are to fare otherwise than before."""
    impact: Level | None = None
    next_update_at: datetime | None = None
    started_at: datetime | None = None
    forced: tuple[str, ...] = ()
    """What the check of free text found, which its author insists on."""


def publish(layout: Layout, draft: Publication, words: Words, now: datetime) -> Step:
    """A draft becomes public. Raises `StatusRefusedError`."""
    if draft.state is not State.DRAFT:
        raise StatusRefusedError(
            "wrong_state", f"{draft.code} is {draft.state}: only a draft can be published"
        )
    public = replace(
        draft, state=State.PUBLISHED, published_at=now, publish_at=None, remind_at=None, effects={}
    )
    wanted = replace(words, effects={**draft.effects, **words.effects}, phase=words.phase or draft.phase)
    step = update(layout, public, wanted, now, incident_open=draft.incident_id is not None)
    return replace(step, kind="status_published", said=f'status page: "{step.publication.title}" is public')


def opened(layout: Layout, words: Words, code: str, now: datetime) -> Step:
    """A publication that no incident led to. It ends by a person's word."""
    started_at = words.started_at or now
    title = words.title or layout.text("title", words.effects, started_at, {})
    draft = Publication(
        id=0,
        code=code,
        state=State.DRAFT,
        title=title,
        phase=words.phase or Phase.INVESTIGATING,
        policy=Policy.APPROVE,
        created_at=now,
        started_at=started_at,
        updated_at=now,
    )
    return publish(layout, draft, words, now)


def update(
    layout: Layout, known: Publication, words: Words, now: datetime, *, incident_open: bool = False
) -> Step:
    """Say more about what is public. Raises `StatusRefusedError`.

    `incident_open`: its incident is not resolved, so it must not be taken for having come back.
    """
    phase = words.phase or known.phase
    if known.state is not State.PUBLISHED:
        raise StatusRefusedError(
            "not_public", f"{known.code} is {known.state}, so there is nothing to update"
        )
    if phase not in TRANSITIONS[known.phase]:
        allowed = ", ".join(TRANSITIONS[known.phase])
        raise StatusRefusedError(
            "wrong_state", f"{known.code} is {known.phase}: {phase} is not possible; accepted: {allowed}"
        )
    if phase is Phase.POSTMORTEM and not words.body:
        raise StatusRefusedError("no_text", "a postmortem needs a text: there is no template for it")
    effects = {**known.effects, **words.effects}
    if phase.over:
        effects = dict.fromkeys(effects, Status.OPERATIONAL)
    after = _after(layout, known, replace(words, effects=effects), phase, now)
    after = replace(after, by_hand=incident_open and phase.over)
    body = words.body or layout.text(phase.value, effects, after.started_at, {})
    said = Update(
        code=words.code,
        owner=known.code,
        revision=1,
        status=phase.value,
        body=body,
        at=now,
        author=words.author,
        origin="" if words.body else phase.value,
        affected=() if phase is Phase.POSTMORTEM else affected(known.effects, effects),
        forced=words.forced,
    )
    return Step(after, "status_updated", f'status page: "{after.title}" is {phase.value}', said)


def _after(layout: Layout, known: Publication, words: Words, phase: Phase, now: datetime) -> Publication:
    ended = impact_of(words.effects, len(layout.parts), layout.critical_share)
    floor = Level.NONE if known.published_at != now or words.effects else Level.MINOR
    return replace(
        known,
        title=words.title or known.title,
        phase=phase,
        effects=words.effects,
        impact=highest([known.impact, ended, floor]),
        impact_override=words.impact or known.impact_override,
        started_at=min(words.started_at or known.started_at, now),
        monitoring_at=known.monitoring_at or (now if phase is Phase.MONITORING else None),
        resolved_at=(known.resolved_at or now) if phase.over else None,
        next_update_at=None if phase.over else words.next_update_at,
        # Whoever says that it is not over will also say when it is.
        settle_at=known.settle_at if phase is Phase.MONITORING else None,
        updated_at=now,
    )


def correct(known: Publication, said: Update, words: Words, now: datetime) -> Step:
    """Another revision of an update: the public sees the newest, all of them are kept."""
    revised = replace(
        said,
        revision=said.revision + 1,
        body=words.body or said.body,
        author=words.author,
        origin="",
        forced=words.forced,
    )
    return Step(
        replace(known, updated_at=now),
        "status_corrected",
        f'status page: "{known.title}" is corrected',
        revised,
    )


def discard(draft: Publication, now: datetime) -> Step:
    """A draft does not become public. Raises `StatusRefusedError`."""
    if draft.state is not State.DRAFT:
        raise StatusRefusedError(
            "wrong_state", f"{draft.code} is {draft.state}: only a draft can be discarded"
        )
    gone = replace(draft, state=State.DISCARDED, publish_at=None, remind_at=None, updated_at=now)
    return Step(gone, "status_discarded", f'status page: draft "{draft.title}" is discarded')
