"""What becomes of a row after an attempt: the decision is pure, writing it is one unit of work for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.delivery import notes
from incidentd.delivery.fallback import FellBack, Lost, fall_back, hopeless
from incidentd.delivery.traits import Plan
from incidentd.domain.destination import (
    BROKEN_PAUSE,
    THROTTLE_PAUSE,
    Destination,
    DestinationState,
    after,
    unproven,
)
from incidentd.domain.notification import DeliveryState, Outcome, Verdict
from incidentd.domain.retry import POLICIES, give_up, next_attempt
from incidentd.store import destinations, leases, pages, proofs, references
from incidentd.store.deliveries import Delivery
from incidentd.store.engine import Tx
from incidentd.store.leases import Settlement
from incidentd.store.references import Reference

_MAX_ERROR = 300


@dataclass(frozen=True, slots=True)
class Settled:
    """One attempt and its end."""

    delivery: Delivery
    """As leased."""
    outcome: Outcome
    settlement: Settlement
    bundled: bool = False
    """Its message told of other incidents too."""

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
    if pause is None or give_up(policy, now - delivery.waiting_since):
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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written of ended attempts."""

    ours: set[int]
    """Rows whose lease was still ours; what somebody else sends by now is left alone."""
    destination: Destination
    """How it is doing now."""
    fell_back: FellBack
    riders: tuple[Delivery, ...] = ()
    """Rows that were told of in messages of others, which were accepted."""

    @property
    def noted(self) -> bool:
        """True if timelines may have grown."""
        return self.fell_back.noted


def record(
    tx: Tx,
    known: Destination,
    settled: Sequence[Settled],
    unstarted: Sequence[Delivery],
    plan: Plan,
    now: datetime,
) -> Recorded:
    """Write the ends of attempts at one channel, and give back the leases of rows that were not started.

    `known`: how the channel did when it was looked at last.
    """
    leases.release(tx, [(row.id, row.generation) for row in unstarted])
    ours = leases.settle(tx, [s.settlement for s in settled])
    counting = [s for s in settled if s.delivery.id in ours]
    references.save(
        tx, [_reference(s) for s in counting if s.outcome.reference is not None and not s.bundled]
    )
    riders = _let_riders_off(tx, counting)
    sent = [s.delivery for s in counting if s.settlement.state is DeliveryState.SENT]
    proofs.delivered(tx, [(d.channel, d.person, d.incident_id) for d in sent if notes.is_page(d)], now)
    notes.write_missed(tx, [(s.delivery, s.settlement.reason or "") for s in counting if s.dead], now)
    # Before the fall-back looks at it: nobody is told over a destination that has just turned out to be broken.
    told = [s.outcome for s in settled if of_destination(s.outcome, s.delivery)]
    destination = follow(tx, known, told, plan, now)
    lost = [
        Lost(s.delivery, said(s.outcome), s.dead)
        for s in counting
        if hopeless(s.outcome, s.delivery, dead=s.dead)
    ]
    return Recorded(ours, destination, fall_back(tx, lost, plan, now), tuple(riders))


def of_destination(outcome: Outcome, delivery: Delivery) -> bool:
    """True if `outcome` says how the destination as a whole is doing: the address of one person may be wrong."""
    return delivery.person is None or not (outcome.of_target or outcome.verdict is Verdict.TARGET_GONE)


def _reference(s: Settled) -> Reference:
    value = dict(s.outcome.reference or {})
    return Reference(s.delivery.incident_id, s.delivery.channel, s.delivery.episode, value)


def _let_riders_off(tx: Tx, counting: Sequence[Settled]) -> list[Delivery]:
    """End what rode in a message that was accepted, and free what rode in one that never will be; the former."""
    buses = [s for s in counting if s.bundled]
    sent = [s for s in buses if s.settlement.state is DeliveryState.SENT]
    riders = pages.riders_of(tx, [s.delivery.id for s in sent])
    pages.arrived(tx, [(s.delivery.id, s.settlement.verdict, s.settlement.at) for s in sent])
    pages.set_down(tx, [s.delivery.id for s in buses if s.dead])
    return riders


def follow(tx: Tx, known: Destination, outcomes: Sequence[Outcome], plan: Plan, now: datetime) -> Destination:
    """Write how a destination is doing after these attempts; the usual case, all well, writes nothing."""
    well = known.state is DestinationState.OK and not known.failures
    if well and all(outcome.verdict is Verdict.OK for outcome in outcomes):
        return known
    before = destinations.of(tx, known.channel, now, locked=True)
    only = len(plan.targets.get(known.channel, ())) < 2  # noqa: PLR2004 - one, or unknown
    destination = before
    for outcome in outcomes:
        destination = after(destination, outcome, said(outcome), now, only_target=only)
    if destination != before:
        destinations.save(tx, destination)
        if destination.state is DestinationState.OK and before.state is not DestinationState.OK:
            pages.hurry(tx, known.channel, now)
    return destination


def try_one(tx: Tx, known: Destination, now: datetime) -> Destination:
    """Let a broken destination that no probe can judge have one message."""
    before = destinations.of(tx, known.channel, now, locked=True)
    if before.state is not DestinationState.BROKEN or before.paused(now):
        return before  # another replica was first
    destinations.save(tx, tried := unproven(before, now))
    pages.hurry(tx, known.channel, now)
    return tried
