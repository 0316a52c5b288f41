"""The status page's clockwork: drafts and their course, maintenance by time, and the count of days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from incidentd.clock import Clock, random_id
from incidentd.domain.incident import Change
from incidentd.jobs.scheduler import Job
from incidentd.store.engine import Store
from incidentd.workflows import public_maintenance, public_page, publishing
from incidentd.workflows.rules import Rules


def public_code() -> str:
    """A fresh one: twelve letters and digits, drawn, so that nobody can count incidents by them."""
    return random_id()[:12]


@dataclass(frozen=True, slots=True)
class StatusPages:
    """The jobs of the page."""

    store: Store
    clock: Clock
    rules: Callable[[], Rules]
    """Those in force: a reload replaces them."""
    changed: Callable[[tuple[Change, ...]], None]
    """Called after every commit that changed something of the page."""
    stopping: Callable[[], bool]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Name, interval and work of each."""
        return (
            Job("status_page", timedelta(seconds=1), self.look),
            Job("uptime", timedelta(seconds=5), self.count),
        )

    async def look(self) -> None:
        """Follow the incidents, batch by batch, and the clock."""
        now, rules = self.clock.now(), self.rules()
        while not self.stopping() and await self.store.read_now(lambda tx: publishing.due(tx, rules, now)):
            self.changed(await self.store.write(lambda tx: publishing.look(tx, rules, now, public_code)))
        if await self.store.read_now(lambda tx: public_maintenance.due(tx, now)):
            await self.store.write(lambda tx: public_maintenance.run(tx, rules.layout, now, public_code))
            self.changed(())

    async def count(self) -> None:
        """Count how long each component was in which state."""
        now, layout = self.clock.now(), self.rules().layout
        if not layout.parts:
            return
        if await self.store.read_now(lambda tx: public_page.count_due(tx, layout, now)):
            await self.store.write(lambda tx: public_page.count(tx, layout, now))
            self.changed(())
