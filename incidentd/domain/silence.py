"""Silences at the source that somebody asked for from an incident: what they match, how they stand, who forgot them.

A silence is kept once for each Alertmanager of the source. Pure rules; the loop that posts them is in `jobs`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.domain import drill
from incidentd.domain.correlate import EACH_ALERT
from incidentd.domain.duration import format_duration
from incidentd.domain.incident import Incident

NAMES_AT_MOST = 20
"""Alert names in one matcher: more are no group that somebody looked at."""
_ALERTNAME = "alertname"
_MARK = re.compile(r"\[(incidentd [A-Za-z0-9]{1,32} INC-([0-9]{1,18}) #[A-Za-z0-9_-]{1,32})\]")
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=2)


class State(enum.StrEnum):
    """How a silence stands at one Alertmanager."""

    WANTED = "wanted"
    """To be made, or to be extended."""
    ACTIVE = "active"
    EXPIRING = "expiring"
    """To be ended."""
    EXPIRED = "expired"
    FAILED = "failed"
    """Given up: its Alertmanager does not accept it, or did not answer before it would have been over."""

    @property
    def live(self) -> bool:
        """There is something left to do or to wait for."""
        return self not in {State.EXPIRED, State.FAILED}


LIVE = (State.WANTED, State.ACTIVE, State.EXPIRING)


class Forgotten(enum.StrEnum):
    """Why a silence looks forgotten."""

    RESOLVED = "incident_resolved"
    """Its incident is over, and it still holds."""
    OLD = "held_for_long"
    UNKNOWN = "unknown_here"
    """Found at an Alertmanager with our mark; nothing here knew of it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How silences are kept."""

    warn_before: timedelta = timedelta(minutes=15)
    forgotten_after: timedelta = timedelta(hours=24)
    longest: timedelta = timedelta(days=7)

    def refused(self, length: timedelta) -> str | None:
        """Why a silence cannot be that long; None if it can."""
        if timedelta() < length <= self.longest:
            return None
        return f"is not above zero and at most {format_duration(self.longest)} (silences.longest)"

    def warn_at(self, now: datetime, ends_at: datetime) -> datetime:
        """When to tell that it ends: of a short one late, for whoever asked for it knows."""
        return ends_at - min(self.warn_before, (ends_at - now) / 4)


@dataclass(frozen=True, slots=True)
class Match:
    """One matcher of a silence."""

    name: str
    value: str
    is_regex: bool = False

    def __str__(self) -> str:
        """Alertmanager's syntax."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{"=~" if self.is_regex else "="}"{value}"'


class NothingToMatchError(Exception):
    """There are no labels by which the alerts of an incident, and no others, could be silenced."""


def matchers_of(by: Sequence[str], alerts: Sequence[Mapping[str, str]]) -> tuple[Match, ...]:
    """What silences the group of these alerts and nothing besides: its grouping labels and its alert names.

    A label that they lack must be absent: the empty value. With `['...']` all labels of the alert.
    Raises `NothingToMatchError`.
    """
    if not alerts:
        found = []
    elif tuple(by) == (EACH_ALERT,):
        first, rest = alerts[0], alerts[1:]
        common = {name for name in first if all([labels.get(name) == first[name] for labels in rest])}
        found = [Match(name, first[name]) for name in sorted(common)]
    else:
        names = [*by, *[each for each in (_ALERTNAME, drill.LABEL) if each not in by]]
        found = [match for name in names for match in _match(name, alerts, grouping=name in by)]
    # Alertmanager refuses a silence that matches an alert without any label.
    if not any([match.value for match in found]):
        raise NothingToMatchError("its alerts have no label in common that grouping.by names")
    return tuple(found)


def _match(name: str, alerts: Sequence[Mapping[str, str]], *, grouping: bool) -> list[Match]:
    values = sorted({labels.get(name, "") for labels in alerts})
    if len(values) == 1:
        return [Match(name, values[0])] if grouping or values[0] else []
    if not values or len(values) > NAMES_AT_MOST or "" in values:
        return []
    return [Match(name, "|".join(map(re.escape, values)), is_regex=True)]


def mark(instance: str, incident_id: int, identity: str) -> str:
    """By which a silence is known to be ours, for this incident, whatever happened to the answer."""
    return f"incidentd {instance} INC-{incident_id} #{identity}"


def marked(comment: str, mark: str) -> str:
    """The comment at the Alertmanager."""
    return f"{comment} [{mark}]".lstrip()


def mark_in(comment: str, instance: str) -> tuple[str, int] | None:
    """The mark in a comment, and the incident that it names; None if this installation did not make it."""
    found = _MARK.search(comment)
    if found is None or not found[1].startswith(f"incidentd {instance} "):
        return None
    return found[1], int(found[2])


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence at one Alertmanager."""

    id: int
    incident_id: int
    source: str
    alertmanager: str
    """Its address."""
    state: State
    mark: str
    matchers: tuple[Match, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    warn_at: datetime
    comment: str = ""
    silence_id: str | None = None
    """By which its Alertmanager knows it."""
    revision: int = 1
    """Grows with everything that people ask of it."""
    attempts: int = 0
    """In vain, in a row."""
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    warned_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    found: bool = False
    """It was found at its Alertmanager; nothing here knew of it."""


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts in vain."""
    return min(_FIRST * (1 << min(attempts - 1, 10)), _LONGEST)


def forgotten(silence: Silence, incident: Incident | None, policy: Policy, now: datetime) -> Forgotten | None:
    """Why it looks forgotten; None if it does not. One that is being ended is not, unless that fails."""
    if silence.state not in {State.ACTIVE, State.EXPIRING} or now >= silence.ends_at:
        return None
    if silence.state is State.EXPIRING and not silence.attempts:
        return None
    if silence.found:
        return Forgotten.UNKNOWN
    if incident is None or not incident.open:
        return Forgotten.RESOLVED
    return Forgotten.OLD if now - silence.created_at >= policy.forgotten_after else None


def standing(silences: Collection[Silence]) -> str:
    """How they stand together, truthfully: ``active on 1 of 2 Alertmanagers; ...``."""
    if not any([silence.state.live for silence in silences]):
        failed = [silence for silence in silences if silence.state is State.FAILED]
        return f"failed: {failed[0].last_error}" if failed else "not silenced"
    if all([silence.state is not State.WANTED and silence.state is not State.ACTIVE for silence in silences]):
        return "being ended"
    active = [silence for silence in silences if silence.state is State.ACTIVE]
    words = f"active on {len(active)} of {len(silences)} Alertmanager{'s' if len(silences) > 1 else ''}"
    rest = [f"{each.alertmanager}: {_said(each)}" for each in silences if each.state is not State.ACTIVE]
    return "; ".join([words, *rest])


def _said(silence: Silence) -> str:
    if silence.last_error is None:
        return "not asked yet" if silence.state is State.WANTED else silence.state.value
    return silence.last_error if silence.state is State.FAILED else f"{silence.last_error}, tried again"


def newest(silences: Iterable[Silence]) -> list[Silence]:
    """Those of the latest silence among all that an incident ever had; those that were found if there is no other."""
    known = sorted(silences, key=lambda silence: (not silence.found, silence.id))
    return [silence for silence in known if silence.mark == known[-1].mark]
