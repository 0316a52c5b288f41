"""What every part of the worker works with, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from incidentd.clock import Clock, jitter
from incidentd.delivery.traits import Plan
from incidentd.domain.ack_link import AckLinks
from incidentd.metrics import Metrics
from incidentd.store.engine import Store
from incidentd.tracing import Tracer


def _nobody() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the worker. The lease outlasts the longest queueing and the longest send together."""

    slots: int = 4
    """Sends of one channel at once: so many for pages, and as many again for everything else."""
    claimed_per_slot: int = 4
    """Rows taken at once for each free slot: one commit for several sends."""
    queued: timedelta = timedelta(seconds=1)
    """A taken row that did not start within this is given back: nobody is paged longer after an acknowledgement."""
    send: float = 21
    """Seconds after which a send counts as ambiguous. Senders end by themselves before that; this guards against a
    fault in one."""
    lease: timedelta = timedelta(seconds=25)
    look: float = 1
    """Seconds between looks at the outbox when nobody calls: what another replica wrote is found by them."""
    tidy: float = 5
    """Seconds between looks for expired leases and for rows of channels that are gone."""
    undelivered: timedelta = timedelta(seconds=60)
    """How long a page may wait before somebody else is told in its place."""
    orphaned: timedelta = timedelta(minutes=5)
    """How long a row waits for a channel that is not configured: replicas are not restarted all at once."""


@dataclass(frozen=True, slots=True)
class Env:
    """The worker's surroundings."""

    store: Store
    clock: Clock
    metrics: Metrics
    owner: str
    """Names this process in leases."""
    instance: str
    """Names this installation in vendor keys; never changes."""
    public_url: str
    limits: Limits = field(default_factory=Limits)
    jitter: Callable[[], float] = jitter
    wake: Callable[[], None] = _nobody
    """Called when rows were written for other channels."""
    noted: Callable[[], None] = _nobody
    """Called after a commit that wrote into timelines."""
    plan: Callable[[], Plan] = Plan
    """Who stands in for whom, by the configuration in force."""
    ack_links: AckLinks | None = None
    """Makes the links that acknowledge."""
    tracer: Tracer | None = None
