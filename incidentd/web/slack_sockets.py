"""Which Socket Mode connections there are: one for each app of the configuration in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from incidentd.channels.slack import SlackConfig
from incidentd.config import Config
from incidentd.web.context import Context
from incidentd.web.slack_door import SlackDoor
from incidentd.web.slack_socket import Line, SlackSocket

_LOOK_SECONDS: Final = 5.0
"""How long a new configuration may go unnoticed when nobody rings."""


@dataclass(frozen=True, slots=True)
class _Open:
    config: SlackConfig
    socket: SlackSocket
    task: asyncio.Task[None]

    async def close(self) -> None:
        await self.socket.stop()
        # A connection that is just being opened is not waited for.
        await asyncio.wait({self.task}, timeout=1)
        self.task.cancel()
        await asyncio.wait({self.task})


class SlackSockets:
    """Opens and closes connections as the configuration says."""

    def __init__(self, context: Context, door: SlackDoor) -> None:
        self._context = context
        self._door = door
        self._open: dict[tuple[str, str], _Open] = {}
        self._config: Config | None = None
        self._look = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._context.noted.heed(self._look.set)
        self._task = asyncio.create_task(self._follow(), name="slack sockets")

    def lines(self) -> list[Line]:
        """How every connection is doing."""
        return [each.socket.line for each in self._open.values()]

    async def close(self) -> None:
        """End every connection, after what came over it is done."""
        self._context.noted.ignore(self._look.set)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._close(list(self._open))

    async def _follow(self) -> None:
        while True:
            if self._config is not self._context.config:
                self._config = self._context.config
                await self._match(self._config)
            await self._context.clock.wait(self._look, _LOOK_SECONDS)
            self._look.clear()

    async def _match(self, config: Config) -> None:
        wanted: dict[tuple[str, str], tuple[str, SlackConfig]] = {}
        for name, channel in config.channels.items():
            if (
                isinstance(channel, SlackConfig)
                and channel.mode == "socket"
                and channel.app_token is not None
            ):
                # Several channels of one app share its connection.
                wanted.setdefault((channel.app_token.get_secret_value(), channel.base_url), (name, channel))
        await self._close(
            [k for k, each in self._open.items() if k not in wanted or wanted[k][1] != each.config]
        )
        for key, (name, channel) in wanted.items():
            if key not in self._open:
                socket = SlackSocket(name, channel, self._door, self._context.http, self._context.clock)
                task = asyncio.create_task(socket.run(), name=f"slack socket {name}")
                self._open[key] = _Open(channel, socket, task)

    async def _close(self, keys: list[tuple[str, str]]) -> None:
        gone = [self._open.pop(key) for key in keys]
        await asyncio.gather(*(each.close() for each in gone))
