"""What metrics and the log tell of deliveries, after the commit that made it true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from incidentd.delivery import notes
from incidentd.delivery.fallback import FellBack
from incidentd.delivery.settle import Settled, said
from incidentd.delivery.unneeded import Closed
from incidentd.domain.notification import DeliveryState, Verdict
from incidentd.metrics import Metrics
from incidentd.store.deliveries import Delivery

log = structlog.get_logger()


def of_attempt(metrics: Metrics, settled: Settled, *, ours: bool) -> None:
    """One attempt; `ours` is False if its lease had been lost."""
    delivery, settlement = settled.delivery, settled.settlement
    _count(metrics, delivery, settlement.verdict)
    facts = _facts(delivery)
    if not ours:
        log.warning("delivery_result_late", outcome=settlement.verdict, **facts)
    elif settlement.state is DeliveryState.SENT:
        log.info("delivery_sent", code=settled.outcome.code, **facts)
        _time(metrics, delivery, settlement.at)
    elif settled.dead:
        _given_up(metrics, delivery, settlement.reason or "")
    else:
        retry_at = settlement.not_before.isoformat()
        log.warning(
            "delivery_failed",
            outcome=settlement.verdict,
            error=said(settled.outcome),
            retry_at=retry_at,
            **facts,
        )


def of_riders(metrics: Metrics, riders: Sequence[Delivery], now: datetime) -> None:
    """Rows told of in the message of another, which was accepted: each counts, the log has the message alone."""
    for rider in riders:
        _count(metrics, rider, Verdict.OK.value)
        _time(metrics, rider, now)


def of_closed(metrics: Metrics, closed: Sequence[Closed]) -> None:
    """Rows that ended without an attempt."""
    for c in closed:
        if c.missed:
            of_missed(metrics, [(c.delivery, c.reason)])
            continue
        if c.state is DeliveryState.DEAD:
            _given_up(metrics, c.delivery, c.reason)
            continue
        _count(metrics, c.delivery, c.state.value)
        log.info("delivery_unneeded", why=c.state.value, reason=c.reason, **_facts(c.delivery))


def of_missed(metrics: Metrics, missed: Sequence[tuple[Delivery, str]]) -> None:
    """Pages that came too late and became notices."""
    for delivery, reason in missed:
        _count(metrics, delivery, "missed")
        log.error("page_missed", reason=reason, **_facts(delivery))


def of_fallback(metrics: Metrics, fell_back: FellBack) -> None:
    """Pages in whose place somebody else was told."""
    for delivery, reason, stand_in in fell_back.pages:
        _count(metrics, delivery, "fell_back")
        log.error("page_fell_back", reason=reason, told=stand_in or "nobody", **_facts(delivery))
    of_closed(metrics, fell_back.closed)


def _given_up(metrics: Metrics, delivery: Delivery, reason: str) -> None:
    _count(metrics, delivery, DeliveryState.DEAD.value)
    if notes.is_page(delivery):
        log.error("page_missed", reason=reason, **_facts(delivery))
    else:
        log.warning("delivery_dead", reason=reason, **_facts(delivery))


def _time(metrics: Metrics, delivery: Delivery, sent_at: datetime) -> None:
    if notes.is_page(delivery):
        waited = (sent_at - delivery.waiting_since).total_seconds()
        metrics.page_delivery_seconds.labels(delivery.channel).observe(max(waited, 0.0))


def _count(metrics: Metrics, delivery: Delivery, outcome: str) -> None:
    metrics.deliveries.labels(delivery.channel, delivery.delivery_class.value, outcome).inc()


def _facts(delivery: Delivery) -> dict[str, object]:
    return {
        "delivery": delivery.id,
        "incident": delivery.incident_id,
        "channel": delivery.channel,
        "notice": delivery.notice.value,
        "attempts": delivery.attempts,
    }
