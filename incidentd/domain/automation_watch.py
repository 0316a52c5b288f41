"""Whether a run of another daemon is still under way: told by its signs of life, and never by comparing two clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LEASE = timedelta(seconds=60)
"""A run without a sign of life for so long is not under way any more."""
RENEW = timedelta(seconds=10)
"""How often its daemon gives one; and who did not look for so long knows nothing of what happened meanwhile."""

Sign = tuple[int, datetime | None]
"""Generation and lease of a run. What it says does not matter, only that it changes: the clock that wrote it may be
hours off."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What one daemon has seen of the runs of others. `at`: seconds of its own clock, which never jumps."""

    seen: Mapping[int, tuple[Sign, float]] = field(default_factory=dict)
    """Run -> its newest sign of life, and when that was first seen."""
    at: float = 0.0

    def after(self, signs: Mapping[int, Sign], at: float) -> Watch:
        """The same after a look at the runs of others that are under way, each with its sign."""
        # After a gap (the database was away, or this machine slept) their daemons may have had the same one.
        known = self.seen if at - self.at <= RENEW.total_seconds() else {}
        return Watch({run: _newer(known.get(run), sign, at) for run, sign in signs.items()}, at)

    @property
    def silent(self) -> Mapping[int, Sign]:
        """The runs that nobody runs any more, each with the last sign of life that it gave."""
        over = LEASE.total_seconds()
        return {run: sign for run, (sign, since) in self.seen.items() if self.at - since > over}


def _newer(known: tuple[Sign, float] | None, sign: Sign, at: float) -> tuple[Sign, float]:
    return known if known is not None and known[0] == sign else (sign, at)
