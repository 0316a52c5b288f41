"""How fast incidents are acknowledged and repaired: MTTA, MTTR and their percentiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidentd.domain.matcher import Matcher
from incidentd.domain.runbook import Guidance
from incidentd.domain.severity import Severity

_STEPS = (
    (timedelta(hours=1), timedelta(days=2)),
    (timedelta(days=1), timedelta(days=62)),
)
"""Step, and the longest window that is cut into such."""
_LONG_STEP = timedelta(weeks=1)


Gaps = tuple[tuple[datetime, datetime], ...]
"""When an incident was over before it came back: from when to when, in order."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a set of durations looks like, in seconds; all figures but `count` are None when there are none.

    A mean alone hides the one night that went wrong, so percentiles stand beside it. They are interpolated
    linearly between the two nearest ranks, as numpy's default method does.
    """

    count: int
    mean_seconds: float | None = None
    p50_seconds: float | None = None
    p90_seconds: float | None = None
    p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """Which incidents are outages. The others only tell of something: they are counted, and are in no time."""

    events: tuple[Matcher, ...] = ()
    """What any of these fits is none."""

    def outage(self, severity: str, labels: Mapping[str, str]) -> bool:
        """False for what only informs."""
        return severity != Severity.INFO and not any(each.matches(labels) for each in self.events)


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What the figures need to know of one incident. All times are aware."""

    severity: str
    service: str
    started_at: datetime
    """When the condition began: the earliest startsAt the sender gave, without what was known to be over since."""
    opened_at: datetime
    first_acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    """When the condition ended: the latest endsAt the sender gave, if it did."""
    counts: bool = True
    """False if the end repaired nothing (rule paused or deleted): opened and resolved, but not in MTTR."""
    id: int = 0
    title: str = ""
    alertname: str = ""
    """Empty for what people declared, and for alerts of several names."""
    reopened: int = 0
    """How often it came back."""
    flapping: bool = False
    """It comes and goes still."""
    link: bool = False
    """An alert of it names where it is written what to do."""
    runbook: str = ""
    """The runbook that it got as it opened; empty: none fitted."""
    gaps: Gaps = ()
    """When it was over before it came back, in order: no time of it counts."""
    outage: bool = True
    """False: it only tells of something. It is counted as opened and resolved, and is in no time."""

    @property
    def guidance(self) -> Guidance:
        """What told people what to do."""
        return Guidance.RUNBOOK if self.runbook else Guidance.LINK if self.link else Guidance.NONE


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one group of incidents."""

    opened: int
    resolved: int
    mtta: Summary
    mttr: Summary
    mttd: Summary = Summary(0)


NOTHING = Row(0, 0, Summary(0), Summary(0))
"""The figures of no incident."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one window, after `since` up to and including `until`."""

    since: datetime
    until: datetime
    total: Row
    by_severity: Mapping[str, Row]
    """In alphabetical order, only severities that occurred."""
    by_service: Mapping[str, Row]
    """In alphabetical order; the empty name stands for incidents without a service."""
    by_alertname: Mapping[str, Row] = field(default_factory=dict)
    """In alphabetical order; the empty name stands for incidents of no one alert."""
    over_time: tuple[Point, ...] = ()
    """The window in equal steps, the oldest first."""


@dataclass(frozen=True, slots=True)
class Point:
    """What happened after `since` up to and including `until`: one step of a window."""

    since: datetime
    until: datetime
    opened: int
    resolved: int
    mttr_seconds: float | None
    """The mean."""


def summarise(durations: Iterable[timedelta]) -> Summary:
    """Count, mean and percentiles of `durations`."""
    seconds = sorted(duration.total_seconds() for duration in durations)
    if not seconds:
        return Summary(0)
    return Summary(
        count=len(seconds),
        mean_seconds=math.fsum(seconds) / len(seconds),
        p50_seconds=_percentile(seconds, 50),
        p90_seconds=_percentile(seconds, 90),
        p95_seconds=_percentile(seconds, 95),
    )


def time_to_detect(facts: IncidentFacts) -> timedelta:
    """From the start of the condition to the incident. Never negative, as with `time_to_acknowledge`."""
    return max(facts.opened_at - facts.started_at, timedelta(0))


def time_to_acknowledge(facts: IncidentFacts) -> timedelta | None:
    """From the start of the condition to the first acknowledgement; None if nobody has acknowledged.

    Never negative: a sender's clock that is ahead of ours counts as zero.
    """
    return elapsed(facts, facts.first_acknowledged_at)


def time_to_resolve(facts: IncidentFacts) -> timedelta | None:
    """From the start of the condition to its end, or to the resolve if its end was not told; None while open.

    The sender's own end counts where it is known, for our resolve comes a group interval or an outage later.
    Never negative, as with `time_to_acknowledge`.
    """
    if facts.resolved_at is None:
        # A reopened incident may still carry the end of its earlier episode.
        return None
    return elapsed(facts, facts.ended_at or facts.resolved_at)


def report(facts: Iterable[IncidentFacts], now: datetime, window: timedelta) -> Report:
    """What happened in the `window` up to `now`, in total, per severity and per service.

    Each event counts in the window in which it happened: an incident is opened in one, acknowledged (MTTA)
    and resolved (MTTR) perhaps in a later one. So adjoining windows add up, and a long outage is not lost
    because it began before the window.
    """
    known = list(facts)
    inside = _within(now, window)
    return Report(
        since=now - window,
        until=now,
        total=_row(known, inside),
        by_severity=_rows(known, inside, lambda incident: incident.severity),
        by_service=_rows(known, inside, lambda incident: incident.service),
        by_alertname=_rows(known, inside, lambda incident: incident.alertname),
        over_time=over_time(known, now, window),
    )


def over_time(facts: Iterable[IncidentFacts], now: datetime, window: timedelta) -> tuple[Point, ...]:
    """The `window` up to `now` in steps: hours, days, or weeks if there were too many to look at.

    Steps are counted back from `now`, so all are whole but the oldest, and their counts add up to the report's.
    """
    step = next((size for size, most in _STEPS if window <= most), _LONG_STEP)
    count = max(-(-window // step), 1)
    opened, resolved = [0] * count, [0] * count
    repaired: list[list[timedelta]] = [[] for _ in range(count)]
    for incident in facts:
        for at, counts in ((incident.opened_at, opened), (incident.resolved_at, resolved)):
            if at is not None and now - window < at <= now:
                counts[count - 1 - (now - at) // step] += 1
        took, at = time_to_resolve(incident), incident.resolved_at
        repair = incident.counts and incident.outage
        if took is not None and at is not None and repair and now - window < at <= now:
            repaired[count - 1 - (now - at) // step].append(took)
    return tuple(
        [
            Point(
                since=max(now - step * (count - n), now - window),
                until=now - step * (count - 1 - n),
                opened=opened[n],
                resolved=resolved[n],
                mttr_seconds=summarise(repaired[n]).mean_seconds,
            )
            for n in range(count)
        ]
    )


def grouped(
    facts: Iterable[IncidentFacts], now: datetime, window: timedelta, key: Callable[[IncidentFacts], str]
) -> dict[str, Row]:
    """The figures of each group of incidents of which something happened in the `window`, in alphabetical order."""
    return _rows(list(facts), _within(now, window), key)


def _within(now: datetime, window: timedelta) -> Callable[[datetime | None], bool]:
    since = now - window
    return lambda at: at is not None and since < at <= now


def _rows(
    facts: Sequence[IncidentFacts],
    inside: Callable[[datetime | None], bool],
    key: Callable[[IncidentFacts], str],
) -> dict[str, Row]:
    groups: dict[str, list[IncidentFacts]] = {}
    for incident in facts:
        events = (incident.opened_at, incident.first_acknowledged_at, incident.resolved_at)
        if any(map(inside, events)):
            groups.setdefault(key(incident), []).append(incident)
    return {name: _row(groups[name], inside) for name in sorted(groups)}


def _row(facts: Sequence[IncidentFacts], inside: Callable[[datetime | None], bool]) -> Row:
    acknowledged = [incident for incident in facts if inside(incident.first_acknowledged_at)]
    resolved = [incident for incident in facts if inside(incident.resolved_at)]
    opened = [incident for incident in facts if inside(incident.opened_at)]
    repaired = [incident for incident in resolved if incident.counts and incident.outage]
    return Row(
        opened=len(opened),
        resolved=len(resolved),
        mtta=summarise(_known([time_to_acknowledge(i) for i in acknowledged if i.outage])),
        mttr=summarise(_known(map(time_to_resolve, repaired))),
        mttd=summarise([time_to_detect(incident) for incident in opened if incident.outage]),
    )


def _known(durations: Iterable[timedelta | None]) -> Iterable[timedelta]:
    return (duration for duration in durations if duration is not None)


def elapsed(facts: IncidentFacts, end: datetime | None) -> timedelta | None:
    """The time in trouble from its start to `end`; None without an end. Never negative, as above."""
    if end is None:
        return None
    took = end - facts.started_at
    for over, again in facts.gaps:
        took -= max(min(again, end) - max(over, facts.started_at), timedelta(0))
    return max(took, timedelta(0))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Linear interpolation at rank (n - 1) * percent / 100 of values in ascending order."""
    whole, hundredths = divmod((len(ordered) - 1) * percent, 100)
    low = ordered[whole]
    # With no fraction the rank may be the last one: there is no next value to lean on.
    return low + (ordered[whole + 1] - low) * hundredths / 100 if hundredths else low
