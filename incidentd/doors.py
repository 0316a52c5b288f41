"""Where the daemon is reached: its own address, and, if the configuration says so, one for the public page alone.

Ports are taken before anything else is started, and serve once everything is there.
"""

from __future__ import annotations

import socket

import structlog
from aiohttp import web

from incidentd import sockets
from incidentd.config import Config
from incidentd.lifecycle import Lifecycle, at_once
from incidentd.web.context import Context
from incidentd.web.server import build, build_public, harden

log = structlog.get_logger()


class Doors:
    """The listeners of one daemon; `lifecycle` closes them."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._own: list[socket.socket] = []
        self._public: list[socket.socket] = []
        self.public_url = ""
        """Of the public page's own listener; empty: there is none."""

    def take(self, config: Config) -> int:
        """Bind every address; the port of the daemon's own. Raises `StartError` if one is taken."""
        self._own = self._bound(config.server.host, config.server.port, "port")
        listen = config.status_page.listen
        if listen is not None:
            self._public = self._bound(listen.host, listen.port, "port of the status page")
            self.public_url = sockets.url_of(listen.host, sockets.port_of(self._public))
        return sockets.port_of(self._own)

    def _bound(self, host: str, port: int, what: str) -> list[socket.socket]:
        taken = sockets.bind(host, port)
        self._lifecycle.started(what, at_once(lambda: sockets.close(taken)))
        return taken

    async def open(self, context: Context, shutdown_seconds: float) -> None:
        """Begin to answer."""
        # A part of the time for requests to end by themselves; aiohttp waits the same again after cancelling them.
        seconds = shutdown_seconds / 5
        own = build(context)
        await self._serve(own, self._own, seconds, "http server")
        if self._public:
            await self._serve(build_public(own), self._public, seconds, "http server of the status page")
            log.info("status_page_listens", url=self.public_url)

    async def _serve(
        self, app: web.Application, taken: list[socket.socket], seconds: float, what: str
    ) -> None:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=seconds)
        await runner.setup()
        harden(runner)
        self._lifecycle.started(what, lambda _: runner.cleanup())
        for each in taken:
            await web.SockSite(runner, each, backlog=1024).start()
