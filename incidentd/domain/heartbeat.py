"""Heartbeats: signs of life whose absence is the alert, and what a source's word is worth while its own is missing."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain.incident import OURSELVES, SOURCE, Change, Entry, Incident, evolve
from incidentd.domain.matcher import Matcher
from incidentd.domain.notification import Notice
from incidentd.domain.response import ended_by_source
from incidentd.domain.severity import Severity

ALERTNAME = "HeartbeatMissing"
TOGETHER = timedelta(minutes=1)
"""Resolves that come within this time of each other are one mass resolve."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One sign of life that is expected."""

    name: str
    source: str
    """Whose alerts it is about; empty for one that is pinged."""
    matchers: tuple[Matcher, ...]
    """Which alerts of the source are beats; none for one that is pinged."""
    every: timedelta
    grace: timedelta
    severity: Severity

    @property
    def patience(self) -> timedelta:
        """How long after a beat it is missing."""
        return self.every + self.grace

    @property
    def group_key(self) -> str:
        """The group of the incident about its absence."""
        return f"heartbeat:{self.name}"

    def beats(self, labels: Mapping[str, str]) -> bool:
        """True if an alert of its source with these labels is a beat."""
        return bool(self.matchers) and all([matcher.matches(labels) for matcher in self.matchers])


class PulseState(enum.StrEnum):
    """How a heartbeat stands."""

    WAITING = "waiting"
    """Never seen since it was configured."""
    BEATING = "beating"
    MISSING = "missing"
    """Overdue, and people have been told."""
    BACK = "back"
    """It beats again; its incident is about to be resolved."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of one heartbeat."""

    name: str
    source: str
    state: PulseState
    since: datetime
    """When this state began; for one that beats also when it last came back."""
    last_beat_at: datetime | None = None
    ended_at: datetime | None = None
    """When the source itself said that the alert it beats with is over; None once it has beaten again."""

    @property
    def silent(self) -> bool:
        """True while its source's other words are not to be believed without looking twice."""
        return self.state is PulseState.MISSING or self.ended_at is not None


class Turn(enum.Enum):
    """What has to be done about a heartbeat now."""

    FIRST = "it is new here"
    LOST = "it has gone missing"
    RETURNED = "it is back"


def turn(heartbeat: Heartbeat, pulse: Pulse | None, listening_since: datetime, now: datetime) -> Turn | None:
    """What has to be done about it, None if nothing.

    Nobody can hear before `listening_since`: what was not heard then is no absence.
    """
    if pulse is None:
        return Turn.FIRST
    if pulse.state is PulseState.BACK:
        return None if pulse.ended_at is not None else Turn.RETURNED
    if pulse.state is PulseState.MISSING:
        return None
    return Turn.LOST if now >= missing_at(heartbeat, pulse, listening_since, now) else None


def missing_at(heartbeat: Heartbeat, pulse: Pulse, listening_since: datetime, now: datetime) -> datetime:
    """When it is missing unless it beats before."""
    if pulse.ended_at is not None:
        return pulse.ended_at
    last = pulse.last_beat_at or pulse.since
    # A beat of the future was noted before the clock was set back: that it was heard is all that is known.
    heard = max(last, listening_since) if last <= now else listening_since
    return heard + heartbeat.patience


class Withheld(enum.StrEnum):
    """Why an incident whose alerts have all ended is not resolved yet."""

    UNSURE = "unsure"
    """Its source's heartbeat is missing: whether many end with it shows within `TOGETHER`."""
    DISTRUSTED = "distrusted"
    """Many ended with it while the heartbeat is missing: what went is the source, not the trouble."""
    FLAPPING = "flapping"
    """It has come and gone too often to believe that it stays away."""


def unsure(incident: Incident, heartbeat: str, now: datetime, *, administrative: bool) -> Change:
    """All alerts ended by the word of a source whose heartbeat is missing: open until that can be judged."""
    text = (
        f"all alerts ended, but the heartbeat {heartbeat} of {incident.source} is missing: not resolved yet"
    )
    after = evolve(
        incident,
        resolve_withheld_at=incident.moment(now),
        resolve_withheld_for=Withheld.UNSURE.value,
        counts=incident.counts and not administrative,
    )
    return Change(after, Entry("resolve_withheld", OURSELVES, text, {"heartbeat": heartbeat}))


def distrusted(incident: Incident, heartbeat: str, together: int) -> Change:
    """Too many ended together while the heartbeat is missing: none of them is believed until it is back."""
    text = f"resolve distrusted: the heartbeat of {incident.source} is missing"
    data = {"heartbeat": heartbeat, "together": together}
    entry = Entry(
        "resolve_distrusted", OURSELVES, f"{text}, and {together} incidents would resolve together", data
    )
    notice = None if incident.quiet else Notice.UPDATED
    return Change(evolve(incident, resolve_withheld_for=Withheld.DISTRUSTED.value), entry, notice, text)


def contradicted(incident: Incident, alert_name: str) -> Change:
    """It fires although all of it had ended: the withheld resolve was wrong, or is over."""
    after = evolve(incident, resolve_withheld_at=None, resolve_withheld_for=None, ended_at=None, counts=True)
    entry = Entry("resolve_dropped", SOURCE, f"still fires: {alert_name}; the withheld resolve is void")
    return Change(after, entry)


def believed(incident: Incident, now: datetime, why: str) -> Change:
    """What was withheld is believed after all: resolved, with the end that the source gave."""
    ended = incident.ended_at or incident.resolve_withheld_at or now
    change = ended_by_source(incident, now, ended, administrative=not incident.counts)
    entry = Entry("resolved", SOURCE, f"resolved: all alerts ended; {why}", {"ended_at": ended.isoformat()})
    return Change(change.incident, entry, change.notice)


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a source's heartbeats when its withheld resolves are judged."""

    silent: str | None
    """The name of one that is missing."""
    back_since: datetime | None
    """When the last of them came back."""
    limit: int
    """How many incidents may resolve together while one is missing."""
    settle: timedelta
    """How long after the return nothing may contradict: rules with a `for` fire late after a restart."""


def judge_withheld(withheld: Sequence[Incident], trust: Trust, now: datetime) -> list[Change]:
    """What becomes of the resolves of one source that were withheld because of its heartbeat, in their order."""
    changes = []
    for incident in withheld:
        at = incident.resolve_withheld_at or now
        together = sum(abs((i.resolve_withheld_at or now) - at) <= TOGETHER for i in withheld)
        if incident.resolve_withheld_for == Withheld.DISTRUSTED:
            if trust.silent is None and now - max(trust.back_since or at, at) >= trust.settle:
                why = f"the heartbeat of {incident.source} is back and nothing contradicts"
                changes.append(believed(incident, now, why))
        elif together > trust.limit:
            changes.append(distrusted(incident, trust.silent or incident.source, together))
        elif now - at >= TOGETHER:
            changes.append(believed(incident, now, "few ended together, so this is believed"))
    return changes
