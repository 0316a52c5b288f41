"""When a delivery that failed is tried again, and when it is too old to be worth it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from incidentd.domain.notification import DeliveryClass

MAX_RETRY_AFTER = timedelta(hours=1)
"""A destination may ask for more; waiting longer than this on its word would park a delivery for good."""

_MAX_DOUBLINGS = 62
"""Beyond this every cap is reached; keeps the power of two a small number."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient one class of deliveries is.

    Raises ValueError unless 0 <= floor <= base <= cap <= max_age and base > 0.
    """

    base: timedelta
    """Upper end of the first delay; it doubles with every attempt."""
    cap: timedelta
    """Upper end of every delay."""
    max_age: timedelta
    """Age since enqueue from which the delivery is given up."""
    floor: timedelta = timedelta(milliseconds=250)
    """Lower end of every delay: a retry in the same instant would only meet the same failure."""

    def __post_init__(self) -> None:
        """Refuse a policy that would retry without pause or never."""
        if not timedelta(0) <= self.floor <= self.base <= self.cap <= self.max_age or not self.base:
            raise ValueError(
                f"retry policy floor {self.floor}, base {self.base}, cap {self.cap}, max_age {self.max_age}: "
                "accepted is 0 <= floor <= base <= cap <= max_age with base above 0"
            )


POLICIES: Mapping[DeliveryClass, RetryPolicy] = {
    DeliveryClass.PAGE: RetryPolicy(timedelta(seconds=2), timedelta(seconds=60), timedelta(hours=24)),
    DeliveryClass.CLOSE: RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=24)),
    DeliveryClass.STATE: RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=6)),
    DeliveryClass.LOG: RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=6)),
    DeliveryClass.META: RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=6)),
    DeliveryClass.DIGEST: RetryPolicy(timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=24)),
}
"""A page is hurried, and given up only after a day: while an incident is open and nobody has acknowledged it, a
vendor's outage of some hours must not end in silence. A close has a day too, for a vendor that never hears of it
keeps an alert open, and so has a digest, for nothing else tells what stands in it."""


def next_attempt(
    policy: RetryPolicy, attempts: int, outcome_retry_after: timedelta | None, jitter: float
) -> timedelta | None:
    """The delay before the next attempt after `attempts` (at least 1) failed ones; None if none is worth it.

    Full jitter: `jitter` in [0, 1) times min(cap, base * 2^(attempts-1)), so that rows which failed together
    do not come back together; at least the floor, and at least what the destination asked for, of which
    `MAX_RETRY_AFTER` is believed. None when that delay alone uses up `max_age`. Raises ValueError for
    arguments out of range.
    """
    if attempts < 1 or not 0 <= jitter < 1:
        raise ValueError(
            f"attempts {attempts}, jitter {jitter}: accepted are attempts >= 1 and 0 <= jitter < 1"
        )
    doublings = min(attempts - 1, _MAX_DOUBLINGS)
    ceiling = min(policy.cap.total_seconds(), policy.base.total_seconds() * 2.0**doublings)
    delay = max(policy.floor, timedelta(seconds=ceiling * jitter))
    if outcome_retry_after is not None:
        delay = max(delay, min(outcome_retry_after, MAX_RETRY_AFTER))
    return None if delay >= policy.max_age else delay


def give_up(policy: RetryPolicy, age: timedelta) -> bool:
    """True if a delivery enqueued `age` ago is too old for a further attempt."""
    return age >= policy.max_age
