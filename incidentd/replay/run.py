"""A recording through two configurations, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.ingest.types import NotAWebhookError
from incidentd.replay.recording import PARSERS, Act, Recording
from incidentd.replay.world import Page, World
from incidentd.workflows.rules import Rules

Key = tuple[str, datetime]
"""Of an incident in any configuration: its group and when it opened."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one configuration makes of a recording."""

    pages: tuple[Page, ...]
    keys: dict[int, Key]
    titles: dict[Key, str]
    incidents: int
    acts_missed: int
    """Acts that found nothing to act upon."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What two configurations make of the same recording."""

    before: Told
    after: Told
    bodies: int
    alerts: int
    unreadable: int
    """Bodies that are no webhooks, by today's reading."""
    acts: int


def replay(recording: Recording, before: Rules, after: Rules) -> Outcome:
    """Run it. The same recording and the same rules always come to the same."""
    worlds = [World(rules, recording.overrides, recording.windows) for rules in (before, after)]
    missed, bodies, alerts, unreadable = [0, 0], 0, 0, 0
    for event in recording.events():
        if event.at > recording.until:
            continue
        if isinstance(event, Act):
            missed = [count + (not world.act(event)) for count, world in zip(missed, worlds, strict=True)]
            continue
        try:
            post = PARSERS[event.format](event.body, event.source, event.at)
        except NotAWebhookError:
            unreadable += 1
            continue
        bodies, alerts = bodies + 1, alerts + len(post.alerts)
        for world in worlds:
            world.take(event.at, post)
    told = [_told(world, recording.until, count) for world, count in zip(worlds, missed, strict=True)]
    return Outcome(told[0], told[1], bodies, alerts, unreadable, len(recording.acts))


def _told(world: World, until: datetime, missed: int) -> Told:
    world.run_until(until)
    incidents: Sequence[tuple[int, Key, str]] = [
        (number, (work.incident.group_key, work.incident.opened_at), work.incident.title)
        for number, work in world.bench.known.items()
    ]
    return Told(
        pages=tuple(world.told_until(until)),
        keys={number: key for number, key, _ in incidents},
        titles={key: title for _, key, title in incidents},
        incidents=len(incidents),
        acts_missed=missed,
    )
