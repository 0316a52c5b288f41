"""The application, and the hardening of aiohttp's server that it needs."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Final

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestHandler

from incidentd.clock import random_id
from incidentd.security_events import Activity, SecurityEvent
from incidentd.web import openapi
from incidentd.web.context import CONTEXT, Context
from incidentd.web.desk import DESK, Desk
from incidentd.web.headers import PROBLEM, bare
from incidentd.web.middleware import enter, outer, refuse
from incidentd.web.op import Op
from incidentd.web.problems import Problem
from incidentd.web.quick import Quick
from incidentd.web.routes import OPS
from incidentd.web.status_ops import EVERYBODYS

KEEPALIVE_SECONDS: Final = 900.0
"""Idle connections are cut after this long. Alertmanager's client gives them up after five minutes, so it never
posts into one that is being closed."""
HEADER_SECONDS: Final = 5.0
"""How long a client may take to send its request's headers; then the connection is cut."""


_LOOK_AGAIN_SECONDS: Final = 0.1
_OTHER_FILES: Final = 256
"""Descriptors that are kept for the database, deliveries and logs."""
_FEWEST: Final = 64
QUICK: web.AppKey[Quick | None] = web.AppKey("quick", Quick)

Inner = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def build(context: Context) -> web.Application:
    """The application that serves `context`. After `runner.setup()`, `harden` the runner."""
    desk = Desk.of(context, _document)
    moved = EVERYBODYS if context.config.status_page.listen is not None else ()
    app = _serving(desk, [op for op in OPS if op not in moved])
    app[QUICK] = Quick(desk) if not moved else None
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_stopping)
    return app


@cache
def _document() -> bytes:
    return openapi.render(OPS)


def build_public(whole: web.Application) -> web.Application:
    """What serves the public page and nothing else, of the daemon that `whole` serves. `harden` its runner too."""
    app = _serving(whole[DESK], EVERYBODYS)
    app[QUICK] = Quick(whole[DESK])
    return app


def _serving(desk: Desk, served: Sequence[Op]) -> web.Application:
    ops: dict[web.AbstractRoute, Op] = {}
    app = web.Application(middlewares=[outer(desk, ops)])
    app[CONTEXT] = desk.context
    app[DESK] = desk
    for op in served:
        handler = enter(desk, op)
        for path in (op.path, *op.also):
            for method in op.methods:
                route = app.router.add_route(method, path, handler, expect_handler=_expected)
                ops[route] = op
    return app


async def _expected(request: web.Request) -> None:
    # aiohttp's own runs ahead of the middleware and answers 417 without our headers. RFC 9110 lets a server ignore
    # what it does not know.
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # It is no part of the answer: once something is written, errors cannot be answered any more.
        request.writer.output_size = 0


async def _running(app: web.Application) -> AsyncIterator[None]:
    desk = app[DESK]
    desk.hub.start()
    desk.lag.start()
    desk.context.metrics.loop_lag.set_function(lambda: desk.lag.worst)
    desk.sockets.start()
    desk.status.start()
    yield
    await desk.close()


async def _stopping(app: web.Application) -> None:
    # Event streams end by themselves then; otherwise they would hold the shutdown up to its limit.
    app[CONTEXT].stopping.set()


class DeadlineHandler(RequestHandler):
    """One connection, which is cut when the headers of a request do not come in time.

    aiohttp has no such limit, and a client that sends a byte a minute would hold its connection for ever. This
    leans on private names of aiohttp: a test proves at every update that it still works.
    """

    __slots__ = ("_desk", "_header_timer", "_whole")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time."""
        super().connection_made(transport)
        self._header_timer: asyncio.TimerHandle | None = None
        self._whole = False
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Stop the time once a complete header is in, start it at the first bytes of the next one."""
        if self._at_rest and (ready := self._ready(data)) is not None:
            self._send(ready)
            return
        # Behind a whole request may stand the beginning of the next one, which aiohttp keeps to itself.
        self._whole = data.endswith(b"\r\n\r\n")
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self._disarm()
        else:
            self._arm()

    @property
    def _at_rest(self) -> bool:
        """An answer was given, the client keeps the connection, and nothing of another request has come yet."""
        waiter = self._waiter
        idle = self._whole and waiter is not None and not waiter.done() and self._header_timer is None
        # aiohttp's own timer of an idle connection runs from its first answer on.
        return idle and self._keepalive_handle is not None and not (self._force_close or self._close)

    def _ready(self, data: bytes) -> bytes | None:
        """The answer to `data` if it is ready; never to a client that does not read what it got."""
        manager, transport = self._manager, self.transport
        if not isinstance(manager, DeadlineServer) or transport is None or transport.get_write_buffer_size():
            return None
        quick = None if manager.desk.context.stopping.is_set() else manager.quick
        if quick is None:
            return None
        peer = transport.get_extra_info("peername")
        return quick.answer(data, str(peer[0] if isinstance(peer, list | tuple) else peer))

    def _send(self, answer: bytes) -> None:
        assert self.transport is not None  # noqa: S101 - for the type checker: `_ready` has looked
        self._next_keepalive_close_time = self._loop.time() + KEEPALIVE_SECONDS
        self.transport.write(answer)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the time."""
        self._disarm()
        super().connection_lost(exc)

    @property
    def idle(self) -> bool:
        """True between two requests: nobody loses anything if it is cut."""
        return self._header_timer is None and self._current_request is None and not self._messages

    def _arm(self) -> None:
        if self._header_timer is None:
            self._header_timer = self._loop.call_later(self._header_seconds(), self._expire)

    def _header_seconds(self) -> float:
        manager = self._manager
        return manager.header_seconds if isinstance(manager, DeadlineServer) else HEADER_SECONDS

    def _disarm(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _expire(self) -> None:
        self._header_timer = None
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer illegal framing as any other problem, and log one short line: aiohttp's has a whole traceback."""
        manager = self._manager
        if isinstance(manager, DeadlineServer):
            kind = type(exc).__name__ if exc is not None else message
            manager.desk.seldom.warn("http_framing", status=status, error=kind)
            if status == 400:
                manager.desk.context.metrics.suspicious(Activity.FRAMING)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        request_id = random_id()
        headers = bare()
        headers["Content-Type"], headers["X-Request-ID"] = PROBLEM, request_id
        detail = "this is not a legal HTTP request" if status == 400 else ""
        body = orjson.dumps(Problem(status, detail).document(request_id))
        response = web.Response(body=body, status=status, headers=headers)
        response.force_close()
        return response


class DeadlineServer(web.Server):
    """Makes the connections above."""

    desk: Desk
    quick: Quick | None
    """None: the public page is served elsewhere."""
    header_seconds: float
    max_connections: int
    _full_at: float

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Keep room for those who have something to say: an idle connection goes first, else the new one."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self.max_connections:
            return
        metrics = self.desk.context.metrics
        metrics.rate_limit_hits.labels("connections").inc()
        metrics.security_event(SecurityEvent.RATE_LIMITED)
        self.desk.seldom.warn("too_many_connections", most=self.max_connections)
        idle = self._idle(handler)
        victim = idle.transport if idle is not None and idle.transport is not None else transport
        # Not at once: the new connection's task has to begin before it can end.
        self._loop.call_soon(victim.abort)

    def _idle(self, new: RequestHandler) -> DeadlineHandler | None:
        now = self._loop.time()
        if now - self._full_at < _LOOK_AGAIN_SECONDS:
            return None
        for each in self._connections:
            if each is not new and isinstance(each, DeadlineHandler) and each.idle:
                return each
        self._full_at = now  # looking through all of them for every new one would be what a flood wants
        return None

    def __call__(self) -> RequestHandler:
        """A handler for one new connection."""
        return DeadlineHandler(self, loop=self._loop, **self._kwargs)


def _complete(desk: Desk, inner: Inner) -> Inner:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await inner(request)
        except web.HTTPExpectationFailed:
            # Of paths that are not in the table, which have aiohttp's own handler of `Expect`.
            return refuse(desk, random_id(), Problem(417, "accepted: 100-continue"))

    return handle


def most_connections(configured: int) -> int:
    """As many as configured, else what the limit of open files leaves room for."""
    if configured:
        return configured
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - _OTHER_FILES, _FEWEST) if soft > 0 else 2**31


def harden(runner: web.AppRunner, header_seconds: float = HEADER_SECONDS) -> None:
    """Header deadline, own decompression, and quiet, complete answers to illegal requests.

    Call it after `runner.setup()` and before a site is started. Bodies must arrive as they were sent, because
    only then can credentials come first and the decompressed size be counted.
    """
    server: Any = runner.server
    server.__class__ = DeadlineServer
    server.request_handler = _complete(runner.app[DESK], server.request_handler)
    server.desk = runner.app[DESK]
    server.quick = runner.app[QUICK]
    server.header_seconds = header_seconds
    server.max_connections = most_connections(runner.app[CONTEXT].config.server.max_connections)
    server._full_at = -_LOOK_AGAIN_SECONDS  # noqa: SLF001 - our own
    server._kwargs |= {"auto_decompress": False, "keepalive_timeout": KEEPALIVE_SECONDS}  # noqa: SLF001 - its only door
