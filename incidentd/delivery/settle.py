"""What becomes of a row after an attempt: the decision is pure, writing it is one unit of work for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.delivery import notes
from incidentd.domain.notification import DeliveryState, Outcome, Verdict
from incidentd.domain.retry import POLICIES, give_up, next_attempt
from incidentd.store import leases, references
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx
from incidentd.store.leases import Settlement
from incidentd.store.references import Reference

THROTTLE_PAUSE = timedelta(seconds=30)
"""When a destination says "slow down" but not for how long: PagerDuty's advice for its 429."""

BROKEN_PAUSE = timedelta(seconds=60)
"""Between attempts at a destination that a person has to mend: seldom enough not to be locked out for it."""

_MAX_ERROR = 300


@dataclass(frozen=True, slots=True)
class Settled:
    """One attempt and its end."""

    delivery: Delivery
    """As leased."""
    outcome: Outcome
    settlement: Settlement

    @property
    def dead(self) -> bool:
        """Given up."""
        return self.settlement.state is DeliveryState.DEAD


def decide(outcome: Outcome, delivery: Delivery, now: datetime, jitter: float) -> Settlement:
    """What becomes of a leased row. `jitter` in [0, 1) spreads the retries."""
    match outcome.verdict:
        case Verdict.OK:
            return _settlement(outcome, delivery, DeliveryState.SENT, now, now)
        case Verdict.TARGET_GONE | Verdict.DISABLED:
            return _dead(outcome, delivery, now, said(outcome))
        case Verdict.CONTENT_REJECTED if delivery.minimal:
            return _dead(outcome, delivery, now, f"refused in its short form too: {said(outcome)}")
        case Verdict.CONTENT_REJECTED:
            return _settlement(outcome, delivery, DeliveryState.PENDING, now, now, minimal=True)
        case _:
            return _again(outcome, delivery, now, jitter)


def _again(outcome: Outcome, delivery: Delivery, now: datetime, jitter: float) -> Settlement:
    policy = POLICIES[delivery.delivery_class]
    pause = _pause(outcome, delivery, jitter)
    if pause is None or give_up(policy, now - delivery.created_at):
        return _dead(outcome, delivery, now, f"given up after {delivery.attempts} attempts: {said(outcome)}")
    return _settlement(outcome, delivery, DeliveryState.PENDING, now, now + pause)


def _pause(outcome: Outcome, delivery: Delivery, jitter: float) -> timedelta | None:
    policy = POLICIES[delivery.delivery_class]
    match outcome.verdict:
        case Verdict.DESTINATION_BROKEN:
            return BROKEN_PAUSE
        case Verdict.THROTTLED:
            asked = THROTTLE_PAUSE if outcome.retry_after is None else outcome.retry_after
            return next_attempt(policy, delivery.attempts, asked, jitter)
        case _:
            return next_attempt(policy, delivery.attempts, outcome.retry_after, jitter)


def _dead(outcome: Outcome, delivery: Delivery, now: datetime, reason: str) -> Settlement:
    return _settlement(outcome, delivery, DeliveryState.DEAD, now, now, reason=reason[:_MAX_ERROR])


def _settlement(
    outcome: Outcome,
    delivery: Delivery,
    state: DeliveryState,
    now: datetime,
    not_before: datetime,
    *,
    minimal: bool = False,
    reason: str | None = None,
) -> Settlement:
    return Settlement(
        id=delivery.id,
        generation=delivery.generation,
        state=state,
        verdict=outcome.verdict.value,
        error=None if state is DeliveryState.SENT else said(outcome),
        at=now,
        not_before=not_before,
        minimal=minimal or delivery.minimal,
        reason=reason,
    )


def said(outcome: Outcome) -> str:
    """The outcome in one line that every database can store."""
    parts = [part for part in (outcome.code or outcome.verdict.value, outcome.detail) if part]
    return storable(": ".join(parts))[:_MAX_ERROR]


def storable(text: str) -> str:
    """`text` without what a database refuses: PostgreSQL has no NUL, UTF-8 no half surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def record(tx: Tx, settled: Sequence[Settled], unstarted: Sequence[Delivery], now: datetime) -> set[int]:
    """Write the ends of attempts and give back the leases of rows that were not started.

    The ids of the rows whose lease was still ours; what somebody else sends by now is left alone.
    """
    leases.release(tx, [(row.id, row.generation) for row in unstarted])
    ours = leases.settle(tx, [s.settlement for s in settled])
    counting = [s for s in settled if s.delivery.id in ours]
    references.save(
        tx,
        [
            Reference(
                s.delivery.incident_id, s.delivery.channel, s.delivery.episode, dict(s.outcome.reference)
            )
            for s in counting
            if s.outcome.reference is not None
        ],
    )
    notes.write_missed(tx, [(s.delivery, s.settlement.reason or "") for s in counting if s.dead], now)
    return ours
