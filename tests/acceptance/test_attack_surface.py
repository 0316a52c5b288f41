"""What a stranger with a bare socket can do to a running daemon: nothing that alerts or people would notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from incidentd.web.server import most_connections
from tests.acceptance.bodies import recorded
from tests.acceptance.client import Client
from tests.acceptance.harness import ALICE, World, world
from tests.acceptance.waiting import until

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def daemon(tmp_path: Path, **server: object) -> AsyncIterator[World]:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database, server={"port": 0, **server}) as here:
        yield here


async def connect(here: World, stack: AsyncExitStack) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(here.daemon.url).port)
    stack.callback(writer.transport.abort)
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the daemon ended the connection, within ten seconds."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_slow_loris_is_ended_while_alerts_are_taken(tmp_path: Path) -> None:
    async with daemon(tmp_path) as here, AsyncExitStack() as stack:
        slow = [await connect(here, stack) for _ in range(100)]
        for _, writer in slow:
            writer.write(b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: a\r\nX-a: ")
        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(_drip([writer for _, writer in slow]))
            assert (await here.client.post(recorded("single_firing"))).status == 200
            # A byte now and then does not buy time: the limit is for the whole header.
            assert set(await asyncio.gather(*(ended(reader) for reader, _ in slow))) == {b""}
            dripping.cancel()
        assert (await here.client.post(recorded("single_firing"))).status == 200


async def _drip(writers: list[asyncio.StreamWriter]) -> None:
    never = asyncio.Event()
    while True:
        for writer in writers:
            if not writer.is_closing():
                writer.write(b"b")
        try:
            async with asyncio.timeout(0.5):
                await never.wait()
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-Big: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(2000)) + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX-\x00: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["one huge header", "two thousand headers", "a huge address", "NUL", "two lengths"],
)
async def test_an_oversized_or_illegal_header_is_400_and_the_end(tmp_path: Path, head: bytes) -> None:
    async with daemon(tmp_path) as here, AsyncExitStack() as stack:
        reader, writer = await connect(here, stack)
        writer.write(head)
        answer = await ended(reader)
        assert b" 400 " in answer.splitlines()[0]
        assert b"aiohttp" not in answer
        assert b"Python" not in answer
        assert await here.client.metric("suspicious_activity_total", activity_type="framing") == 1


async def test_idle_connections_make_room_and_beyond_the_limit_new_ones_are_cut(tmp_path: Path) -> None:
    async with daemon(tmp_path, max_connections=20) as here, AsyncExitStack() as stack:
        hoard = [await connect(here, stack) for _ in range(19)]
        for reader, writer in hoard:
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert (await here.client.post(recorded("single_firing"))).status == 200
        async with AsyncExitStack() as crowd:
            # Busy ones: their headers are still on the way.
            busy = [await connect(here, crowd) for _ in range(40)]
            for _, writer in busy:
                writer.write(b"GET / HTTP/1.1\r\n")
            await asyncio.gather(*(ended(reader) for reader, _ in busy[20:]))
        stranger = Client(here.daemon.url, ALICE)
        try:
            await until(lambda: _taken(stranger), "the daemon to see that the crowd has left")
            assert await stranger.metric("rate_limit_hits_total", endpoint="connections") >= 20
        finally:
            await stranger.close()


async def _taken(client: Client) -> bool:
    try:
        return (await client.post(recorded("single_firing"))).status == 200
    except aiohttp.ClientError:
        return False


def test_without_a_number_the_limit_of_open_files_decides() -> None:
    assert most_connections(7) == 7
    assert most_connections(0) >= 64


async def test_every_answer_has_the_headers_and_tells_no_version(tmp_path: Path) -> None:
    paths = [
        "/",
        "/login",
        "/ack.css",
        "/ack/x",
        "/nothing",
        "/health",
        "/metrics",
        "/api/v1/incidents",
        "/badge.svg",
    ]
    async with daemon(tmp_path, public_url="https://incidents.example.com") as here:
        stranger = Client(here.daemon.url)
        try:
            for path in paths:
                for method in ("GET", "HEAD", "POST", "TRACE", "OPTIONS"):
                    headers = (await stranger.call(method, path)).headers
                    assert "default-src 'none'" in headers["Content-Security-Policy"], path
                    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
                    assert "unsafe" not in headers["Content-Security-Policy"]
                    assert headers["X-Content-Type-Options"] == "nosniff"
                    assert headers["Referrer-Policy"] in {"no-referrer", "same-origin"}
                    assert headers["Strict-Transport-Security"] == "max-age=31536000"
                    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
                    assert headers["Server"] == "incidentd"
                    assert "charset=utf-8" in headers["Content-Type"]
                    assert "Access-Control-Allow-Credentials" not in headers
        finally:
            await stranger.close()


async def test_trace_and_unknown_methods_are_refused(tmp_path: Path) -> None:
    async with daemon(tmp_path) as here:
        for method in ("TRACE", "CONNECT", "PROPFIND", "GETX"):
            assert (await here.client.call(method, "/health/live")).status in {400, 404, 405}
