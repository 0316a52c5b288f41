"""What a loop does when its database fails: wait longer each time, and say so now and then."""

from __future__ import annotations

import structlog

from incidentd.clock import Clock
from incidentd.store.errors import StoreUnavailableError

_FIRST, _LONGEST = 0.1, 5.0
_SAY_EVERY = 10.0

log = structlog.get_logger()


class Trouble:
    """The failures of one loop in a row."""

    def __init__(self, clock: Clock, loop: str) -> None:
        """`loop` names it in the log."""
        self._clock = clock
        self._loop = loop
        self._failures = 0
        self._said_at: float | None = None

    def pause(self, error: Exception) -> float:
        """Seconds to wait after `error`. Logged at most every ten seconds."""
        self._failures += 1
        now = self._clock.monotonic()
        if self._said_at is None or now - self._said_at >= _SAY_EVERY:
            self._said_at = now
            # A database that is away needs no traceback; anything else is a fault of ours.
            trace = None if isinstance(error, StoreUnavailableError) else error
            log.error(
                "delivery_paused", loop=self._loop, failures=self._failures, error=str(error), exc_info=trace
            )
        return min(_LONGEST, _FIRST * 2.0 ** min(self._failures - 1, 10))

    def over(self) -> None:
        """It worked."""
        if self._failures:
            log.info("delivery_resumed", loop=self._loop, failures=self._failures)
        self._failures = 0
        self._said_at = None
