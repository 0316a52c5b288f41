"""The journal's clockwork: writing what has gathered, forgetting what is old, and a last time at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.jobs.scheduler import Job
from incidentd.store.engine import Store
from incidentd.workflows.journal import Spool, prune


@dataclass(frozen=True, slots=True)
class Journaling:
    """The jobs that keep the journal."""

    store: Store
    clock: Clock
    spool: Spool
    config: Callable[[], Config]
    """That in force: a reload replaces it."""
    stopping: asyncio.Event

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("journal", timedelta(seconds=2), self.write),
            Job("journal_prune", timedelta(minutes=10), self.prune),
        )

    async def write(self) -> None:
        """Write what waits, once it is worth a frame or has waited for a while."""
        if self.spool.due(self.clock.now()):
            await self.spool.write_all(self.store)

    async def prune(self) -> None:
        """Forget what is too old, or more than the journal may take."""
        await prune(self.store, self.config().journal, self.clock.now(), self.stopping.is_set)

    async def stop(self, _: float) -> None:
        """Write what still waits."""
        await self.spool.write_all(self.store)
