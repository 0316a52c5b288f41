"""What is told later than it began: days that were counted already are put right.

Nothing is counted that nobody watched: seconds only move from the state they were taken for to the one they were in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.facts import Facts, Maintenance, Override, Publication, Update
from incidentd.domain.status_page.layout import Part
from incidentd.domain.status_page.uptime import midnight
from incidentd.domain.status_page.words import Status, worst


@dataclass(frozen=True, slots=True)
class Shift:
    """Seconds of one day of a component that were spent in another state than was thought."""

    component: str
    day: date
    """In the page's zone."""
    old: Status
    new: Status
    seconds: float


def shifts(
    part: Part, before: Facts, after: Facts, since: datetime, until: datetime, zone: str
) -> Iterator[Shift]:
    """What `after` says otherwise than `before` of a component between two instants, day by day."""
    here = ZoneInfo(zone)
    edges = {edge for facts in (before, after) for edge in _edges(part, facts)}
    cuts = [*sorted(edge for edge in edges if since < edge < until), until]
    for cut in cuts:
        while since < cut:
            today = since.astimezone(here).date()
            end = min(cut, midnight(today + timedelta(days=1), here))
            old, new = fared(part, before, since), fared(part, after, since)
            if old is not new:
                yield Shift(part.id, today, old, new, (end - since).total_seconds())
            since = end


def fared(part: Part, facts: Facts, at: datetime) -> Status:
    """How a component fared at an instant of the past, by all that is known of it now."""
    by_hand = [o for o in facts.overrides if o.component == part.id and _held(o, at)]
    if by_hand:
        return max(by_hand, key=lambda o: (o.created_at, o.id)).status
    told = [_effect(part.id, p, facts.updates.get(p.code, ()), at) for p in facts.publications if p.public]
    active = any(part.id in m.components and _active(m, at) for m in facts.maintenances)
    return worst([*told, Status.UNDER_MAINTENANCE] if active else told)


def _edges(part: Part, facts: Facts) -> Iterator[datetime]:
    """When it may have begun to fare otherwise."""
    for publication in facts.publications:
        yield publication.started_at
        yield from [update.at for update in facts.updates.get(publication.code, ())]
    for override in facts.overrides:
        if override.component == part.id:
            yield from _given(override.created_at, override.until, override.cleared_at)
    for maintenance in facts.maintenances:
        yield from _given(maintenance.started_at, maintenance.completed_at)


def _given(*instants: datetime | None) -> list[datetime]:
    return [at for at in instants if at is not None]


def _held(override: Override, at: datetime) -> bool:
    ends = _given(override.until, override.cleared_at)
    return override.created_at <= at and all(at < end for end in ends)


def _active(maintenance: Maintenance, at: datetime) -> bool:
    begun, over = maintenance.started_at, maintenance.completed_at
    return begun is not None and begun <= at and (over is None or at < over)


def _effect(component: str, publication: Publication, said: Sequence[Update], at: datetime) -> Status:
    if at < publication.started_at:
        return Status.OPERATIONAL
    ordered = sorted(said, key=lambda update: update.at)
    # What its first text tells was so from its beginning on, whenever that was written.
    known = [update for update in ordered if update.at <= at or update.at == ordered[0].at]
    found = [a.new for update in known for a in update.affected if a.component == component]
    return found[-1] if found else Status.OPERATIONAL
