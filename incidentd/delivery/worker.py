"""The outbox worker: every channel on its own, so that one that hangs or is flooded holds up no other.

Nothing in memory decides whether somebody is told: rows are leased, sent and settled, and what is lost in between
comes back when its lease ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from incidentd.channels.base import Sender
from incidentd.clock import Clock, jitter
from incidentd.delivery.env import Env, Limits
from incidentd.delivery.herald import Herald
from incidentd.delivery.keeper import Keeper
from incidentd.delivery.line import ChannelHealth, Line
from incidentd.delivery.pump import Pump
from incidentd.delivery.traits import Plan, Traits
from incidentd.domain.ack_link import AckLinks
from incidentd.domain.destination import DestinationState
from incidentd.metrics import Metrics
from incidentd.store import leases
from incidentd.store.engine import Store
from incidentd.store.errors import StoreRejectedError, StoreUnavailableError
from incidentd.tracing import Tracer

__all__ = ["ChannelHealth", "Limits", "Worker"]

log = structlog.get_logger()


class Worker:
    """Sends what is in the outbox, at least once, in order within an incident and channel."""

    _running = False
    _stopping = False
    _main: asyncio.Task[None] | None = None
    _lines: dict[str, Line]
    _retiring: dict[asyncio.Task[None], Line]

    def __init__(  # noqa: PLR0913 - the composition root hands over each part by name
        self,
        store: Store,
        senders: Mapping[str, Sender],
        clock: Clock,
        metrics: Metrics,
        *,
        owner: str,
        instance: str,
        public_url: str,
        traits: Mapping[str, Traits] | None = None,
        limits: Limits | None = None,
        jitter: Callable[[], float] = jitter,
        noted: Callable[[], None] | None = None,
        ack_links: AckLinks | None = None,
        alertmanagers: Mapping[str, str] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """`owner` names this process, `instance` the installation; `noted` hears of new timeline entries.
        A channel that `traits` leaves out is one for people, without limits. `alertmanagers` has an address by source.
        """
        self._plan = Plan()
        self._env = Env(
            store,
            clock,
            metrics,
            owner,
            instance,
            public_url,
            limits or Limits(),
            jitter,
            self.wake,
            noted or (lambda: None),
            lambda: self._plan,
            ack_links,
            tracer,
        )
        self._lines, self._retiring = {}, {}
        self._open(senders, traits or {}, alertmanagers or {})
        self._keeper = Keeper(self._env, lambda: self._lines, self._held, self.wake)

    def start(self) -> None:
        """Begin: first take back what an earlier run left leased, then send."""
        self._main = asyncio.create_task(self._run(), name="delivery")

    async def _run(self) -> None:
        await self._keeper.take_over()
        self._running = True
        for line in self._lines.values():
            line.start()
        await self._keeper.run()

    def _held(self) -> set[int]:
        lines = [*self._lines.values(), *self._retiring.values()]
        return {row for line in lines for pump in line.pumps for row in pump.held}

    def wake(self) -> None:
        """Something was written to the outbox: look now, not at the next look."""
        for line in self._lines.values():
            line.poke()
        if any(line.gate.known.state is DestinationState.BROKEN for line in self._lines.values()):
            self._keeper.poke()  # a page for it is told over another one, and not only at the next round

    def _open(
        self, senders: Mapping[str, Sender], traits: Mapping[str, Traits], alertmanagers: Mapping[str, str]
    ) -> dict[str, Line]:
        """Use these from now on; the lines that are not used any more."""
        old, self._lines = self._lines, {}
        for name, sender in senders.items():
            own = traits.get(name, Traits())
            kept = old.get(name)
            if kept is not None and kept.sender is sender and kept.traits == own:
                self._lines[name] = old.pop(name)
                continue
            self._lines[name] = Line(self._env, name, sender, own)
            if self._running and not self._stopping:
                self._lines[name].start()
        self._plan = Plan(
            {name: line.traits.fallback for name, line in self._lines.items()},
            {name: sender.targets for name, sender in senders.items()},
            alertmanagers,
        )
        return old

    def replace_senders(
        self,
        senders: Mapping[str, Sender],
        traits: Mapping[str, Traits] | None = None,
        alertmanagers: Mapping[str, str] | None = None,
    ) -> None:
        """Use these from now on. Senders that are left out are closed when their last send has ended.

        A destination that was paused or called broken gets a new try: something about it may have been mended.
        """
        old = self._open(senders, traits or {}, alertmanagers or {})
        self._keeper.changed(old)
        for line in old.values():
            task = asyncio.create_task(self._retire(line), name="delivery-retire")
            self._retiring[task] = line
            task.add_done_callback(self._retiring.pop)

    async def _retire(self, line: Line) -> None:
        await line.end(None)

    async def stop(self, seconds: float) -> bool:
        """Take nothing more, wait for sends under way, close all senders, hand back the rest, within `seconds`.

        True if everything under way ended in time.
        """
        self._stopping = True
        if self._main is not None:
            self._main.cancel()
            await asyncio.wait({self._main})
        retiring = dict(self._retiring)
        ended = await asyncio.gather(
            *[line.end(seconds) for line in (*self._lines.values(), *retiring.values())]
        )
        if retiring:
            await asyncio.wait(retiring)
        now = self._env.clock.now()
        try:
            rows = await self._env.store.write(lambda tx: leases.hand_back(tx, self._env.owner, now))
        except (StoreUnavailableError, StoreRejectedError) as error:
            log.warning("leases_not_handed_back", error=str(error))  # they end by themselves
            return False
        log.info("delivery_stopped", clean=all(ended), handed_back=rows)
        return all(ended)

    def health(self) -> list[ChannelHealth]:
        """How each channel is doing, by name."""
        return [line.health for _, line in sorted(self._lines.items())]

    async def idle(self) -> None:
        """Return when nothing that is due waits or is under way. Tests wait with it instead of sleeping."""
        self.wake()
        self._keeper.poke()
        while resting := self._busy():
            await resting.wait()

    def _busy(self) -> asyncio.Event | None:
        parts: list[Keeper | Pump | Herald] = [
            self._keeper,
            *(loop for line in self._lines.values() for loop in line.loops),
        ]
        return next((part.resting for part in parts if not part.resting.is_set()), None)
