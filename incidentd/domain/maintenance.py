"""Maintenance windows: when they are, what they cover, and what they make of an incident."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from incidentd.domain.incident import OURSELVES, Change, Entry, Incident, State, evolve
from incidentd.domain.matcher import Matcher
from incidentd.domain.notification import Notice

LONGEST = timedelta(days=90)
"""Of one occurrence: what is quiet for longer is forgotten, not maintained."""
_DAY = timedelta(days=1)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")
_LEAP = 2028
_REMEMBERED = 1000
_COUNT = re.compile(r"COUNT=(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """When a window is. Made by `plan`, which checks it."""

    starts: datetime
    """Of the first occurrence, on the clock of `time_zone`: without an offset."""
    duration: timedelta
    time_zone: str
    rrule: str | None
    """RFC 5545; None: it is once."""


@dataclass(frozen=True, slots=True)
class Span:
    """One occurrence of a window."""

    starts_at: datetime
    ends_at: datetime

    def holds(self, now: datetime) -> bool:
        """True from its start until just before its end."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Window:
    """A window and what it covers."""

    name: str
    matchers: tuple[Matcher, ...]
    plan: Plan

    def covers(self, labels: Mapping[str, str]) -> bool:
        """True for an alert with these labels."""
        return all([matcher.matches(labels) for matcher in self.matchers])


def plan(starts: datetime, duration: timedelta, time_zone: str, rrule: str | None) -> Plan:
    """A checked plan; a start with an offset is put on the clock of `time_zone`. Raises ValueError."""
    if not timedelta() < duration <= LONGEST:
        raise ValueError(f"a window must last longer than nothing and at most {LONGEST.days}d")
    if starts.tzinfo is not None:
        starts = starts.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    made = Plan(starts, duration, time_zone, _checked(rrule) if rrule else None)
    if rrule and next(iter(rrulestr(rrule, dtstart=starts)), None) is None:
        raise ValueError(f"{rrule!r} never happens")
    return made


def span(planned: Plan, now: datetime) -> Span | None:
    """The occurrence in force, else the next one; None after the last."""
    if planned.rrule is None:
        once = _span(planned, planned.starts)
        return once if now < once.ends_at else None
    # A day more than the zone's offset can be: what ends before is passed over one by one.
    since = now.astimezone(ZoneInfo(planned.time_zone)).replace(tzinfo=None) - planned.duration - _DAY
    for starts in rrulestr(planned.rrule, dtstart=planned.starts).xafter(since, inc=True):
        found = _span(planned, starts)
        if now < found.ends_at:
            return found
    return None


def rest(planned: Plan, since: datetime) -> Plan | None:
    """The same without the occurrences that begin before `since`; None if there are no others."""
    if planned.rrule is None:
        return planned if _span(planned, planned.starts).starts_at >= since else None
    count = _COUNT.search(planned.rrule)
    for passed, starts in enumerate(rrulestr(planned.rrule, dtstart=planned.starts)):
        if _span(planned, starts).starts_at >= since:
            left = f"COUNT={int(count[1]) - passed}" if count else ""
            return replace(planned, starts=starts, rrule=_COUNT.sub(left, planned.rrule))
    return None


def _span(planned: Plan, starts: datetime) -> Span:
    # A start that the clocks skip is an hour later, one that they repeat is the first of the two.
    at = starts.replace(tzinfo=ZoneInfo(planned.time_zone)).astimezone(UTC)
    return Span(at, at + planned.duration)


def _checked(rule: str) -> str:
    """`rule` if it can be followed quickly: one that never happens would be looked for until the year 9999."""
    parts = dict(part.partition("=")[::2] for part in "".join(rule.upper().split(" ")).split(";"))
    unknown = [name for name in parts if name not in _PARTS]
    if unknown or parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(
            f"{rule!r} is not a rule for days; accepted: FREQ={'|'.join(_FREQUENCIES)} and {', '.join(_PARTS[1:])}, "
            "such as FREQ=WEEKLY;BYDAY=SU (the hour is that of the start)"
        )
    daily = parts["FREQ"] == "DAILY"
    if "BYSETPOS" in parts and parts["FREQ"] not in ("MONTHLY", "YEARLY"):
        raise ValueError(f"{rule!r}: BYSETPOS needs FREQ=MONTHLY or YEARLY")
    if daily and parts.get("INTERVAL", "1") != "1" and {"BYDAY", "BYMONTHDAY", "BYMONTH"} & parts.keys():
        raise ValueError(f"{rule!r}: FREQ=DAILY with an INTERVAL takes no further choice of days")
    try:
        months = [int(text) for text in parts.get("BYMONTH", "1").split(",")]
        days = [abs(int(text)) for text in parts.get("BYMONTHDAY", "1").split(",")]
        longest = max(calendar.monthrange(_LEAP, month)[1] for month in months)
        if int(parts.get("INTERVAL", "1")) < 1:
            raise ValueError("INTERVAL is below 1")  # noqa: TRY301 - told with what else is wrong with it
        rrulestr(rule, dtstart=datetime(_LEAP, 1, 1))  # noqa: DTZ001 - on the wall clock
    except (ValueError, TypeError, calendar.IllegalMonthError) as wrong:
        raise ValueError(f"{rule!r} is not a recurrence rule of RFC 5545: {wrong}") from None
    if min(days) > longest:
        raise ValueError(f"{rule!r} never happens")
    return rule


@dataclass(slots=True)
class Calendar:
    """Remembers the occurrence of each plan until it is over: the answers are the same, only quicker."""

    known: dict[Plan, tuple[datetime, Span | None]] = field(default_factory=dict)

    def span(self, planned: Plan, now: datetime) -> Span | None:
        """As `span`."""
        asked, found = self.known.get(planned, (None, None))
        if asked is None or now < asked or (found is not None and now >= found.ends_at):
            found = span(planned, now)
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[planned] = (now, found)
        return found

    def in_force(self, windows: Iterable[Window], now: datetime) -> tuple[Window, ...]:
        """Those of `windows` that hold now."""
        return tuple([w for w in windows if (found := self.span(w.plan, now)) and found.holds(now)])


def covering(windows: Iterable[Window], labels: Mapping[str, str]) -> str | None:
    """The name of the first window that covers an alert with these labels."""
    return next((window.name for window in windows if window.covers(labels)), None)


def covering_all(windows: tuple[Window, ...], each: Iterable[Mapping[str, str]]) -> str | None:
    """The name of the window that covers the first, if each of them is covered by some window."""
    names = [covering(windows, labels) for labels in each]
    return names[0] if names and all(names) else None


def quietened(change: Change, window: str | None) -> Change:
    """`change` for an incident whose alert is covered by `window`, if there is one: recorded, and nobody is told."""
    if window is None:
        return change
    entry = change.entry
    if entry is not None:
        data = {**entry.data, "suppressed_by": window}
        entry = Entry(entry.kind, entry.actor, f"{entry.text}; suppressed: maintenance {window}", data)
    return Change(evolve(change.incident, suppressed_by=window), entry, change.notice, change.comment)


def uncovered(incident: Incident, alert_name: str) -> Change:
    """An alert that no window covers joined: people are told of the incident now."""
    return _lifted(incident, f"{alert_name} fires, which maintenance does not cover")


def ended(incident: Incident) -> Change:
    """No window covers what fires any more: people are told of what is still there."""
    return _lifted(incident, f"maintenance {incident.suppressed_by} ended")


def _quietly(incident: Incident) -> Notice | None:
    """How channels get to know of what pages nobody: without it they would only ever hear of its end."""
    if incident.held_until is not None or not incident.open:
        return None
    return Notice.ACKNOWLEDGED if incident.state is State.ACKNOWLEDGED else Notice.UPDATED


def _lifted(incident: Incident, why: str) -> Change:
    after = evolve(incident, suppressed_by=None)
    data = {"suppressed_by": incident.suppressed_by}
    if after.state is not State.TRIGGERED or after.quiet:
        return Change(after, Entry("suppression_ended", OURSELVES, why, data), _quietly(after), why)
    entry = Entry("suppression_ended", OURSELVES, f"{why}: people are told now", data)
    notice = Notice.REOPENED if incident.reopen_count else Notice.TRIGGERED
    return Change(after, entry, notice, why)
