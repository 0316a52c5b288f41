"""Whether a channel may send now: what its destination asked for, and how fast its vendor takes messages."""

from __future__ import annotations

from datetime import datetime

from incidentd.clock import Clock
from incidentd.delivery.bucket import Buckets
from incidentd.delivery.traits import Traits
from incidentd.domain.destination import Destination, DestinationState, after
from incidentd.domain.notification import Outcome


class Gate:
    """Shared by the two pumps of a channel."""

    def __init__(self, clock: Clock, channel: str, traits: Traits, *, only_target: bool) -> None:
        self.traits = traits
        self.buckets = Buckets(clock, traits.rate)
        self.known = Destination(channel, DestinationState.OK, clock.now())
        """How the destination is doing, as looked up last."""
        self.pages_wait = False
        """Pages wait for the rate: nothing else may use it up."""
        self._only_target = only_target

    def heard(self, outcome: Outcome, now: datetime) -> None:
        """An attempt ended: what was taken together with it must not run into the same wall."""
        self.known = after(
            self.known, outcome, self.known.last_error or "", now, only_target=self._only_target
        )

    def shut(self, now: datetime) -> bool:
        """Nothing may be sent now."""
        return self.known.paused(now) or self.to_be_probed(now)

    def to_be_probed(self, now: datetime) -> bool:
        """It was refused as a whole and its pause is over: a probe comes first."""
        known = self.known
        return (
            known.state is DestinationState.BROKEN
            and known.paused_until is not None
            and not known.paused(now)
        )

    def room(self, free: int, sending: int, per_slot: int) -> int:
        """How many rows to take with so many slots `free` and so many `sending`."""
        if self.known.state is DestinationState.DEGRADED:
            return 0 if sending else 1  # one after the other, until one is accepted
        return free * per_slot
