"""Scheduled maintenance as the public sees it: it begins and ends by time, or by a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.domain import maintenance as windows
from incidentd.domain.status_page.by_hand import StatusRefusedError
from incidentd.domain.status_page.facts import BY_RULE, Affected, Maintenance, Update
from incidentd.domain.status_page.layout import Layout
from incidentd.domain.status_page.words import Stage, Status

TRANSITIONS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.SCHEDULED: (Stage.SCHEDULED, Stage.IN_PROGRESS, Stage.COMPLETED),
    Stage.IN_PROGRESS: (Stage.IN_PROGRESS, Stage.VERIFYING, Stage.COMPLETED),
    Stage.VERIFYING: (Stage.VERIFYING, Stage.IN_PROGRESS, Stage.COMPLETED),
    Stage.COMPLETED: (),
}
"""Where a maintenance may go. What is not here is refused."""


@dataclass(frozen=True, slots=True)
class Said:
    """A maintenance after a step, and what the public is told of it."""

    maintenance: Maintenance
    update: Update
    ended: bool = False
    """The windows that kept pages quiet hold no more."""


@dataclass(frozen=True, slots=True)
class Word:
    """Whose step it is, and in which words."""

    author: str = BY_RULE
    body: str | None = None
    """None: the template's."""
    forced: tuple[str, ...] = ()
    """What the check of free text found, which its author insists on."""
    series: bool = False
    """What ends does not come again."""


_RULE = Word()


def scheduled(layout: Layout, planned: Maintenance, code: str, word: Word = _RULE) -> Said:
    """A new one is told of."""
    text = word.body or _text(layout, planned, "scheduled")
    return Said(planned, _update(planned, Stage.SCHEDULED, text, planned.created_at, code, word))


def move(
    layout: Layout, known: Maintenance, stage: Stage, now: datetime, code: str, word: Word = _RULE
) -> Said:
    """It goes on. Raises `StatusRefusedError`. One that ends before it began was cancelled: there is no other word."""
    if stage not in TRANSITIONS[known.stage]:
        allowed = ", ".join(TRANSITIONS[known.stage]) or "nothing, it is over"
        raise StatusRefusedError(
            "wrong_state", f"{known.code} is {known.stage}: {stage} is not possible; accepted: {allowed}"
        )
    after = replace(known, stage=stage, updated_at=now)
    if stage is Stage.IN_PROGRESS:
        after = replace(after, started_at=known.started_at or now)
    if stage is Stage.COMPLETED:
        after = replace(after, completed_at=now)
    if known.started_at is not None and stage is Stage.COMPLETED and now > known.scheduled_for:
        after = replace(after, scheduled_until=now)
    cancelled = known.stage is Stage.SCHEDULED and stage is Stage.COMPLETED
    key = "cancelled" if cancelled else stage.value
    text = word.body or _text(layout, known, key)
    ended = stage is Stage.COMPLETED and now < known.scheduled_until
    said = _update(after, known.stage, text, now, code, word)
    return Said(after, replace(said, origin="" if word.body else key), ended)


def due(known: Maintenance, now: datetime) -> Stage | None:
    """Where the clock wants it to be; None: where it is."""
    if known.stage is Stage.SCHEDULED and now >= known.scheduled_for:
        return Stage.IN_PROGRESS
    if known.stage is Stage.IN_PROGRESS and now >= known.scheduled_until:
        return Stage.VERIFYING if known.verify else Stage.COMPLETED
    return None


def following(known: Maintenance, now: datetime, code: str) -> Maintenance | None:
    """The next occurrence of one that comes again; None if it does not."""
    if known.rrule is None:
        return None
    length = known.scheduled_until - known.scheduled_for
    starts = datetime.fromisoformat(known.starts)
    plan = windows.Plan(starts, length, known.time_zone, known.rrule)
    found = windows.span(plan, known.scheduled_for + length + timedelta(microseconds=1))
    while found is not None and found.ends_at <= now:
        found = windows.span(plan, found.ends_at + timedelta(microseconds=1))
    if found is None:
        return None
    return replace(
        known, id=0, code=code, stage=Stage.SCHEDULED, scheduled_for=found.starts_at, scheduled_until=found.ends_at,
        created_at=now, updated_at=now, started_at=None, completed_at=None,
    )  # fmt: skip


def _text(layout: Layout, planned: Maintenance, key: str) -> str:
    effects = dict.fromkeys(planned.components, Status.UNDER_MAINTENANCE)
    return layout.text(key, effects, planned.scheduled_for, {})


def _update(after: Maintenance, before: Stage, body: str, now: datetime, code: str, word: Word) -> Update:
    old, new = [_status(stage) for stage in (before, after.stage)]
    return Update(
        code=code,
        owner=after.code,
        revision=1,
        status=after.stage.value,
        body=body,
        at=now,
        author=word.author,
        origin="" if word.body else after.stage.value,
        affected=tuple([Affected(component, old, new) for component in after.components]),
        forced=word.forced,
    )


def _status(stage: Stage) -> Status:
    return Status.UNDER_MAINTENANCE if stage.active else Status.OPERATIONAL
