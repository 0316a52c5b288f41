"""How much a target takes now: a token bucket for each target of a channel.

In memory, and so for each replica on its own: what several of them send too fast the vendor answers with a 429,
and that pauses all of them.
"""

from __future__ import annotations

import math

from incidentd.channels.base import Rate
from incidentd.clock import Clock

_UNLIMITED = 1_000_000
_ROUNDING = 1e-6
"""Of a token: what is lost when seconds are added up."""


class Buckets:
    """The buckets of one channel."""

    def __init__(self, clock: Clock, rate: Rate | None) -> None:
        """Without a `rate` there is always room."""
        self._clock = clock
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}
        """Target -> tokens, and when they were counted; full ones are left out."""

    def tokens(self, target: str, spare: int = 0) -> int:
        """How many messages `target` takes at once, if `spare` of them are left for others."""
        if self._rate is None:
            return _UNLIMITED
        return max(0, math.floor(self._now(target) + _ROUNDING) - self._spared(spare))

    def take(self, target: str, count: int = 1) -> None:
        """So many are being sent."""
        if self._rate is not None:
            self._left[target] = (self._now(target) - count, self._clock.monotonic())

    def exhausted(self, spare: int = 0) -> list[str]:
        """The targets that take nothing now, if `spare` messages to each are left for others."""
        for target in list(self._left):
            if self._rate is not None and self._now(target) >= self._rate.burst:
                self._left.pop(target, None)  # units of work run in other threads, and look here too
        return [target for target in list(self._left) if not self.tokens(target, spare)]

    def pause(self) -> float | None:
        """Seconds until one of the exhausted targets takes something; None if there is none."""
        if self._rate is None:
            return None
        waits = [(1 - self._now(target)) / self._rate.per_second for target in self.exhausted()]
        return max(0.001, min(waits)) if waits else None

    def _spared(self, spare: int) -> int:
        # A full bucket gives at least one, or the others would wait for good.
        return 0 if self._rate is None else min(spare, self._rate.burst - 1)

    def _now(self, target: str) -> float:
        left = self._left.get(target)
        if self._rate is None or left is None:
            return math.inf if self._rate is None else float(self._rate.burst)
        tokens, at = left
        return min(float(self._rate.burst), tokens + (self._clock.monotonic() - at) * self._rate.per_second)
