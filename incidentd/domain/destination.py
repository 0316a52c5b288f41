"""How a destination is doing, by the answers of its attempts: when to pause it, when to call it broken."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.domain.notification import Outcome, Verdict
from incidentd.domain.retry import MAX_RETRY_AFTER

THROTTLE_PAUSE = timedelta(seconds=30)
"""When a destination says "slow down" but not for how long: PagerDuty's advice for its 429."""
BROKEN_PAUSE = timedelta(seconds=60)
"""Between probes of a destination that a person has to mend: seldom enough not to be locked out for it."""
FAILURES_ALLOWED = 5
"""Attempts in a row that may fail before the destination as a whole is given a rest between attempts."""
LONGEST_REST = timedelta(seconds=60)


class DestinationState(enum.StrEnum):
    """A closed set; also what operators read."""

    OK = "ok"
    THROTTLED = "throttled"
    """It asked us to slow down."""
    DEGRADED = "degraded"
    """Several attempts in a row failed: one attempt at a time, with a rest in between."""
    BROKEN = "broken"
    """It refuses us, and will until a person mends something: only probes are sent, or, where none can tell, what
    comes up, of which somebody else is told at once."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One channel as all replicas see it."""

    channel: str
    state: DestinationState
    since: datetime
    """When it came into this state; throttled and degraded count as one, or changing between them would hide how
    long it takes."""
    paused_until: datetime | None = None
    """Nothing is sent before."""
    failures: int = 0
    """Attempts in a row that were not accepted."""
    last_error: str | None = None

    def paused(self, now: datetime) -> bool:
        """Nothing may be sent now."""
        return self.paused_until is not None and now < self.paused_until


_ITS_FAULT = frozenset({Verdict.RETRY, Verdict.AMBIGUOUS})
_SLOW = frozenset({DestinationState.THROTTLED, DestinationState.DEGRADED})


def after(
    known: Destination, outcome: Outcome, error: str, now: datetime, *, only_target: bool
) -> Destination:
    """`known` after one more attempt, described by `error` in one line.

    `only_target`: the channel reaches one place, so a target that is gone means that nothing can be told there.
    A refused text says nothing about the destination.
    """
    verdict = outcome.verdict
    if verdict is Verdict.OK:
        return Destination(known.channel, DestinationState.OK, _since(known, DestinationState.OK, now))
    if verdict is Verdict.DESTINATION_BROKEN:
        return _worse(known, DestinationState.BROKEN, error, now, BROKEN_PAUSE)
    if verdict is Verdict.DISABLED or (verdict is Verdict.TARGET_GONE and only_target):
        # No probe can tell that a room is there again: each further message is tried, and falls back at once.
        return _worse(known, DestinationState.BROKEN, error, now, None)
    if verdict is Verdict.THROTTLED:
        asked = THROTTLE_PAUSE if outcome.retry_after is None else outcome.retry_after
        return _worse(known, DestinationState.THROTTLED, error, now, min(asked, MAX_RETRY_AFTER))
    if outcome.of_target and not only_target:
        return known
    if verdict not in _ITS_FAULT or known.state is DestinationState.BROKEN:
        return known
    failures = known.failures + 1
    if failures < FAILURES_ALLOWED:
        return replace(known, failures=failures, last_error=error)
    rest = min(LONGEST_REST, timedelta(seconds=2.0 ** min(failures - FAILURES_ALLOWED, 10)))
    return _worse(known, DestinationState.DEGRADED, error, now, rest)


def unproven(known: Destination, now: datetime) -> Destination:
    """A broken one that no probe can judge: one message is tried, and only its answer tells."""
    return replace(
        known,
        state=DestinationState.DEGRADED,
        paused_until=now,
        failures=max(known.failures, FAILURES_ALLOWED),
    )


def _worse(
    known: Destination, state: DestinationState, error: str, now: datetime, pause: timedelta | None
) -> Destination:
    until = None if pause is None else now + pause
    if until is not None and known.paused_until is not None and state is not DestinationState.BROKEN:
        until = max(until, known.paused_until)
    return Destination(known.channel, state, _since(known, state, now), until, known.failures + 1, error)


def _since(known: Destination, state: DestinationState, now: datetime) -> datetime:
    return known.since if known.state is state or {known.state, state} == _SLOW else now
