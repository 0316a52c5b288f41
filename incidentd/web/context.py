"""What handlers work with: one value per daemon, handed to the application under a typed key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

from incidentd.audit.keys import SigningKey
from incidentd.channels.base import Http
from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.delivery.worker import ChannelHealth
from incidentd.domain.ack_link import AckLinks
from incidentd.domain.incident import Change
from incidentd.metrics import Metrics
from incidentd.runbooks.library import Library
from incidentd.store.engine import Store
from incidentd.tracing import Telemetry
from incidentd.workflows.journal import Spool
from incidentd.workflows.objectives import Board
from incidentd.workflows.receive import Receipt, Submission
from incidentd.workflows.reconcile import Heard
from incidentd.workflows.rules import Rules


class Intake(Protocol):
    """The bounded queue in front of the one writer."""

    def refuses(self, source: str) -> bool:
        """True if nothing of `source` would be taken now: its post need not even be read."""
        ...

    async def submit(self, submission: Submission) -> Receipt:
        """Return after the commit; raise `IntakeFullError` or `StoreUnavailableError` if it is not durable."""
        ...


class Bell:
    """Calls everybody who wants to know, at once. A listener must be quick and raise nothing."""

    def __init__(self) -> None:
        self._listeners: set[Callable[[], None]] = set()

    def heed(self, listener: Callable[[], None]) -> None:
        """Call `listener` from now on."""
        self._listeners.add(listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.discard(listener)

    def ring(self) -> None:
        """Call them all."""
        for listener in tuple(self._listeners):
            listener()


@dataclass(slots=True)
class Context:
    """The daemon as handlers see it. `config` and `rules` are replaced whole by a reload."""

    config: Config
    rules: Rules
    store: Store
    intake: Intake
    clock: Clock
    metrics: Metrics
    http: Http
    """For answers to what vendors send."""
    changed: Callable[[tuple[Change, ...]], None]
    """Call after every commit that changed incidents: counts, wakes the outbox and the event stream."""
    channel_health: Callable[[], list[ChannelHealth]]
    reload: Callable[[], Awaitable[list[str]]]
    """Load the configuration again; the problems, empty if it is in force."""
    started_at: float
    """Monotonic."""
    config_path: Path | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    noted: Bell = field(default_factory=Bell)
    """Rung whenever the timeline grew in this process, or the configuration changed."""
    queued: Callable[[], int] = lambda: 0
    """Alerts that wait for their commit."""
    heard: Heard = field(default_factory=Heard)
    """Which of Alertmanager's receivers post here."""
    journal: Spool = field(default_factory=Spool)
    """Bodies that were taken and wait to be kept."""
    library: Library | None = None
    """The runbooks in force; None: there are none."""
    board: Board = field(default_factory=Board)
    """What Prometheus last said of the objectives."""
    ack_links: AckLinks | None = None
    """Checks the links that acknowledge from a mail; None refuses them all."""
    audit_key: SigningKey | None = None
    """Signs exports of the audit log; None refuses them."""
    instance: str = ""
    """The name of this daemon, or of its replicas together."""
    telemetry: Telemetry = field(default_factory=Telemetry)
    """Who traces, and how what carries telemetry away is doing."""


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
