"""Checks of what the database says besides: read in one go, and never worse than degraded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from incidentd.domain.silence import Silence
from incidentd.store import change_events, reconcile, silences
from incidentd.store.change_events import Backlog
from incidentd.store.engine import Tx
from incidentd.store.reconcile import SourceRounds
from incidentd.store.vitals import Vitals
from incidentd.store.vitals import vitals as read_vitals
from incidentd.web.channels import Known, known
from incidentd.web.context import Context
from incidentd.web.write_probe import since_ms
from incidentd.workflows import calendars
from incidentd.workflows.calendars import CalendarState

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"
_DAY: Final = timedelta(days=1)
_LATE_ROUNDS: Final = 5
_LATE_RECONCILE: Final = timedelta(minutes=10)


def check(name: str, status: str, detail: str = "", latency_ms: float | None = None) -> dict[str, Any]:
    """One check, as it is answered. Without a latency nothing was asked: the process knows by itself."""
    return {"name": name, "status": status, "latency_ms": latency_ms, "detail": detail}


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says besides."""

    channels: Known
    changes: Backlog
    rounds: Mapping[str, SourceRounds]
    silences: list[Silence]
    calendars: Sequence[CalendarState]
    vitals: Vitals
    latency_ms: float
    """How long it took to read all of it."""


def stored(context: Context, started: float, tx: Tx) -> Stored:
    """Read it; `started`: when that was asked for, by the monotonic clock."""
    backlog, rounds = change_events.backlog(tx, context.clock.now() - _DAY), reconcile.rounds(tx)
    states, vitals = calendars.states(tx, context.config), read_vitals(tx, context.store.path)
    channels, live = known(tx), silences.live(tx)
    return Stored(channels, backlog, rounds, live, states, vitals, since_ms(context, started))


def change_event_checks(stored: Stored | None, now: datetime) -> list[dict[str, Any]]:
    """What vendors are told of deployments; nothing to say while none waits and none was given up."""
    if stored is None or not (stored.changes.waiting or stored.changes.given_up):
        return []
    changes = stored.changes
    age = f", the oldest for {age_seconds(now, changes.oldest):.0f} s" if changes.oldest else ""
    words = f"{changes.waiting} wait{age}; {changes.given_up} were given up within a day"
    status = DEGRADED if changes.given_up else HEALTHY
    return [check("change events", status, words, stored.latency_ms)]


def calendar_checks(stored: Stored | None) -> list[dict[str, Any]]:
    """Never worse than degraded: what a calendar said last counts."""
    if stored is None:
        return []
    return [
        check(name, DEGRADED if each.since else HEALTHY, each.trouble or "", stored.latency_ms)
        for name, each in [(f"calendar {each.place.path}", each) for each in stored.calendars]
    ]


def round_checks(context: Context, stored: Stored | None, now: datetime) -> list[dict[str, Any]]:
    """How reconciling goes. One failed round is nothing yet: an Alertmanager fresh from a start is not believed."""
    if stored is None:
        return []
    uptime = timedelta(seconds=context.clock.monotonic() - context.started_at)
    checks = []
    for source, policy in context.rules.reconcile.items():
        row = stored.rounds.get(source)
        good = row.good_at if row else None
        age = uptime if good is None else now - good
        late = age > max(_LATE_ROUNDS * policy.every, _LATE_RECONCILE, 2 * policy.settle)
        words = "never" if good is None else f"{max(age.total_seconds(), 0):.0f} s ago"
        words = f"last good round {words}" + (f"; {row.failed}: {row.detail}" if row and row.failed else "")
        status = DEGRADED if late else HEALTHY
        checks.append(check(f"reconcile {source}", status, words, stored.latency_ms))
    return checks


def silence_checks(stored: Stored | None) -> list[dict[str, Any]]:
    """Whether Alertmanagers do what was asked of them; nothing to say while nobody has asked."""
    if stored is None or not stored.silences:
        return []
    vain = [each for each in stored.silences if each.attempts]
    words = [f"INC-{each.incident_id}, {each.alertmanager}: {each.last_error}" for each in vain[:3]]
    said = "; ".join([f"{len(vain)} of {len(stored.silences)} are not as they should be", *words])
    return [check("silences", DEGRADED if vain else HEALTHY, said, stored.latency_ms)]


def age_seconds(now: datetime, at: datetime) -> float:
    """How long ago `at` was; never negative, as clocks of replicas differ."""
    return max((now - at.astimezone(UTC)).total_seconds(), 0.0)
