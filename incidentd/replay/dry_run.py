"""One body through a configuration: for each alert the route and the incident, and who would be told if nobody acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incidentd.domain.incident import Entry, Incident
from incidentd.ingest.types import Post
from incidentd.replay.world import Page, World
from incidentd.workflows.placing import Sighted
from incidentd.workflows.rules import Rules, readable

HORIZON = timedelta(hours=24)
"""How far ahead it looks."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would follow. Of an incident only what this body makes of it: nothing stored is known here."""

    at: datetime
    post: Post
    seen: tuple[Sighted, ...]
    rules: Rules
    incidents: tuple[Incident, ...]
    pages: tuple[Page, ...]
    story: tuple[tuple[datetime, int, Entry], ...]


def dry_run(post: Post, rules: Rules, at: datetime) -> DryRun:
    """Take `post` at `at` into an empty world, and let time pass while nobody answers."""
    world = World(rules, keeps_story=True)
    seen = world.take(at, post)
    incidents = tuple([work.incident for work in world.bench.known.values()])
    world.run_until(at + HORIZON)
    pages = world.told_until(at + HORIZON)
    return DryRun(at, post, tuple(seen), rules, incidents, tuple(pages), tuple(world.story))


def as_json(run: DryRun) -> dict[str, Any]:
    """All of it, in a fixed order."""
    opened: set[int] = set()
    return {
        "at": _time(run.at),
        "alerts": [_alert(run, s, opened) for s in run.seen],
        "quarantined": [{"where": q.where, "reason": q.reason.value} for q in run.post.quarantined],
        "warnings": list(run.post.warnings),
        "incidents": [_incident(run, incident) for incident in run.incidents],
    }


def _alert(run: DryRun, s: Sighted, opened: set[int]) -> dict[str, Any]:
    decision = run.rules.route_of(s.alert.labels, s.severity)
    number = s.occurrence.incident_id
    does = "none" if number is None else "joins" if number in opened else "opens"
    opened.update([number] if number is not None else [])
    return {
        "alert": s.alert.name,
        "labels": dict(s.alert.labels),
        "status": s.alert.status.value,
        "sighting": s.sighting.value,
        "severity": s.severity.value,
        "route": readable(decision),
        "reason": decision.reason.value,
        "notify": list(decision.notify),
        "escalation": decision.escalation,
        "group_key": s.group,
        "incident": number,
        "does": does,
    }


def _incident(run: DryRun, incident: Incident) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "group_key": incident.group_key,
        "title": incident.title,
        "severity": incident.severity.value,
        "suppressed_by": incident.suppressed_by,
        "told": [_page(run, page) for page in run.pages if page.incident_id == incident.id],
        "timeline": [
            {"at": _time(at), "after": _after(run, at), "kind": entry.kind, "text": entry.text}
            for at, number, entry in run.story
            if number == incident.id
        ],
    }


def _page(run: DryRun, page: Page) -> dict[str, Any]:
    return {
        "at": _time(page.at),
        "after": _after(run, page.at),
        "who": page.person or f"channel {page.channel}",
        "channel": page.channel,
        "target": page.target,
        "notice": page.notice.value,
        "why": page.why,
    }


def as_text(run: DryRun) -> Iterator[str]:
    """Lines for people."""
    value = as_json(run)
    yield f"at {value['at']}, while nobody answers; what is stored is not looked at"
    for alert in value["alerts"]:
        yield ""
        yield f"{alert['alert']} ({alert['status']}, {alert['severity']})"
        yield f"  route       {alert['route']}  [{alert['reason']}]"
        yield f"  channels    {', '.join(alert['notify']) or 'none'}"
        yield f"  escalation  {alert['escalation'] or 'none'}"
        yield f"  incident    {_does(alert)}"
    for bad in value["quarantined"]:
        yield f"\nset aside: {bad['where']}: {bad['reason']}"
    for warning in value["warnings"]:
        yield f"\nwarning: {warning}"
    for incident in value["incidents"]:
        yield ""
        yield from _incident_text(incident)


def _does(alert: dict[str, Any]) -> str:
    if alert["does"] == "none":
        return f"none: {alert['sighting']}"
    return f"{alert['does']} #{alert['incident']}  {alert['group_key']}  [{alert['sighting']}]"


def _incident_text(incident: dict[str, Any]) -> Iterator[str]:
    yield f"#{incident['incident']} {incident['title']} ({incident['severity']})  {incident['group_key']}"
    if incident["suppressed_by"]:
        yield f"  quiet: maintenance {incident['suppressed_by']}"
    if not incident["told"]:
        yield "  nobody is told"
    for page in incident["told"]:
        who = page["who"] + ("" if page["who"].startswith("channel ") else f" over {page['channel']}")
        why = f": {page['why']}" if page["why"] else ""
        yield f"  {page['after']:>8}  {who} ({page['target']})  {page['notice']}{why}"
    for line in incident["timeline"]:
        yield f"  {line['after']:>8}  . {line['text']}"


def _after(run: DryRun, at: datetime) -> str:
    return f"+{int((at - run.at).total_seconds()) // 60}m{int((at - run.at).total_seconds()) % 60:02d}s"


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
