"""Hardening of the server: slow headers, illegal framing, and what the log says about it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from tests.web.conftest import TOKENS, Daemon, Start, alert, webhook

AUTH = f"Authorization: Bearer {TOKENS['ingest']}\r\n".encode()


@pytest.fixture
async def hasty(start: Start) -> AsyncIterator[Daemon]:
    """A server that gives headers a tenth of a second."""
    async with start(header_seconds=0.1) as daemon:
        yield daemon


async def _exchange(daemon: Daemon, content: bytes) -> bytes:
    """Send bytes, and everything that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(content)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["nothing", "half a header"])
async def test_a_client_that_does_not_finish_its_headers_is_cut_off(hasty: Daemon, begun: bytes) -> None:
    assert await _exchange(hasty, begun) == b""


async def test_the_headers_of_a_later_request_have_a_deadline_too(hasty: Daemon) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b'"alive"}')
        writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_a_slow_body_and_an_idle_connection_are_left_alone(hasty: Daemon) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    head = b"POST /webhooks/alertmanager HTTP/1.1\r\nHost: x\r\n" + AUTH + b"Content-Length: 13\r\n\r\n"
    loop = asyncio.get_running_loop()
    for part in (b'{"aler', b'ts":[]}'):
        writer.write(head + part)
        head = b""
        passed = asyncio.Event()
        loop.call_later(0.25, passed.set)
        await passed.wait()
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"alive" in await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 9000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_illegal_framing_is_400_and_closed_with_the_usual_headers(
    daemon: Daemon, request_bytes: bytes
) -> None:
    answer = await _exchange(daemon, request_bytes)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"application/problem+json" in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    assert b"Server: incidentd" in answer
    assert b"aiohttp" not in answer


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("expect", [b"nonsense", b"100-continue"])
async def test_an_expectation_is_met_or_ignored_and_the_answer_is_ours(
    daemon: Daemon, expect: bytes, version: bytes
) -> None:
    head = b"POST /webhooks/alertmanager HTTP/" + version + b"\r\nHost: x\r\nConnection: close\r\n"
    for auth, status in ((AUTH, b" 200 "), (b"", b" 401 ")):
        request = head + auth + b"Expect: " + expect + b'\r\nContent-Length: 13\r\n\r\n{"alerts":[]}'
        answer = await _exchange(daemon, request)
        before, found, rest = answer.partition(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert bool(found) is (expect == b"100-continue" and version == b"1.1")
        assert status in (rest if found else before).split(b"\r\n")[0]
        assert b"X-Content-Type-Options: nosniff" in answer
        assert b"Server: incidentd" in answer
        assert b"aiohttp" not in answer


async def test_an_unknown_expectation_at_an_unknown_path_is_answered_by_us(daemon: Daemon) -> None:
    request = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: nonsense\r\n\r\n"
    answer = await _exchange(daemon, request)
    assert answer.startswith(b"HTTP/1.1 417")
    assert b"application/problem+json" in answer
    assert b"Server: incidentd" in answer
    assert b"aiohttp" not in answer


async def test_a_flood_of_illegal_requests_is_one_line_in_the_log(daemon: Daemon) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            await _exchange(daemon, b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    assert [line["event"] for line in lines] == ["http_framing"]


async def test_a_good_webhook_is_no_line_a_person_acting_is_one_and_refusals_are_few(daemon: Daemon) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            await daemon.alert(alert())
        assert lines == []
        await daemon.post("/api/v1/incidents/1/acknowledge")
        for _ in range(5):
            await daemon.post("/webhooks/alertmanager", webhook(), None)
    first, second = lines
    assert (first["event"], first["path"], first["status"]) == (
        "http_request",
        "/api/v1/incidents/{id}/acknowledge",
        200,
    )
    assert first["actor"] == "responder"
    assert second["event"] == "http_401"
    assert TOKENS["respond"] not in str(lines)


async def test_concurrent_posts_are_all_answered(daemon: Daemon) -> None:
    answers: list[Any] = await asyncio.gather(*(daemon.alert(alert(f"A{n}")) for n in range(50)))
    assert sorted(i for answer in answers for i in answer["incidents"]) == list(range(1, 51))
    assert daemon.sample("http_requests_in_flight") == 0
