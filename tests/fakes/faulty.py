"""A server that fails in every way a network, a proxy or a vendor can: one fault, the same for every connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

_LINGER = struct.pack("ii", 1, 0)
"""Closing then means a reset, as of a process that was killed or a firewall that has had enough."""
_STEP = 0.05
"""Seconds between the bytes of an answer that drips."""


class Connection:
    """One connection of whoever is examined."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, leaving: asyncio.Event
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._leaving = leaving

    async def request(self) -> bytes:
        """Read one HTTP request to its end; its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return await self.reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)

    def reset(self) -> None:
        """End the connection as the network does."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.writer.transport.abort()

    async def silence(self) -> None:
        """Say nothing, until the test is over."""
        await self._leaving.wait()

    async def drip(self, text: bytes) -> None:
        """Say `text` again and again, a byte at a time: never long enough silent to be called so."""
        while not self._leaving.is_set():
            for number in text:
                self.writer.write(bytes([number]))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), _STEP)


Fault = Callable[[Connection], Awaitable[None]]


class FaultyServer:
    """`async with FaultyServer(fault) as server`, then `server.port` and `server.connections`."""

    def __init__(self, fault: Fault, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.connections = 0
        self._fault = fault
        self._tls = tls
        self._leaving = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._server.close()
        if self._talks:
            await asyncio.wait(self._talks, timeout=2)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._talk(Connection(reader, writer, self._leaving)))
        self._talks.add(task)
        await asyncio.wait({task})

    async def _talk(self, connection: Connection) -> None:
        try:
            await self._fault(connection)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the other side had enough of it
        finally:
            connection.writer.close()


def answers(status: int, body: bytes = b"", **headers: str) -> Fault:
    """A whole answer; `headers` are named with underscores."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode()

    async def fault(connection: Connection) -> None:
        await connection.request()
        connection.writer.write(head if status in {204, 304} else head + body)
        await connection.writer.drain()

    return fault


def says(text: bytes) -> Fault:
    """These bytes, whatever they are, and the end of the connection."""

    async def fault(connection: Connection) -> None:
        await connection.request()
        connection.writer.write(text)

    return fault


async def reset_at_once(connection: Connection) -> None:
    """Nothing is read."""
    connection.reset()


async def reset_after_request(connection: Connection) -> None:
    """It was read, and may have been acted upon."""
    await connection.request()
    connection.reset()


async def closed_after_request(connection: Connection) -> None:
    """As of a proxy whose upstream is gone."""
    await connection.request()


async def speaks_no_tls(connection: Connection) -> None:
    """A port for plain HTTP, spoken to in TLS."""
    await connection.reader.read(65536)
    connection.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def silent(connection: Connection) -> None:
    """Connected, and nothing more: not even TLS."""
    await connection.silence()


async def silent_after_request(connection: Connection) -> None:
    """It was read, and nothing comes back."""
    await connection.request()
    await connection.silence()


async def dripping_head(connection: Connection) -> None:
    """A head without end."""
    await connection.request()
    connection.writer.write(b"HTTP/1.1 200 OK\r\n")
    await connection.drip(b"X-Drip: x\r\n")


async def dripping_body(connection: Connection) -> None:
    """A good head, and a body without end."""
    await connection.request()
    connection.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await connection.drip(b"1\r\nx\r\n")


async def endless_body(connection: Connection) -> None:
    """A good head, and as many bytes as are taken."""
    await connection.request()
    connection.writer.write(b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while True:
        connection.writer.write(chunk)
        await connection.writer.drain()
