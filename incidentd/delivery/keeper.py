"""The loop that tidies the outbox: leases whose sender is gone, rows whose channel is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

import structlog

from incidentd.delivery import notes, report
from incidentd.delivery.env import Env
from incidentd.delivery.fallback import FellBack, Lost, fall_back
from incidentd.delivery.trouble import Trouble
from incidentd.delivery.unneeded import Closed
from incidentd.domain.destination import DestinationState
from incidentd.domain.notification import DeliveryState
from incidentd.store import destinations, leases, outbox, pages
from incidentd.store.engine import Tx

_AT_ONCE = 200
"""Rows handled in one unit of work: intake waits behind it."""

log = structlog.get_logger()


def bury(tx: Tx, channel: str, before: datetime, now: datetime) -> list[Closed]:
    """Give up what has waited since `before` for `channel`, which is not configured here.

    A part of it; empty when nothing is left. Judged row by row, for another replica may know the channel already.
    """
    reason = f"channel {channel} is not configured any more"
    closed = [
        Closed(row, DeliveryState.DEAD, reason) for row in outbox.pending_of(tx, channel, before, _AT_ONCE)
    ]
    outbox.close_unsent(tx, [(c.delivery.id, c.state, c.reason) for c in closed])
    notes.write_missed(tx, [(c.delivery, c.reason) for c in closed], now)
    return closed


def _broken_if_waiting(tx: Tx, before: datetime) -> tuple[list[str]] | None:
    """The broken destinations, if pages wait for one of them or since `before`."""
    broken = [d.channel for d in destinations.all_of(tx) if d.state is DestinationState.BROKEN]
    return (broken,) if pages.any_unanswered(tx, before, broken) else None


class Keeper:
    """Looks every few seconds; writes only if a read found something to do."""

    def __init__(
        self,
        env: Env,
        configured: Callable[[], Collection[str]],
        held: Callable[[], Collection[int]],
        freed: Callable[[], None],
    ) -> None:
        """`configured`: the open channels; `held`: the rows we work on; `freed` is called when rows came back."""
        self._held = held
        self._env = env
        self._configured = configured
        self._freed = freed
        self._wake = asyncio.Event()
        self._never = asyncio.Event()
        self._unknown_since: dict[str, datetime] = {}
        self._changed: set[str] | None = None
        """After a reload: the channels that are gone or different."""
        self.resting = asyncio.Event()
        """Set while there is nothing to tidy."""

    def poke(self) -> None:
        """Look now."""
        self.resting.clear()
        self._wake.set()

    def changed(self, channels: Iterable[str]) -> None:
        """The configuration is a new one, and these channels are gone or different."""
        self._changed = {*(self._changed or ()), *channels}
        self.poke()

    async def take_over(self) -> None:
        """Take back what an earlier run left leased. Returns when it is done, however long the database is away."""
        trouble = Trouble(self._env.clock, "start")
        while True:
            try:
                rows = await self._env.store.write(self._returned)
            except Exception as error:  # noqa: BLE001 - the database may be back in a moment
                await self._env.clock.wait(self._never, trouble.pause(error))
                continue
            trouble.over()
            if rows:
                log.info("leases_taken_over", rows=rows)
            return

    def _returned(self, tx: Tx) -> int:
        now = self._env.clock.now()
        # Somebody may have mended what was broken while we were away.
        destinations.retry_now(tx, sorted(self._configured()), now)
        # A SQLite file has one daemon: whoever held these leases is gone, however long they still run.
        return leases.hand_back_expired(tx, now) if tx.postgresql else leases.hand_back_all(tx, now)

    async def run(self) -> None:
        """Tidy until cancelled."""
        trouble = Trouble(self._env.clock, "tidy")
        while True:
            self._wake.clear()
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 - tidying must go on when it is over
                await self._env.clock.wait(self._never, trouble.pause(error))
                continue
            trouble.over()
            if not self._wake.is_set():
                self.resting.set()
            await self._env.clock.wait(self._wake, self._env.limits.tidy)

    async def _round(self) -> None:
        now = self._env.clock.now()
        await self._heed_changes(now)
        await self._fall_back(now)
        held = self._held()
        expired, waiting = await self._env.store.read_now(
            lambda tx: (leases.has_expired(tx, now, held), outbox.pending_channels(tx))
        )
        if expired:
            rows = await self._env.store.write(lambda tx: leases.hand_back_expired(tx, now, held))
            log.warning("leases_expired", rows=rows)
            self._freed()
        unknown = waiting - set(self._configured())
        self._unknown_since = {channel: self._unknown_since.get(channel, now) for channel in unknown}
        for channel, since in self._unknown_since.items():
            if now - since >= self._env.limits.orphaned:
                await self._bury(channel, now)

    async def _heed_changes(self, now: datetime) -> None:
        changed = self._changed
        if changed is None:
            return
        configured = sorted(self._configured())

        def work(tx: Tx) -> None:
            destinations.forget(tx, sorted(changed))
            destinations.retry_now(tx, configured, now)
            for channel in changed.intersection(configured):
                pages.hurry(tx, channel, now)  # what the old one was asked to wait for

        await self._env.store.write(work)
        if self._changed is changed:
            self._changed = None
        self._freed()

    async def _fall_back(self, now: datetime) -> None:
        """Tell somebody else of pages that did not get through in time."""
        before = now - self._env.limits.undelivered
        while broken := await self._env.store.read_now(lambda tx: _broken_if_waiting(tx, before)):
            fell_back = await self._env.store.write(
                partial(self._told_instead, before=before, broken=broken[0])
            )
            report.of_fallback(self._env.metrics, fell_back)
            if fell_back.noted:
                self._env.noted()
            if fell_back.told:
                self._freed()

    def _told_instead(self, tx: Tx, before: datetime, broken: Sequence[str]) -> FellBack:
        seconds = int(self._env.limits.undelivered.total_seconds())
        waited = f"not delivered for {seconds} s"
        lost = [
            Lost(row, "its destination is broken" if row.channel in broken else waited)
            for row in pages.unanswered(tx, before, broken, _AT_ONCE)
        ]
        return fall_back(tx, lost, self._env.plan(), self._env.clock.now())

    async def _bury(self, channel: str, now: datetime) -> None:
        before = now - self._env.limits.orphaned
        while closed := await self._env.store.write(lambda tx: bury(tx, channel, before, now)):
            report.of_closed(self._env.metrics, closed)
            self._env.noted()
