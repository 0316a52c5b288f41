"""How components and the page fare: functions of what was written down and of the instant, never stored by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from incidentd.domain.status_page.facts import Facts, Maintenance, Override, Publication
from incidentd.domain.status_page.layout import Layout, Part
from incidentd.domain.status_page.words import Level, State, Status, highest, worst

_IMPACT = {
    Status.OPERATIONAL: Level.NONE,
    Status.UNDER_MAINTENANCE: Level.MAINTENANCE,
    Status.DEGRADED: Level.MINOR,
    Status.PARTIAL: Level.MAJOR,
    Status.MAJOR: Level.MAJOR,
}


def component_status(
    part: Part,
    overrides: Iterable[Override],
    publications: Iterable[Publication],
    maintenances: Iterable[Maintenance],
    now: datetime,
) -> Status:
    """How `part` fares: by a person's override, else the worst that is public, else maintenance, else well."""
    set_by_hand = [o for o in overrides if o.component == part.id and o.holds(now)]
    if set_by_hand:
        return max(set_by_hand, key=lambda o: (o.created_at, o.id)).status
    effects = [p.effects.get(part.id, Status.OPERATIONAL) for p in publications if _counts(p, part)]
    active = [m for m in maintenances if m.stage.active and part.id in m.components]
    return worst([*effects, Status.UNDER_MAINTENANCE] if active else effects)


def _counts(publication: Publication, part: Part) -> bool:
    draft = publication.state is State.DRAFT and part.auto_component
    return publication.open or (draft and not publication.phase.over)


def statuses(layout: Layout, facts: Facts, now: datetime) -> dict[str, Status]:
    """How every component fares."""
    return {
        part.id: component_status(part, facts.overrides, facts.publications, facts.maintenances, now)
        for part in layout.parts
    }


def impact_of(effects: Mapping[str, Status], components: int, critical_share: float) -> Level:
    """How bad an incident with these effects is, on a page of so many components."""
    major = sum([status is Status.MAJOR for status in effects.values()])
    if major and major >= critical_share * components:
        return Level.CRITICAL
    return _IMPACT[worst(effects.values())]


def roll_up(layout: Layout, found: Sequence[Status], impacts: Iterable[Level]) -> tuple[Level, str]:
    """The page's indicator and its English words, which readers of the format match on.

    `found`: how the components fare; `impacts`: of the open incidents.
    """
    effects = {str(number): status for number, status in enumerate(found)}
    level = highest([impact_of(effects, len(found), layout.critical_share), *impacts])
    if level is Level.MAINTENANCE and not layout.maintenance_indicator:
        level = Level.NONE
    if level is Level.MINOR and Status.DEGRADED not in found:
        return level, "Minor Service Outage"
    return level, _DESCRIPTIONS[level]


_DESCRIPTIONS = {
    Level.NONE: "All Systems Operational",
    Level.MAINTENANCE: "Service Under Maintenance",
    Level.MINOR: "Partially Degraded Service",
    Level.MAJOR: "Partial System Outage",
    Level.CRITICAL: "Major Service Outage",
}
"""Word for word: readers look for them."""


def next_change(facts: Facts, now: datetime) -> datetime | None:
    """When the page changes although nothing is written: an override ends. None if it does not."""
    return min([o.until for o in facts.overrides if o.holds(now) and o.until is not None], default=None)
