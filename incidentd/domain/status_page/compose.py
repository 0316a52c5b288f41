"""The public page out of everything that is written down: the one door through which facts become public."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from incidentd.domain.status_page.derive import roll_up, statuses
from incidentd.domain.status_page.facts import Facts, Maintenance, Publication, Update
from incidentd.domain.status_page.layout import Layout, Part, public_id
from incidentd.domain.status_page.page import (
    PublicAffected,
    PublicComponent,
    PublicDay,
    PublicEvent,
    PublicPage,
    PublicUpdate,
    PublicUptime,
)
from incidentd.domain.status_page.uptime import WINDOWS, observed, percent, within
from incidentd.domain.status_page.words import Level, Phase, Status, worst

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
"""When a component that was never watched has been made: some constant that all replicas agree on."""


def compose(layout: Layout, facts: Facts, now: datetime) -> PublicPage:
    """The page at `now`."""
    found = statuses(layout, facts, now)
    incidents = [_incident(layout, p, facts.updates[p.code]) for p in facts.publications if p.public]
    planned = [_maintenance(layout, m, facts.updates[m.code]) for m in facts.maintenances]
    open_impacts = [p.shown_impact for p in facts.publications if p.open]
    indicator, words = roll_up(layout, list(found.values()), open_impacts)
    components = _components(layout, facts, found, now)
    changed = [e.updated_at for e in (*incidents, *planned)] + [c.updated_at for c in components]
    return PublicPage(
        id=layout.id,
        name=layout.name,
        url=layout.url,
        time_zone=layout.time_zone,
        updated_at=max(changed, default=BEGINNING),
        indicator=indicator,
        description=words,
        components=tuple(components),
        incidents=_newest_first(incidents),
        maintenances=_newest_first(planned),
        uptimes=tuple([_uptime(layout, part, facts, now) for part in layout.parts if part.showcase]),
        partial_weight=layout.partial_weight,
        monitoring_delayed=any(
            [p.open and p.stale and p.phase is not Phase.MONITORING for p in facts.publications]
        ),
        at=now,
        look=layout.look,
    )


def _newest_first(events: Sequence[PublicEvent]) -> tuple[PublicEvent, ...]:
    return tuple(sorted(events, key=lambda e: (e.created_at, e.id), reverse=True))


def _components(
    layout: Layout, facts: Facts, found: Mapping[str, Status], now: datetime
) -> list[PublicComponent]:
    rows: list[PublicComponent] = []
    groups: dict[str, list[Part]] = {}
    for part in layout.parts:
        if part.group is not None:
            groups.setdefault(part.group, []).append(part)
    top, seen = 0, set[str]()
    for part in layout.parts:
        if part.group is None:
            top += 1
            rows.append(_component(part, facts, found, now, top, None))
        elif part.group not in seen:
            top += 1
            seen.add(part.group)
            group_id = public_id("group", part.group)
            members = [
                _component(member, facts, found, now, place, group_id)
                for place, member in enumerate(groups[part.group], 1)
            ]
            rows += [_group(part.group, group_id, members, top), *members]
    return rows


def _group(name: str, group_id: str, members: Sequence[PublicComponent], position: int) -> PublicComponent:
    return PublicComponent(
        id=group_id,
        name=name,
        status=worst(member.status for member in members),
        position=position,
        created_at=min(member.created_at for member in members),
        updated_at=max(member.updated_at for member in members),
        members=tuple([member.id for member in members]),
    )


def _component(
    part: Part, facts: Facts, found: Mapping[str, Status], now: datetime, position: int, group_id: str | None
) -> PublicComponent:
    created_at = facts.known_since.get(part.id, BEGINNING)
    return PublicComponent(
        id=part.id,
        name=part.name,
        status=found[part.id],
        position=position,
        created_at=created_at,
        updated_at=max([created_at, *_changes(part, facts, now)]),
        description=part.description or None,
        showcase=part.showcase,
        start_date=part.start_date,
        group_id=group_id,
        only_show_if_degraded=part.only_show_if_degraded,
    )


def _changes(part: Part, facts: Facts, now: datetime) -> list[datetime]:
    """When something that decides its status changed."""
    found = [p.updated_at for p in facts.publications if p.public and part.id in p.effects]
    if part.auto_component:
        found += [p.updated_at for p in facts.publications if not p.public and part.id in p.effects]
    found += [m.updated_at for m in facts.maintenances if part.id in m.components]
    for override in facts.overrides:
        if override.component == part.id:
            ends = [at for at in (override.until, override.cleared_at) if at is not None and at <= now]
            found += [override.created_at, *ends]
    return found


def _incident(layout: Layout, known: Publication, said: Sequence[Update]) -> PublicEvent:
    published_at = known.published_at or known.created_at
    return PublicEvent(
        id=known.code,
        name=known.title,
        status=known.phase.value,
        impact=known.shown_impact,
        created_at=published_at,
        updated_at=known.updated_at,
        started_at=known.started_at,
        monitoring_at=known.monitoring_at,
        resolved_at=known.resolved_at,
        updates=_updates(layout, said, known.updated_at),
        components=tuple(layout.known(known.effects)),
        next_update_at=known.next_update_at,
    )


def _maintenance(layout: Layout, known: Maintenance, said: Sequence[Update]) -> PublicEvent:
    return PublicEvent(
        id=known.code,
        name=known.title,
        status=known.stage.value,
        impact=Level.MAINTENANCE,
        created_at=known.created_at,
        updated_at=known.updated_at,
        started_at=known.started_at or known.scheduled_for,
        monitoring_at=None,
        resolved_at=known.completed_at,
        updates=_updates(layout, said, known.updated_at),
        components=tuple([part.id for part in layout.parts if part.id in known.components]),
        scheduled_for=known.scheduled_for,
        scheduled_until=known.scheduled_until,
    )


def _updates(layout: Layout, said: Sequence[Update], corrected_at: datetime) -> tuple[PublicUpdate, ...]:
    """The newest revision of each, the newest update first."""
    newest: dict[str, Update] = {}
    for update in said:
        newest[update.code] = update
    names = {part.id: part.full_name for part in layout.parts}
    return tuple(
        [
            PublicUpdate(
                id=update.code,
                status=update.status,
                body=update.body,
                created_at=update.at,
                updated_at=update.at if update.revision == 1 else corrected_at,
                affected=tuple(
                    [
                        PublicAffected(a.component, names[a.component], a.old, a.new)
                        for a in update.affected
                        if a.component in names
                    ]
                ),
            )
            for update in reversed(newest.values())
        ]
    )


def _uptime(layout: Layout, part: Part, facts: Facts, now: datetime) -> PublicUptime:
    today = now.astimezone(ZoneInfo(layout.time_zone)).date()
    since = part.start_date
    own = [d for d in facts.days if d.component == part.id and (since is None or d.day >= since)]
    days = sorted(within(own, today, max(WINDOWS)), key=lambda d: d.day)
    shown = [PublicDay(d.day, d.degraded, d.partial, d.major, d.maintenance, observed(d)) for d in days]
    windows = [(count, percent(within(days, today, count), layout.partial_weight)) for count in WINDOWS]
    return PublicUptime(part.id, tuple(shown), tuple(windows))
