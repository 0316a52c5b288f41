"""What follows from comparing what fires here with what fires at the source: pure rules, each with its reason.

A single answer never decides anything. An alert must be gone, or there, in several good rounds in a row, and longer
than Alertmanager may take to tell of it by itself; a round is good only if every member answered and can be believed.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.domain.matcher import Matcher

OPEN_ROUNDS = 2
"""In how many rounds in a row an alert must be there, unknown here, before it is opened."""
HEARTBEAT_MEMORY = timedelta(days=1)
"""A heartbeat alert that was there within this time is expected to be there still."""


class Doubt(enum.StrEnum):
    """Why what all members answered is not believed."""

    RESTARTED = "restarted"
    """A member has not been up for long enough: it may not know yet what fires."""
    SETTLING = "settling"
    """A member's cluster has not found itself."""
    HEARTBEAT_MISSING = "heartbeat_missing"
    """An expected heartbeat of the source does not come."""
    HEARTBEAT_GONE = "heartbeat_gone"
    """The heartbeat alert that was there lately is not."""


class Drift(enum.StrEnum):
    """How here and there differ, after it was made sure."""

    NEVER_RESOLVED = "never_resolved"
    """It fires here and is gone there."""
    NEVER_DELIVERED = "never_delivered"
    """It fires there and never came here."""
    CLOSED_HERE = "closed_here"
    """A person closed its incident, and it fires on."""


class Standing(enum.StrEnum):
    """How an alert was found by the last good rounds."""

    PRESENT = "present"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """There, and not here."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a source is reconciled."""

    every: timedelta = timedelta(seconds=60)
    rounds: int = 3
    group_interval: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(minutes=5)
    opens: bool = True
    receiver: Matcher | None = None
    """Which receivers post here; None: those that have."""
    unseen: timedelta = timedelta(days=1)

    def wants(self, receivers: Collection[str], known: Collection[str]) -> bool:
        """True if an alert routed to `receivers` should have come here; `known`: those that have posted."""
        if self.receiver is None:
            return any([name in known for name in receivers])
        return any([self.receiver.matches({"receiver": name}) for name in receivers])


class MemberStatus(Protocol):
    """How a member says that it is."""

    @property
    def up(self) -> timedelta:
        """Since its start."""
        ...

    @property
    def cluster(self) -> str:
        """Alertmanager's word."""
        ...


def doubt(
    members: Sequence[MemberStatus],
    policy: Policy,
    silent: str | None,
    beat_at: datetime | None,
    now: datetime,
    *,
    beats: bool,
) -> tuple[Doubt, str] | None:
    """Why these answers cannot be believed, and the same in words; None if they can.

    `silent` names an expected heartbeat that is missing; `beat_at`: when a heartbeat alert was last there; `beats`: one
    is there now.
    """
    for member in members:
        if member.cluster == "settling":
            return Doubt.SETTLING, "the cluster of a member is settling"
        if member.up <= policy.settle:
            return Doubt.RESTARTED, f"a member is up for only {int(member.up.total_seconds())} s"
    if silent is not None:
        return Doubt.HEARTBEAT_MISSING, f"the heartbeat {silent} is missing"
    if not beats and beat_at is not None and now - beat_at <= HEARTBEAT_MEMORY:
        return Doubt.HEARTBEAT_GONE, "the heartbeat alert that was there is gone"
    return None


@dataclass(frozen=True, slots=True)
class Round:
    """One good round."""

    at: datetime
    previous: datetime | None
    """The last good one before it."""
    follows: bool
    """That was the round right before: what both found counts as in a row."""


def following(at: datetime, previous: datetime | None, failed: str | None, policy: Policy) -> Round:
    """The round at `at`. One that failed in between, or a long pause, makes it the first in a row again."""
    near = previous is not None and timedelta() <= at - previous <= 3 * policy.every
    return Round(at, previous, follows=near and failed is None)


@dataclass(frozen=True, slots=True)
class Here:
    """An alert that fires by what is stored here."""

    fingerprint: str
    starts_at: datetime
    last_seen_at: datetime
    """When a post last told of it."""
    incident_id: int | None
    """None: a heartbeat, or the like."""
    closed: bool = False
    """A person closed its incident."""


@dataclass(frozen=True, slots=True)
class There:
    """An alert that fires by the union of what the members hold."""

    fingerprint: str
    active: bool
    """At least one member would tell of it."""
    silenced_by: tuple[str, ...] = ()
    inhibited: bool = False
    wanted: bool = False
    """It is routed here, and is no heartbeat."""


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of an alert from round to round."""

    standing: Standing
    rounds: int
    since: datetime
    """The first of these rounds."""
    seen_at: datetime | None = None
    """When it was last known to fire; of a missing one."""
    met: bool = False
    """It was there once: so its members know it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a round makes of one alert."""

    track: Track | None
    drift: Drift | None = None
    why: str = ""


def judge(here: Here | None, there: There | None, track: Track | None, now: Round, policy: Policy) -> Finding:
    """What a round makes of one alert, and whether something has to be done about it."""
    if here is not None and here.incident_id is None:
        return Finding(None, why="a heartbeat, which others watch")
    if here is not None and there is not None:
        if track is not None and track.standing is Standing.PRESENT:
            return Finding(track)
        return Finding(Track(Standing.PRESENT, 0, now.at, met=True))
    if here is not None:
        return _missing(here, track, now, policy)
    if there is not None:
        return _unknown(there, track, now, policy)
    return Finding(None)


def _missing(here: Here, track: Track | None, now: Round, policy: Policy) -> Finding:
    again = track is not None and track.standing is Standing.MISSING and now.follows
    if track is None or not again or here.last_seen_at > track.since:
        met = track is not None and track.met
        first = Track(Standing.MISSING, 1, now.at, _last_seen(here, track, now), met)
        return Finding(first, why="gone for the first time")
    after = replace(track, rounds=track.rounds + 1)
    if after.rounds < policy.rounds:
        return Finding(after, why="not gone in enough rounds")
    if now.at - after.since < policy.group_interval:
        return Finding(after, why="Alertmanager may still tell of it")
    if not after.met and now.at - here.last_seen_at < policy.unseen:
        return Finding(after, why="never seen there: it may be another sender's")
    return Finding(after, Drift.NEVER_RESOLVED, "gone, and no resolve came")


def _last_seen(here: Here, track: Track | None, now: Round) -> datetime:
    """When it was last known to fire: by a post, or by the last good round that found it."""
    known = [here.last_seen_at]
    if track is not None and track.seen_at is not None:
        known.append(track.seen_at)
    elif track is not None and track.standing is not Standing.MISSING and now.previous is not None:
        known.append(now.previous)
    return max(known)


def _unknown(there: There, track: Track | None, now: Round, policy: Policy) -> Finding:
    if not (policy.opens and there.wanted and there.active):
        return Finding(None, why="nothing that should have come here")
    if track is None or track.standing is not Standing.UNKNOWN or not now.follows:
        return Finding(Track(Standing.UNKNOWN, 1, now.at, met=True), why="unknown for the first time")
    after = replace(track, rounds=track.rounds + 1)
    if after.rounds < OPEN_ROUNDS or now.at - after.since < policy.group_interval:
        return Finding(after, why="Alertmanager may still tell of it")
    return Finding(after, Drift.NEVER_DELIVERED, "never delivered by webhook, found by reconciling")


@dataclass(slots=True)
class Comparison:
    """What one round finds."""

    tracks: dict[str, Track | None] = field(default_factory=dict)
    """What has changed; None: nothing is to be remembered any more."""
    ended: list[tuple[Here, datetime]] = field(default_factory=list)
    """To be resolved, with when they were last known to fire."""
    lost: list[str] = field(default_factory=list)
    """Fingerprints to be opened."""
    quiet: dict[int, dict[str, None]] = field(default_factory=dict)
    """Open incident -> ids of the silences over its alerts."""
    inhibited: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    """Incidents that a person closed while their alerts fire."""


def compare(
    here: Mapping[str, Here],
    there: Mapping[str, There],
    tracks: Mapping[str, Track],
    now: Round,
    policy: Policy,
) -> Comparison:
    """Judge every alert that is known here, there, or from the rounds before."""
    found = Comparison()
    for fingerprint in sorted(here.keys() | there.keys() | tracks.keys()):
        ours, theirs, track = here.get(fingerprint), there.get(fingerprint), tracks.get(fingerprint)
        finding = judge(ours, theirs, track, now, policy)
        if finding.track != track:
            found.tracks[fingerprint] = finding.track
        if finding.drift is Drift.NEVER_DELIVERED:
            found.lost.append(fingerprint)
        elif ours is None or ours.incident_id is None:
            continue
        elif finding.drift is Drift.NEVER_RESOLVED:
            seen = finding.track.seen_at if finding.track else None
            found.ended.append((ours, seen or ours.last_seen_at))
        elif theirs is not None:
            _note_quiet(found, ours.incident_id, theirs, closed=ours.closed)
    return found


def _note_quiet(found: Comparison, incident_id: int, there: There, *, closed: bool) -> None:
    if closed:
        found.closed.add(incident_id)
        return
    if there.silenced_by:
        found.quiet.setdefault(incident_id, {}).update(dict.fromkeys(there.silenced_by))
    if there.inhibited:
        found.inhibited.add(incident_id)
