"""`/metrics`: Prometheus text or OpenMetrics, with the gauges that only the database knows read at scrape time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from incidentd.domain.heartbeat import Pulse
from incidentd.domain.incident import Incident, State
from incidentd.domain.notification import DeliveryClass, DeliveryState
from incidentd.domain.reconcile import Drift
from incidentd.domain.severity import Severity
from incidentd.domain.silence import LIVE, Silence, forgotten
from incidentd.store import action_items, deliveries, heartbeats, incidents, outbox, reconcile, silences
from incidentd.store.engine import StoreRejectedError, StoreUnavailableError, Tx
from incidentd.store.reconcile import SourceRounds
from incidentd.web.channels import Known, known, standings
from incidentd.web.context import Context
from incidentd.web.health_stored import age_seconds
from incidentd.web.op import Call
from incidentd.workflows import calendars
from incidentd.workflows.calendars import CalendarState
from incidentd.workflows.heartbeats import missing as missing_ones
from incidentd.workflows.objectives import Standings
from incidentd.workflows.objectives import standings as standings_of

_WAIT_SECONDS: Final = 2.0

_LOST: Final = (DeliveryState.DEAD.value, "missed", "fell_back")
"""Outcomes of pages that somebody has to look into."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What only the database knows."""

    open: Mapping[tuple[str, str], int]
    """Severity and state -> open incidents."""
    oldest: Mapping[str, datetime]
    """Class -> since when its oldest delivery waits."""
    dead: int
    pulses: Mapping[str, Pulse]
    channels: Known
    rounds: Mapping[str, SourceRounds]
    silences: tuple[list[Silence], list[Incident]]
    """Those that are not over, and their incidents."""
    calendars: Sequence[CalendarState]
    standings: Standings
    """Of the objectives."""
    actions: tuple[int, int]
    """Action items that are open, and those of them that are overdue."""


async def metrics(call: Call) -> web.Response:
    """Every series. With the database away, the others are shown all the same."""
    context = call.desk.context
    now, stored = context.clock.now(), None
    known_ones = context.board.recent(context.rules.objectives, now)
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            stored = await context.store.read(partial(_stored, context, known_ones))
    except (TimeoutError, StoreUnavailableError, StoreRejectedError):
        call.desk.seldom.warn("metrics_without_database")
    context.metrics.figures.database_up.set(stored is not None)
    if stored is not None:
        if known_ones is None:
            context.board.keep(stored.standings, now)
        _set_stored(context, stored)
    _set_channels(context, stored.channels if stored else None)
    context.metrics.intake_queued.set(context.queued())
    encoder, content_type = choose_encoder(call.request.headers.get("Accept", ""))
    body = await asyncio.to_thread(_render, encoder, context.metrics.registry)
    return web.Response(body=body, headers=call.desk.headers(call.request_id, content_type))


def _render(encoder: Callable[[CollectorRegistry], bytes], registry: CollectorRegistry) -> bytes:
    return encoder(registry)


def _stored(context: Context, standings: Standings | None, tx: Tx) -> _Stored:
    rules, now = context.rules, context.clock.now()
    return _Stored(
        incidents.count_open(tx),
        outbox.oldest_pending(tx),
        deliveries.count_dead(tx),
        heartbeats.all_of(tx),
        known(tx),
        reconcile.rounds(tx),
        _silences(tx),
        calendars.states(tx, context.config),
        standings_of(tx, rules, context.board, now) if standings is None else standings,
        action_items.count_open(tx, now),
    )


def _silences(tx: Tx) -> tuple[list[Silence], list[Incident]]:
    live = silences.live(tx)
    return live, silences.incidents_of(tx, sorted({each.incident_id for each in live}))


def _set_stored(context: Context, stored: _Stored) -> None:
    now = context.clock.now()
    context.metrics.dead.set(stored.dead)
    for state, number in zip(("open", "overdue"), stored.actions, strict=True):
        context.metrics.actions.labels(state).set(number)
    context.metrics.heartbeat_missing.clear()
    for name, missing in missing_ones(stored.pulses, context.rules).items():
        context.metrics.heartbeat_missing.labels(name).set(missing)
    _set_rounds(context, stored.rounds)
    _set_silences(context, *stored.silences, now)
    context.metrics.calendar_up.clear()
    for each in stored.calendars:
        if each.since is not None or each.read_at is not None:
            context.metrics.calendar_up.labels(each.place.path).set(0 if each.since else 1)
    _set_budgets(context, stored.standings)
    context.metrics.figures.environments.clear()
    for name in context.config.figures.environments:
        where = context.metrics.environment(name)
        context.metrics.figures.environments.labels(where).set(1)
    for severity in Severity:
        for state in (State.TRIGGERED, State.ACKNOWLEDGED):
            number = stored.open.get((severity.value, state.value), 0)
            context.metrics.incidents_open.labels(severity.value, state.value).set(number)
    for kind in DeliveryClass:
        at = stored.oldest.get(kind.value)
        context.metrics.oldest_pending.labels(kind.value).set(0 if at is None else age_seconds(now, at))


def _set_rounds(context: Context, rounds: Mapping[str, SourceRounds]) -> None:
    context.metrics.reconcile_last_success.clear()
    for source in context.rules.reconcile:
        good = rounds[source].good_at if source in rounds else None
        context.metrics.reconcile_last_success.labels(source).set(0 if good is None else good.timestamp())
        for kind in Drift:
            context.metrics.reconcile_drift.labels(source, kind.value)  # from the start, see below


def _set_silences(context: Context, live: list[Silence], incidents: list[Incident], now: datetime) -> None:
    gauge, policy = context.metrics.silences, context.rules.silencing
    known = {incident.id: incident for incident in incidents}
    gauge.clear()
    for source in dict.fromkeys([*context.rules.alertmanagers, *[each.source for each in live]]):
        mine = [each for each in live if each.source == source]
        for state in LIVE:
            gauge.labels(source, state.value).set(sum(each.state is state for each in mine))
        left = [each for each in mine if forgotten(each, known.get(each.incident_id), policy, now)]
        gauge.labels(source, "forgotten").set(len(left))


def _set_budgets(context: Context, standings: Standings) -> None:
    metrics = context.metrics.figures
    for gauge in (metrics.budget_left, metrics.burn_rate, metrics.slo_target):
        gauge.clear()
    for name, standing in standings.items():
        if standing is not None:
            metrics.slo_target.labels(name).set(standing.objective.target)
            metrics.budget_left.labels(name).set(standing.left)
            for window, rate in standing.burn.items():
                metrics.burn_rate.labels(name, window).set(rate)


def _set_channels(context: Context, known: Known | None) -> None:
    gauge = context.metrics.channel_up
    gauge.clear()
    if known is not None:
        context.metrics.last_proven.clear()
    for standing in standings(context, known):
        if standing.up is not None:
            gauge.labels(standing.name).set(1 if standing.up else 0)
        if standing.proven is not None:
            context.metrics.last_proven.labels(standing.name).set(standing.proven.timestamp())
        for outcome in _LOST:
            # From the start: an `increase()` over a series that begins with its first event misses that one.
            context.metrics.deliveries.labels(standing.name, DeliveryClass.PAGE.value, outcome)
