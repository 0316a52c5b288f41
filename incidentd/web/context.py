"""What handlers work with: one value per daemon, handed to the application under a typed key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

from incidentd.clock import Clock
from incidentd.config import Config
from incidentd.delivery.worker import ChannelHealth
from incidentd.domain.incident import Change
from incidentd.metrics import Metrics
from incidentd.store.engine import Store
from incidentd.workflows.receive import Receipt, Submission
from incidentd.workflows.rules import Rules


class Intake(Protocol):
    """The bounded queue in front of the one writer."""

    async def submit(self, submission: Submission) -> Receipt:
        """Return after the commit; raise `IntakeFullError` or `StoreUnavailableError` if it is not durable."""
        ...


@dataclass(slots=True)
class Context:
    """The daemon as handlers see it. `config` and `rules` are replaced whole by a reload."""

    config: Config
    rules: Rules
    store: Store
    intake: Intake
    clock: Clock
    metrics: Metrics
    changed: Callable[[tuple[Change, ...]], None]
    """Call after every commit that changed incidents: counts, wakes the outbox and the event stream."""
    channel_health: Callable[[], list[ChannelHealth]]
    reload: Callable[[], Awaitable[list[str]]]
    """Load the configuration again; the problems, empty if it is in force."""
    started_at: float
    """Monotonic."""
    config_path: Path | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    noted: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Notified whenever the timeline grew in this process."""
    queued: Callable[[], int] = lambda: 0
    """Alerts that wait for their commit."""


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
