"""Once a minute: ask Prometheus how its objectives stand, and tell of budgets that burn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from incidentd.channels.base import Http
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.config.slo import ServiceLevel
from incidentd.domain.incident import Change
from incidentd.jobs.scheduler import Job
from incidentd.sources.prometheus import PrometheusError, measure
from incidentd.store.engine import Store
from incidentd.workflows import objectives
from incidentd.workflows.objectives import Board, Measured
from incidentd.workflows.rules import Rules

EVERY = timedelta(minutes=1)
_AT_ONCE = 8
"""Objectives that are measured side by side: one Prometheus that hangs does not hold up the others'."""
_WAIT_SECONDS = 30
"""For one of them, with all its queries."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Watching:
    """Keeps the board of measurements, and the incidents that follow from it. Every replica measures for itself."""

    store: Store
    clock: Clock
    http: Http
    rules: Callable[[], Rules]
    config: Callable[[], Config]
    """As above: a reload replaces both."""
    board: Board
    changed: Callable[[tuple[Change, ...]], None]
    """Called after every commit that changed incidents."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work."""
        return (Job("objectives", EVERY, self.look),)

    async def look(self) -> None:
        """Measure, then open and resolve what follows."""
        now, rules = self.clock.now(), self.rules()
        levels = self.config().slo
        turns = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*[self._measure(level, now, turns) for level in levels])
        names = {level.name for level in levels}
        for gone in self.board.of.keys() - names:
            del self.board.of[gone]
        due, standings = await self.store.read_now(
            lambda tx: objectives.watch_due(tx, rules, self.board, now)
        )
        self.board.keep(standings, now)
        if due:
            self.changed(await self.store.write(lambda tx: objectives.watch(tx, rules, self.board, now)))

    async def _measure(self, level: ServiceLevel, now: datetime, turns: asyncio.Semaphore) -> None:
        source, objective = level.promql, level.objective
        if source is None or objective.promql is None:
            return
        token = source.token.get_secret_value() if source.token is not None else None
        try:
            async with turns, asyncio.timeout(_WAIT_SECONDS):
                found = await measure(self.http, objective, objective.promql, token, now)
        except (PrometheusError, TimeoutError) as error:
            words = str(error) or f"no answer to all of its queries within {_WAIT_SECONDS} s"
            log.warning("objective_not_measured", slo=objective.name, error=words)
            # What was known a moment ago stays shown with its age; what is not known decides nothing.
            last = self.board.ratios(objective, now)
            at = self.board.of[objective.name].at if last is not None else now
            self.board.of[objective.name] = Measured(objective, at, last, words)
        else:
            self.board.of[objective.name] = Measured(objective, now, found)
