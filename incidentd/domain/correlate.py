"""From alerts to incidents: what a post means for an occurrence, and which incident an occurrence belongs to.

Everything here is decided from values alone, one alert at a time, so retries, repeats, HA duplicates and parallel
posts come to the same result in whatever order they arrive.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.domain.alert import Alert
from incidentd.domain.drill import LABEL
from incidentd.domain.incident import MACHINES, Incident

EACH_ALERT = "..."
"""As the only grouping label: every alert its own incident, as in Alertmanager's ``group_by: ['...']``."""


class Sighting(enum.StrEnum):
    """What one alert of a post says, compared with what is known. The reason travels to metrics and responses."""

    NEW = "new"
    """Firing, never seen before, or ended before: a new occurrence."""
    NEWER = "newer"
    """Firing with a newer start while the old occurrence seemed to fire: it ended unannounced in between."""
    REPEAT = "repeat"
    """Firing and known to fire: retry, repeat interval, HA duplicate, another route. The common case."""
    REFIRED = "refired_same_start"
    """Firing again with the start of an occurrence that ended: a stale post of a peer, or a sender that came back."""
    EARLIER = "earlier_start"
    """Firing, while nothing was known to, with a start no newer than what had already begun: the sender's clock was
    set back, a replica that sees it for longer came back, or a peer's post is stale."""
    LATE = "late"
    """The end of another occurrence than the known one: changes nothing."""
    ENDED = "ended"
    """The known occurrence is over."""
    ENDED_AGAIN = "ended_again"
    """Known to be over already."""
    BLIP = "blip"
    """Over, and never seen firing: it came and went between two posts. Recorded, opens nothing."""
    HEARTBEAT = "heartbeat"
    """A dead-man's switch: its firing is the good news and opens nothing."""


QUIET = frozenset({Sighting.REPEAT, Sighting.LATE, Sighting.ENDED_AGAIN, Sighting.HEARTBEAT, Sighting.BLIP})
"""Sightings that concern no incident: they cost one read and one batched write."""
RETURNING = frozenset({Sighting.REFIRED, Sighting.EARLIER})
"""Firings that may be stale posts: nobody is told before they have lasted."""


class Occurrence(Protocol):
    """The latest known firing period of an alert, as far as a decision needs it."""

    @property
    def starts_at(self) -> datetime:
        """When the condition began, by the sender's word."""
        ...

    @property
    def firing(self) -> bool:
        """Not known to have ended."""
        ...


def sight(known: Occurrence | None, alert: Alert, newest: datetime | None = None) -> Sighting:
    """What `alert` means, given the latest occurrence of the same fingerprint.

    `newest` is the newest start ever known of it: that of the latest one, unless it was sighted as `EARLIER`.
    """
    if known is None:
        return Sighting.NEW if alert.firing else Sighting.BLIP
    newest = known.starts_at if newest is None else newest
    return _sight_firing(known, alert, newest) if alert.firing else _sight_resolved(known, alert, newest)


def _sight_firing(known: Occurrence, alert: Alert, newest: datetime) -> Sighting:
    if alert.starts_at > newest:
        return Sighting.NEWER if known.firing else Sighting.NEW
    if known.firing:
        # An earlier start is the same occurrence too: Alertmanager merges replicas to the earliest start.
        return Sighting.REPEAT
    return Sighting.REFIRED if alert.starts_at == known.starts_at else Sighting.EARLIER


def _sight_resolved(known: Occurrence, alert: Alert, newest: datetime) -> Sighting:
    if known.firing:
        # A resolve that ended before this occurrence began is a peer's late word about an older one; unless it
        # names this very start, which lies ahead of its end when the sender's rule clock runs fast.
        ended = alert.ends_at or alert.starts_at
        return Sighting.ENDED if max(ended, alert.starts_at) >= known.starts_at else Sighting.LATE
    if alert.starts_at > newest:
        return Sighting.BLIP
    return Sighting.ENDED_AGAIN if alert.starts_at == known.starts_at else Sighting.LATE


def group_key(by: tuple[str, ...], source: str, fingerprint: str, labels: Mapping[str, str]) -> str:
    """The key that ties occurrences into one incident: the source and the values of the grouping labels.

    A missing label is the empty value. Readable, like Alertmanager's own: ``main:{alertname="X", service="api"}``.
    """
    if by == (EACH_ALERT,):
        return f'{source}:{{fingerprint="{fingerprint}"}}'
    if LABEL in labels and LABEL not in by:
        # A drill and a real alert, or two drills, are never one incident.
        by = (*by, LABEL)
    pairs = ", ".join([f"{name}={_quoted(labels.get(name, ''))}" for name in by])
    return f"{source}:{{{pairs}}}"


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value or "\n" in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{value}"'


class Placement(enum.StrEnum):
    """Where a firing occurrence goes, and why."""

    JOIN = "join"
    """The group has an open incident."""
    REOPEN = "reopen"
    """The group's last incident ended by itself a short while ago."""
    REOPEN_HELD = "reopen_held"
    """The very same occurrence again: its own incident, and nobody is told yet. A person's resolve does not stand
    in the way if the occurrence had ended before it: then nobody has decided to live with its firing."""
    OPEN = "open"
    """A new incident."""
    OPEN_HELD = "open_held"
    """A new incident for a firing that arrives after its own resolve: nobody is told before it has lasted."""
    STAY_QUIET = "stay_quiet"
    """The occurrence's incident was closed by a person while it fired: repeats of it wake nobody."""


def place(
    sighting: Sighting,
    current: Incident | None,
    last: Incident | None,
    now: datetime,
    reopen_window: timedelta,
    over_since: datetime | None = None,
) -> Placement:
    """Where an occurrence sighted as `NEW`, `NEWER`, `REFIRED` or `EARLIER` goes.

    `current` is the group's open incident; `last` the alert's own one for those that are `RETURNING`, else the
    group's most recently resolved one. `over_since` is when a `REFIRED` one had ended. A person's resolve is final:
    another occurrence after it is a new incident.
    """
    if current is not None:
        return Placement.JOIN
    if sighting is Sighting.REFIRED:
        return _place_refired(last, over_since)
    if sighting is Sighting.EARLIER:
        ended = last is not None and last.resolved_by in MACHINES
        return Placement.REOPEN_HELD if ended else Placement.OPEN_HELD
    if last is None or last.resolved_by not in MACHINES or last.resolved_at is None:
        return Placement.OPEN
    return Placement.REOPEN if now - last.resolved_at <= reopen_window else Placement.OPEN


def _place_refired(own: Incident | None, over_since: datetime | None) -> Placement:
    if own is None:
        return Placement.OPEN_HELD
    if own.resolved_by in MACHINES or own.resolved_at is None:
        return Placement.REOPEN_HELD
    ended_first = over_since is not None and over_since <= own.resolved_at
    return Placement.REOPEN_HELD if ended_first else Placement.STAY_QUIET


def common_labels(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Mapping[str, str]:
    """What both label sets agree on; `ours` itself when nothing is lost (the usual case)."""
    if all([theirs.get(name) == value for name, value in ours.items()]):
        return ours
    return {name: value for name, value in ours.items() if theirs.get(name) == value}
