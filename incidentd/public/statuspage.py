"""The eight documents of Atlassian Statuspage's public API, key by key, and our own about uptime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from incidentd.domain.status_page.page import (
    PublicComponent,
    PublicEvent,
    PublicPage,
    PublicUpdate,
    PublicUptime,
)
from incidentd.domain.status_page.words import Stage
from incidentd.public.text import fragment, plain, stamp, stamp_or_none

NEWEST = 50
"""Events a document holds at most."""

Json = dict[str, Any]


def bodies(page: PublicPage) -> Mapping[str, Json]:
    """Name below `/api/v2/` -> document."""
    head = {"page": head_of(page)}
    status = {"indicator": page.indicator.value, "description": page.description}
    rows = {row.id: _component(page, row) for row in page.components}
    components = list(rows.values())
    incidents, unresolved = _events(page, rows, page.incidents), [e for e in page.incidents if not e.over]
    planned = page.maintenances
    upcoming = [e for e in planned if e.status == Stage.SCHEDULED]
    active = [e for e in planned if e.status in {Stage.IN_PROGRESS, Stage.VERIFYING}]
    still = _events(page, rows, unresolved)
    return {
        "summary": {
            **head,
            "components": components,
            "incidents": still,
            "scheduled_maintenances": _events(page, rows, [e for e in planned if not e.over]),
            "status": status,
        },
        "status": {**head, "status": status},
        "components": {**head, "components": components},
        "incidents": {**head, "incidents": incidents},
        "incidents/unresolved": {**head, "incidents": still},
        "scheduled-maintenances": {**head, "scheduled_maintenances": _events(page, rows, planned)},
        "scheduled-maintenances/upcoming": {**head, "scheduled_maintenances": _events(page, rows, upcoming)},
        "scheduled-maintenances/active": {**head, "scheduled_maintenances": _events(page, rows, active)},
    }


def head_of(page: PublicPage) -> Json:
    """What every document begins with."""
    return {
        "id": page.id,
        "name": plain(page.name),
        "url": page.url,
        "time_zone": page.time_zone,
        "updated_at": stamp(page.updated_at),
    }


def link(page: PublicPage, event: PublicEvent) -> str:
    """Where an event can be read for good."""
    return f"{page.url}/incidents/{event.id}"


def _component(page: PublicPage, row: PublicComponent) -> Json:
    made = {
        "id": row.id,
        "name": plain(row.name),
        "status": row.status.value,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "position": row.position,
        "description": None if row.description is None else plain(row.description),
        "showcase": row.showcase,
        "start_date": None if row.start_date is None else row.start_date.isoformat(),
        "group_id": row.group_id,
        "page_id": page.id,
        "group": row.members is not None,
        "only_show_if_degraded": row.only_show_if_degraded,
    }
    return made if row.members is None else {**made, "components": list(row.members)}


def _events(page: PublicPage, rows: Mapping[str, Json], events: Iterable[PublicEvent]) -> list[Json]:
    """The newest; what is not over is never left out, however old it is."""
    listed = list(events)
    going_on = [event for event in listed if not event.over]
    past = [event for event in listed if event.over][: max(0, NEWEST - len(going_on))]
    kept = {event.id for event in (*going_on[:NEWEST], *past)}
    return [event_of(page, rows, event) for event in listed if event.id in kept]


def event_of(page: PublicPage, rows: Mapping[str, Json], event: PublicEvent) -> Json:
    """One incident or maintenance; `rows` are the components by id."""
    made = {
        "id": event.id,
        "name": plain(event.name),
        "status": event.status,
        "created_at": stamp(event.created_at),
        "updated_at": stamp(event.updated_at),
        "monitoring_at": stamp_or_none(event.monitoring_at),
        "resolved_at": stamp_or_none(event.resolved_at),
        "impact": event.impact.value,
        "shortlink": link(page, event),
        "started_at": stamp(event.started_at),
        "page_id": page.id,
        "incident_updates": [_update(event, update) for update in event.updates],
        "components": [rows[key] for key in event.components],
        "reminder_intervals": None,
    }
    if event.scheduled_for is not None:
        made["scheduled_for"] = stamp(event.scheduled_for)
        made["scheduled_until"] = stamp_or_none(event.scheduled_until)
    return made


def _update(event: PublicEvent, update: PublicUpdate) -> Json:
    listed = [
        {"code": a.code, "name": plain(a.name), "old_status": a.old.value, "new_status": a.new.value}
        for a in update.affected
    ]
    return {
        "id": update.id,
        "status": update.status,
        "body": fragment(update.body),
        "incident_id": event.id,
        "created_at": stamp(update.created_at),
        "updated_at": stamp(update.updated_at),
        "display_at": stamp(update.created_at),
        "affected_components": listed or None,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def preview(page: PublicPage, code: str) -> Json:
    """The page's status, and one event of it; what a person compares before publishing."""
    rows = {row.id: _component(page, row) for row in page.components}
    found = next((event for event in page.events if event.id == code), None)
    leaves = [row for row in page.components if row.members is None]
    return {
        "status": {"indicator": page.indicator.value, "description": page.description},
        "components": {row.id: row.status.value for row in leaves},
        "incident": None if found is None else event_of(page, rows, found),
    }


def uptime(page: PublicPage) -> Json:
    """Uptime of each component, with the rule it is computed by."""
    return {
        "page": head_of(page),
        "weights": {"major_outage": 1.0, "partial_outage": page.partial_weight, "degraded_performance": 0.0},
        "maintenance": "left out",
        "components": [_uptime(found) for found in page.uptimes],
        "groups": [_group_uptime(page, row) for row in page.components if row.members is not None],
    }


def _uptime(found: PublicUptime) -> Json:
    return {
        "id": found.component,
        "uptime": {f"{count}d": percent for count, percent in found.percent},
        "days": [
            {
                "day": day.day.isoformat(),
                "observed_seconds": _seconds(day.observed),
                "major_seconds": _seconds(day.major),
                "partial_seconds": _seconds(day.partial),
                "degraded_seconds": _seconds(day.degraded),
                "maintenance_seconds": _seconds(day.maintenance),
            }
            for day in found.days
        ],
    }


def _seconds(count: float) -> int:
    return round(count)


def _group_uptime(page: PublicPage, group: PublicComponent) -> Json:
    members = [found for found in page.uptimes if found.component in (group.members or ())]
    counts = [count for count, _ in members[0].percent] if members else []
    return {
        "id": group.id,
        "uptime": {
            f"{count}d": mean([dict(member.percent)[count] for member in members]) for count in counts
        },
    }


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known, with two decimals, never rounded up; None if none is."""
    known = [value for value in values if value is not None]
    # Floored as its members are: 99.99 and 100 are not 100.
    return int(sum(known) / len(known) * 100 + 1e-6) / 100 if known else None
