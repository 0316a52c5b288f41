"""What incidents cost people: who was paged and when, which alerts are noise, what nobody looked at, what took long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from incidentd.domain.figures import IncidentFacts, elapsed, time_to_resolve
from incidentd.domain.runbook import Guidance

NIGHT_FROM, NIGHT_TO = time(22), time(7)
LISTED = 20
"""Entries of each list at most; the counts beside them are of all."""
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Paged:
    """One page that reached somebody."""

    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Load:
    """How often one person was paged. A page in a week-end's night counts as both."""

    person: str
    pages: int
    night: int
    weekend: int


@dataclass(frozen=True, slots=True)
class Noise:
    """How often one alert made an incident, or brought one back."""

    alertname: str
    opened: int
    reopened: int
    flapping: int
    """Incidents of it that come and go now."""


@dataclass(frozen=True, slots=True)
class Breach:
    """An incident that took, or takes, longer than it should."""

    incident: IncidentFacts
    took: timedelta
    over: bool
    """False: it lasts still."""


@dataclass(frozen=True, slots=True)
class Toil:
    """What a window cost, for incidents that opened in it."""

    noisiest: tuple[Noise, ...]
    flappers: tuple[Noise, ...]
    never_acknowledged: tuple[IncidentFacts, ...]
    never_acknowledged_count: int
    """Resolved ones: nobody had to do anything."""
    without_runbook: tuple[Noise, ...]


def load(pages: Iterable[Paged], since: datetime, until: datetime, time_zone: str) -> list[Load]:
    """Pages after `since` up to and including `until` by person, the most loaded first.

    Night and week-end are meant in `time_zone`.
    """
    zone = ZoneInfo(time_zone)
    every: Counter[str] = Counter()
    night: Counter[str] = Counter()
    weekend: Counter[str] = Counter()
    for page in pages:
        if since < page.at <= until:
            local = page.at.astimezone(zone)
            every[page.person] += 1
            night[page.person] += not NIGHT_TO <= local.time() < NIGHT_FROM
            weekend[page.person] += local.weekday() >= _SATURDAY
    found = [Load(person, count, night[person], weekend[person]) for person, count in every.items()]
    return sorted(found, key=lambda one: (-one.pages, one.person))


def toil(facts: Iterable[IncidentFacts], since: datetime, until: datetime) -> Toil:
    """What the incidents cost that opened after `since` up to and including `until`."""
    opened = [incident for incident in facts if since < incident.opened_at <= until]
    noise = _noise(opened)
    over = [i for i in opened if i.resolved_at is not None and i.outage]
    ignored = [i for i in over if i.first_acknowledged_at is None]
    bare = _noise([incident for incident in opened if incident.guidance is Guidance.NONE])
    flappers = [each for each in noise if each.reopened or each.flapping]
    return Toil(
        noisiest=tuple(noise[:LISTED]),
        flappers=tuple(sorted(flappers, key=lambda n: (-n.flapping, -n.reopened, n.alertname))[:LISTED]),
        never_acknowledged=tuple(sorted(ignored, key=lambda i: (i.opened_at, i.id), reverse=True)[:LISTED]),
        never_acknowledged_count=len(ignored),
        without_runbook=tuple(bare[:LISTED]),
    )


def _noise(incidents: Sequence[IncidentFacts]) -> list[Noise]:
    groups: dict[str, list[IncidentFacts]] = {}
    for incident in incidents:
        groups.setdefault(incident.alertname, []).append(incident)
    found = [
        Noise(name, len(each), sum(i.reopened for i in each), sum(i.flapping for i in each))
        for name, each in groups.items()
    ]
    return sorted(found, key=lambda n: (-(n.opened + n.reopened), n.alertname))


def breaches(
    facts: Iterable[IncidentFacts], since: datetime, until: datetime, objective: timedelta
) -> list[Breach]:
    """Incidents resolved in the window, or open at its end, that took longer than `objective`; the longest first.

    Repaired in exactly that time is in time.
    """
    found: list[Breach] = []
    for incident in facts:
        if not incident.counts or not incident.outage or incident.opened_at > until:
            continue
        if incident.resolved_at is None or incident.resolved_at > until:
            took = elapsed(incident, until)
        else:
            took = time_to_resolve(incident) if incident.resolved_at > since else None
        if took is not None and took > objective:
            over = incident.resolved_at is not None and incident.resolved_at <= until
            found.append(Breach(incident, took, over))
    return sorted(found, key=lambda each: (-each.took, each.incident.id))
