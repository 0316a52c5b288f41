"""Flapping: an incident that comes and goes is told of once, and its end is believed only after a quiet while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.duration import format_duration
from incidentd.domain.heartbeat import Withheld, believed
from incidentd.domain.incident import OURSELVES, SOURCE, Change, Entry, Incident, evolve
from incidentd.domain.notification import Notice

_REMEMBERED = 100
"""Re-fires that an incident remembers at most: its row stays small."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an incident flaps."""

    refires: int = 5
    """It does when it has come back more often than this ..."""
    window: timedelta = timedelta(hours=1)
    """... within this time."""
    hold: timedelta = timedelta(minutes=15)
    """How long it must be quiet before its end is believed."""


def refired(change: Change, rules: Flapping, now: datetime) -> Change:
    """`change` reopens an incident: the one more time that makes it flap says so, in the last page of its kind."""
    incident = _counted(change.incident, rules, now)
    if len(incident.refires) <= rules.refires or change.entry is None:
        return Change(incident, change.entry, change.notice, change.comment)
    words = said(incident, now)
    entry = change.entry
    entry = Entry(entry.kind, entry.actor, f"{entry.text}; {words}", {**entry.data, "flapping": True})
    return Change(evolve(incident, flapping_since=now), entry, change.notice, words)


def withheld(incident: Incident, rules: Flapping, now: datetime, *, administrative: bool) -> Change:
    """The alerts of a flapping incident ended once more: open until it has been quiet."""
    after = evolve(
        incident,
        resolve_withheld_at=incident.moment(now),
        resolve_withheld_for=Withheld.FLAPPING.value,
        counts=incident.counts and not administrative,
    )
    quiet = format_duration(rules.hold)
    text = f"all alerts ended, but it is flapping: not resolved before it has been quiet for {quiet}"
    entry = Entry("resolve_withheld", OURSELVES, text, {"reason": Withheld.FLAPPING.value})
    return Change(after, entry, None if incident.quiet else Notice.UPDATED)


def back(incident: Incident, rules: Flapping, now: datetime, *, alert_name: str) -> Change:
    """A flapping incident fires again: recorded and shown, and nobody is paged."""
    after = evolve(incident, resolve_withheld_at=None, resolve_withheld_for=None, ended_at=None, counts=True)
    after = _counted(after, rules, now)
    words = said(after, now)
    entry = Entry("refired", SOURCE, f"fires again: {alert_name}; {words}")
    return Change(after, entry, None if incident.quiet else Notice.UPDATED, words)


def settled(incident: Incident, rules: Flapping, now: datetime) -> Change | None:
    """The end of its flapping, if that has come: quiet for long enough, or firing for long enough without a break."""
    at = incident.resolve_withheld_at
    if incident.resolve_withheld_for == Withheld.FLAPPING and at is not None:
        quiet = now - at
        return believed(incident, now, "it flaps no more") if quiet >= rules.hold else None
    last = incident.refires[-1] if incident.refires else incident.flapping_since
    if at is not None or last is None or now - last < rules.window:
        return None
    text = f"flapping ended: it has not come and gone for {format_duration(rules.window)}"
    return Change(evolve(incident, flapping_since=None), Entry("flapping_ended", OURSELVES, text))


def said(incident: Incident, now: datetime) -> str:
    """How it flaps: ``flapping 6 times in 23 minutes``."""
    minutes = max(-(-(now - incident.refires[0]) // timedelta(minutes=1)), 1)
    return f"flapping {len(incident.refires)} times in {minutes} minute{'s' if minutes > 1 else ''}"


def _counted(incident: Incident, rules: Flapping, now: datetime) -> Incident:
    # One noted before the clock was set back lies ahead: it is as old as can be told.
    recent = [min(at, now) for at in incident.refires if now - at < rules.window]
    return evolve(incident, refires=(*recent, now)[-_REMEMBERED:])
