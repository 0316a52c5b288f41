"""How much a target takes now: a token bucket for each target of a channel.

In memory, and so for each replica on its own: what several of them send too fast the vendor answers with a 429,
and that pauses all of them.
"""

from __future__ import annotations

import math

from incidentd.channels.base import Rate
from incidentd.clock import Clock

_UNLIMITED = 1_000_000


class Buckets:
    """The buckets of one channel."""

    def __init__(self, clock: Clock, rate: Rate | None) -> None:
        """Without a `rate` there is always room."""
        self._clock = clock
        self._rate = rate
        self._left: dict[str, tuple[float, float]] = {}
        """Target -> tokens, and when they were counted; full ones are left out."""

    def tokens(self, target: str) -> int:
        """How many messages `target` takes at once."""
        return _UNLIMITED if self._rate is None else math.floor(self._now(target) + 1e-9)

    def take(self, target: str, count: int = 1) -> None:
        """So many are being sent."""
        if self._rate is not None:
            self._left[target] = (self._now(target) - count, self._clock.monotonic())

    def exhausted(self) -> list[str]:
        """The targets that take nothing now."""
        for target in list(self._left):
            if self._rate is not None and self._now(target) >= self._rate.burst:
                del self._left[target]
        return [target for target in self._left if not self.tokens(target)]

    def pause(self) -> float | None:
        """Seconds until one of the exhausted targets takes something; None if there is none."""
        if self._rate is None:
            return None
        waits = [(1 - self._now(target)) / self._rate.per_second for target in self.exhausted()]
        return max(0.001, min(waits)) if waits else None

    def _now(self, target: str) -> float:
        if self._rate is None or target not in self._left:
            return math.inf if self._rate is None else float(self._rate.burst)
        tokens, at = self._left[target]
        return min(float(self._rate.burst), tokens + (self._clock.monotonic() - at) * self._rate.per_second)
