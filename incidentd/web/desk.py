"""What the handlers of one application share beside the daemon's context: caches, budgets, counters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import structlog
from aiohttp import web
from multidict import CIMultiDict
from prometheus_client import Counter, Histogram

from incidentd.clock import Clock
from incidentd.metrics import Metrics
from incidentd.security_events import Activity, SecurityEvent
from incidentd.web.auth import Authenticator
from incidentd.web.body import ByteBudget
from incidentd.web.context import Context
from incidentd.web.headers import Headers
from incidentd.web.hub import Hub
from incidentd.web.loop_lag import LoopLag
from incidentd.web.oidc_door import OidcDoor
from incidentd.web.problems import LimitReached, Problem
from incidentd.web.slack_door import SlackDoor
from incidentd.web.slack_sockets import SlackSockets
from incidentd.web.status_page import StatusCache
from incidentd.web.throttle import Guesses, Rates
from incidentd.web.write_probe import WriteProbe
from incidentd.workflows.passwords import Passwords

log = structlog.get_logger()

SELDOM_SECONDS: Final = 10.0
_HASHES_AT_ONCE: Final = 2
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Seldom:
    """Log lines of which one in ten seconds is enough: a flood must not become a flood of lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def log(self, level: int, event: str, **values: Any) -> None:  # noqa: ANN401 - structlog takes any value
        """Log `event` unless it was logged just now; the next line says how many were left out."""
        now = self._clock.monotonic()
        last = self._last.get(event)
        if last is not None and now - last < SELDOM_SECONDS:
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        self._last[event] = now
        log.log(level, event, left_out=self._left_out.pop(event, 0), **values)

    def warn(self, event: str, **values: Any) -> None:  # noqa: ANN401 - as above
        """Log at warning level."""
        self.log(logging.WARNING, event, **values)


class HttpMetrics:
    """Series of the HTTP metrics, looked up once per combination: `labels()` is too slow for every request."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._webhooks: dict[tuple[str, int], Counter] = {}
        self.in_flight = 0
        metrics.http_in_flight.set_function(lambda: self.in_flight)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is a template of the table, never a path."""
        key = (method, route, status)
        pair = self._answered.get(key)
        if pair is None:
            labels = (method if method in _METHODS else "other", route, str(status))
            pair = (self._metrics.http_requests.labels(*labels), self._metrics.http_seconds.labels(*labels))
            if method in _METHODS:
                self._answered[key] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def refused(self, route: str, problem: Problem) -> None:
        """Count a refusal that watchers of the attack surface want to see."""
        if isinstance(problem, LimitReached):
            self._metrics.rate_limit_hits.labels(route).inc()
            self._metrics.security_event(SecurityEvent.RATE_LIMITED)
        elif problem.status == 413:
            self._metrics.security_event(SecurityEvent.OVERSIZE)
        elif problem.status == 408:
            self._metrics.suspicious(Activity.SLOW_BODY)

    def webhook(self, source: str, status: int) -> None:
        """Count the answer to an alert webhook."""
        key = (source, status)
        child = self._webhooks.get(key)
        if child is None:
            child = self._webhooks[key] = self._metrics.webhook_requests.labels(source, str(status))
        child.inc()


class Turns(asyncio.Semaphore):
    """Turns at something heavy, and how many wait for theirs."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.waiting = 0

    async def acquire(self) -> Literal[True]:
        """Wait for a turn."""
        self.waiting += 1
        try:
            return await super().acquire()
        finally:
            self.waiting -= 1


@dataclass(slots=True)
class Desk:
    """One application's own things."""

    context: Context
    auth: Authenticator
    http: HttpMetrics
    seldom: Seldom
    hub: Hub
    status: StatusCache
    probe: WriteProbe
    slack: SlackDoor
    sockets: SlackSockets
    openapi: Callable[[], bytes]
    """Makes the document, once; it takes a while."""
    rates: Rates
    """Of clients at what is public."""
    guesses: Guesses
    """Wrong passwords."""
    oidc: OidcDoor
    lag: LoopLag = field(default_factory=LoopLag)
    hashing: Turns = field(default_factory=lambda: Turns(_HASHES_AT_ONCE))
    """At passwords: each costs a tenth of a second of a core and 64 MiB."""
    passwords: Passwords = field(default_factory=Passwords)
    bodies: ByteBudget = field(default_factory=ByteBudget)
    """Of alert webhooks."""
    downloads: int = 0
    """Exports of the audit log that are being fetched."""
    series: dict[tuple[Counter, str, str], Counter] = field(default_factory=dict)
    """Of alerts, by source and by status or reason: two sets of words that have none in common."""
    _headers: Headers = field(default_factory=Headers)

    @classmethod
    def of(cls, context: Context, openapi: Callable[[], bytes]) -> Desk:
        """A desk for a daemon."""
        slack = SlackDoor(context)
        hub = Hub(context)
        return cls(
            context=context,
            auth=Authenticator(context, hub.wake),
            http=HttpMetrics(context.metrics),
            seldom=Seldom(context.clock),
            hub=hub,
            status=StatusCache(context),
            probe=WriteProbe(context),
            slack=slack,
            sockets=SlackSockets(context, slack),
            openapi=openapi,
            rates=Rates(context.clock, lambda: context.config.server.public_rate),
            guesses=Guesses(context.clock),
            oidc=OidcDoor(context),
        )

    async def close(self) -> None:
        """End what runs in the background."""
        self.lag.close()
        await self.sockets.close()
        await self.slack.close()
        await self.hub.close()
        await self.auth.close()
        await self.status.close()
        await self.probe.close()

    def headers(self, request_id: str, content_type: str) -> CIMultiDict[str]:
        """A fresh set of the headers that every answer has."""
        return self._headers.copy(self.context.config, request_id, content_type)


DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
"""The id that answer, log and quarantine share."""
ACTOR: web.RequestKey[str] = web.RequestKey("actor", str)
SOURCE: web.RequestKey[str] = web.RequestKey("source", str)
"""Whose alerts a webhook carries."""
