"""Whether a channel may send now: what its destination asked for, and how fast its vendor takes messages."""

from __future__ import annotations

from collections.abc import Iterable
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
        self.stored = Destination(channel, DestinationState.OK, clock.now())
        """How the destination is doing, as looked up last."""
        self.known = self.stored
        """The same, and what attempts have told since that is not written yet."""
        self.only_target = only_target
        self._unwritten: list[tuple[Outcome, datetime]] = []

    def looked_up(self, stored: Destination) -> None:
        """So it stands in the database."""
        self.stored = self.known = stored
        for outcome, at in self._unwritten:
            self._judge(outcome, at)

    def written(self, outcomes: Iterable[Outcome], stored: Destination) -> None:
        """These are taken into account in what is stored now."""
        for outcome in outcomes:
            place = next((n for n, (known, _) in enumerate(self._unwritten) if known is outcome), None)
            if place is not None:
                del self._unwritten[place]
        self.looked_up(stored)

    def heard(self, outcome: Outcome, now: datetime) -> None:
        """An attempt ended: what was taken together with it must not run into the same wall."""
        self._unwritten.append((outcome, now))
        self._judge(outcome, now)

    def _judge(self, outcome: Outcome, now: datetime) -> None:
        self.known = after(
            self.known, outcome, self.known.last_error or "", now, only_target=self.only_target
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
