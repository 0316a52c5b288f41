"""What rules do with publications: drafts of incidents, their way to the public, and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.domain.severity import Severity
from incidentd.domain.status_page.derive import impact_of
from incidentd.domain.status_page.facts import BY_RULE, Affected, Publication, Update
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.words import Level, Phase, Policy, State, Status, highest

_UPDATE = "incidentctl status update"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules see of an incident: nothing that could not be public."""

    incident_id: int
    open: bool
    severity: Severity
    started_at: datetime
    effects: Mapping[str, Status]
    """Component -> what it means for it; only of components whose policy is not `never`."""
    policy: Policy
    quiet: bool = False
    """Maintenance covers it, or it is a drill."""
    flapping: bool = False
    words: Mapping[str, str] | None = None
    """Values of exposed labels."""
    stale: bool = False
    """It is about our own monitoring."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision about a publication."""

    publication: Publication
    kind: str
    """Of the timeline entry."""
    said: str
    """What the timeline says; empty: nothing."""
    update: Update | None = None
    tell: bool = False
    """People are told of it."""


def see(
    layout: Layout,
    incident: Seen,
    alerts: Sequence[Mapping[str, str]],
) -> Seen:
    """`incident` with what it means for the components, by the labels of its alerts that fire."""
    meant = {part.id: part.effect_of(alerts, incident.severity) for part in layout.parts}
    policies = {part.id: part.policy(incident.severity) for part in layout.parts}
    effects = {
        key: status
        for key, status in meant.items()
        if status is not Status.OPERATIONAL and policies[key] is not Policy.NEVER
    }
    chosen = min([policies[key] for key in effects], key=lambda p: p.rank, default=Policy.NEVER)
    words = layout.exposed(alerts[0] if alerts else {})
    if incident.stale and layout.stale:
        return replace(incident, effects={}, policy=Policy.AUTO, words=words)
    quiet = incident.quiet or incident.stale
    return replace(incident, effects=effects, policy=chosen, words=words, stale=False, quiet=quiet)


def follow(layout: Layout, known: Publication | None, seen: Seen, now: datetime, code: str) -> Step | None:
    """What an incident's present state means for its newest publication; `code` is fresh, for what is new."""
    if known is None or _over_for_good(layout, known, now):
        return _draft(layout, seen, now, code) if seen.open and not seen.quiet else None
    if known.state is State.DISCARDED:
        ended = replace(known, phase=Phase.RESOLVED)
        return None if seen.open else Step(ended, "status_over", "")
    if known.state is State.DRAFT:
        return _redraft(layout, known, seen, now, code)
    if seen.flapping and not _quiet(known):
        return None  # its comings and goings are no news for the public: a person says what is to be said
    return _moved(layout, known, seen, now, code) if seen.open else _ended(layout, known, now, code)


def _quiet(known: Publication) -> bool:
    """The public reads that it is over, or will by the clock: not true any more once it fires, however it flaps."""
    return known.phase.over or known.settle_at is not None


def _over_for_good(layout: Layout, known: Publication, now: datetime) -> bool:
    if not known.phase.over or known.by_hand:
        return False
    if known.state is State.PUBLISHED and known.phase is Phase.RESOLVED and known.resolved_at is not None:
        return now - known.resolved_at > layout.reopen
    return True


def _draft(layout: Layout, seen: Seen, now: datetime, code: str) -> Step | None:
    if seen.policy is Policy.NEVER:
        return None
    critical = seen.severity is Severity.CRITICAL
    effects, words = seen.effects, seen.words or {}
    draft = Publication(
        id=0,
        code=code,
        state=State.DRAFT,
        title=layout.text("stale_title" if seen.stale else "title", effects, seen.started_at, words),
        phase=Phase.INVESTIGATING,
        policy=seen.policy,
        created_at=now,
        started_at=min(seen.started_at, now),
        updated_at=now,
        incident_id=seen.incident_id,
        effects=effects,
        baseline=effects,
        impact=Level.MINOR if seen.stale else _impact(layout, effects),
        publish_at=now + layout.delay if seen.policy is Policy.DELAYED else None,
        remind_at=now + layout.remind_after if critical and seen.policy is Policy.APPROVE else None,
        stale=seen.stale,
    )
    if seen.policy is Policy.AUTO:
        return published(layout, draft, now, code)
    when = f", public at {draft.publish_at:%H:%M} UTC" if draft.publish_at else ""
    said = f'status page: draft {code} "{draft.title}"{when}; incidentctl status publish {code}'
    return Step(draft, "status_draft", said, tell=True)


def _redraft(layout: Layout, draft: Publication, seen: Seen, now: datetime, code: str) -> Step | None:
    # What the clock would publish is not to be told any more; what waits for a person is theirs.
    idle = seen.policy is Policy.NEVER and draft.publish_at is not None
    if not seen.open or seen.quiet or idle:
        gone = replace(
            draft,
            state=State.DISCARDED,
            phase=Phase.RESOLVED,
            updated_at=now,
            publish_at=None,
            remind_at=None,
        )
        return Step(gone, "status_discarded", f"status page: draft {draft.code} is not needed any more")
    if seen.policy is Policy.NEVER:
        return None  # a person has it before them, and decides
    policies = [seen.policy] if draft.draft_text is None else [seen.policy, draft.policy]
    policy = min(policies, key=lambda p: p.rank)  # words that a runbook proposes wait for a person
    if seen.effects == draft.baseline and policy is draft.policy:
        return None
    title = layout.text("title", seen.effects, draft.started_at, seen.words or {})
    impact = highest([draft.impact, _impact(layout, seen.effects)])
    effects = seen.effects
    after = replace(draft, effects=effects, baseline=effects, impact=impact, updated_at=now, title=title)
    # Once a component has to be approved, no clock publishes the others with it.
    at = (draft.publish_at or now + layout.delay) if policy is Policy.DELAYED else None
    after = replace(after, policy=policy, publish_at=at)
    if policy is Policy.AUTO:
        return published(layout, after, now, code)
    if seen.severity is Severity.CRITICAL and draft.remind_at is None and policy is Policy.APPROVE:
        after = replace(after, remind_at=now + layout.remind_after)
    return Step(after, "status_draft", f'status page: draft {draft.code} is now "{title}"', tell=True)


def published(layout: Layout, draft: Publication, now: datetime, code: str) -> Step:
    """`draft` becomes public by rule, in the words of the templates."""
    key = "stale" if draft.stale else "investigating"
    after = replace(
        draft, state=State.PUBLISHED, published_at=now, updated_at=now, publish_at=None, remind_at=None
    )
    update = _said(layout, draft, after, key, now, code, before={})
    return Step(after, "status_published", f'status page: "{after.title}" is public', update, tell=True)


def _moved(layout: Layout, known: Publication, seen: Seen, now: datetime, code: str) -> Step | None:
    """Its incident is open."""
    if known.by_hand:
        return None
    # What a person has published they have approved; of other components the policy of each decides.
    told = _by_rule(layout, seen.severity) | known.effects.keys()
    effects = {key: status for key, status in seen.effects.items() if key in told}
    if not _quiet(known) or (seen.effects and not effects):
        return None if seen.effects == known.baseline else _changed(layout, known, seen, now, code)
    after = replace(
        known,
        phase=Phase.IDENTIFIED,
        effects=effects or known.effects,
        baseline=seen.effects,
        impact=highest([known.impact, _impact(layout, effects)]),
        resolved_at=None,
        settle_at=None,
        updated_at=now,
    )
    update = _said(layout, known, after, "stale" if known.stale else "identified", now, code)
    more = f", and it does not tell all of it; {_UPDATE} {known.code}" if effects != seen.effects else ""
    return Step(after, "status_updated", f'status page: "{known.title}" is back{more}', update, tell=True)


def _by_rule(layout: Layout, severity: Severity) -> set[str]:
    """Components that the public is told of without a person's word, at this severity."""
    return {part.id for part in layout.parts if part.policy(severity) in {Policy.AUTO, Policy.DELAYED}}


def _changed(layout: Layout, known: Publication, seen: Seen, now: datetime, code: str) -> Step:
    """The incident means something else for the components than before."""
    # What a person has lowered or raised stays as it is.
    own = {
        key for key in _by_rule(layout, seen.severity) if known.effects.get(key) == known.baseline.get(key)
    }
    effects = dict(known.effects)
    for key in own & (seen.effects.keys() | known.baseline.keys()):
        effects[key] = seen.effects.get(key, Status.OPERATIONAL)
    after = replace(known, baseline=seen.effects)
    if effects == known.effects:
        said = f'status page: "{known.title}" does not tell all of it any more; {_UPDATE} {known.code}'
        return Step(after, "status_behind", said, tell=True)
    impact = highest([known.impact, _impact(layout, effects)])
    after = replace(after, effects=effects, impact=impact, updated_at=now)
    update = _said(layout, known, after, known.phase.value, now, code)
    return Step(after, "status_updated", f'status page: "{known.title}" tells of more', update)


def _ended(layout: Layout, known: Publication, now: datetime, code: str) -> Step | None:
    """Its incident is resolved."""
    if known.by_hand:
        return Step(replace(known, by_hand=False), "status_over", "")
    if known.phase.over or known.settle_at is not None:
        return None
    after = replace(
        known,
        phase=Phase.MONITORING,
        effects=dict.fromkeys(known.effects, Status.OPERATIONAL),
        baseline={},
        monitoring_at=known.monitoring_at or now,
        settle_at=now + layout.settle,
        next_update_at=None,
        updated_at=now,
    )
    update = _said(layout, known, after, "stale_over" if known.stale else "monitoring", now, code)
    return Step(after, "status_updated", f'status page: "{known.title}" is being monitored', update)


def tick(layout: Layout, known: Publication, now: datetime, code: str) -> Step | None:
    """What the clock means for a publication."""
    if known.publish_at is not None and now >= known.publish_at:
        return published(layout, known, now, code)
    if known.remind_at is not None and now >= known.remind_at:
        said = (
            f'the status page does not tell of this yet: draft {known.code} "{known.title}" waits; '
            f"incidentctl status publish {known.code}, or status discard {known.code}"
        )
        return Step(replace(known, remind_at=None), "status_reminder", said, tell=True)
    if known.settle_at is not None and now >= known.settle_at:
        after = replace(known, phase=Phase.RESOLVED, resolved_at=now, settle_at=None, updated_at=now)
        update = _said(layout, known, after, "stale_over" if known.stale else "resolved", now, code)
        return Step(after, "status_resolved", f'status page: "{known.title}" is resolved', update)
    return None


def _impact(layout: Layout, effects: Mapping[str, Status]) -> Level:
    # One without a component is told of because it matters.
    return impact_of(effects, len(layout.parts), layout.critical_share) if effects else Level.MINOR


def _said(
    layout: Layout,
    known: Publication,
    after: Publication,
    key: str,
    now: datetime,
    code: str,
    before: Mapping[str, Status] | None = None,
) -> Update:
    return Update(
        code=code,
        owner=after.code,
        revision=1,
        status=after.phase.value,
        body=layout.text(key, after.effects, after.started_at, {}),
        at=now,
        author=BY_RULE,
        origin=key,
        affected=affected(known.effects if before is None else before, after.effects),
    )


def affected(before: Mapping[str, Status], after: Mapping[str, Status]) -> tuple[Affected, ...]:
    """How each component fared before and after."""
    return tuple(
        [Affected(key, before.get(key, Status.OPERATIONAL), status) for key, status in after.items()]
    )
