"""Ready-made answers: the same as the usual ones, for the plainest requests only."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from incidentd.web.quick import Quick
from tests.acceptance.waiting import until
from tests.web.conftest import Daemon, Start
from tests.web.status_world import PUBLIC, document

LINE = b"GET /api/v2/status.json HTTP/1.1\r\n"
PLAIN = LINE + b"Host: x\r\n\r\n"


@dataclass(frozen=True)
class Said:
    """One answer as it came."""

    status: bytes
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes = PLAIN) -> Said:
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> Said:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in [line.partition(": ") for line in head[1:] if line]}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Said(head[0].encode(), headers, body)


@pytest.fixture
async def line(daemon: Daemon) -> AsyncIterator[Line]:
    async def made() -> bool:
        answer, _ = await daemon.get("/api/v2/status.json", None)
        return answer.status == 200

    await until(made, "the page to be made")
    opened = Line(*await asyncio.open_connection("127.0.0.1", daemon.port))
    yield opened
    opened.writer.close()


def counted(daemon: Daemon) -> float:
    """Answers to this route."""
    return daemon.sample("http_requests_total", method="GET", route="/api/v2/status.json", status_code="200")


async def test_it_is_the_same_answer(daemon: Daemon, line: Line) -> None:
    usual, ready = await line.ask(), await line.ask()
    assert usual.headers.pop("x-request-id") != ready.headers.pop("x-request-id")
    assert usual.headers.pop("date")[:16] == ready.headers.pop("date")[:16]
    assert usual == ready
    assert Quick(daemon.desk).answer(PLAIN) is not None
    line.writer.close()


async def test_it_is_counted_as_the_usual_one(daemon: Daemon, line: Line) -> None:
    before = counted(daemon)
    for _ in range(3):
        await line.ask()
    assert counted(daemon) == before + 3
    line.writer.close()


async def test_it_is_packed_for_who_reads_that(daemon: Daemon, line: Line) -> None:
    request = b"GET /api/v2/summary.json HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    usual, ready = await line.ask(request), await line.ask(request)
    assert usual.body == ready.body
    assert ready.headers["content-encoding"] == "gzip"
    assert ready.headers["vary"] == "Accept-Encoding"
    plain = await line.ask(request.replace(b"Accept-Encoding: gzip\r\n", b""))
    assert gzip.decompress(ready.body) == plain.body
    assert plain.headers["etag"] != ready.headers["etag"]
    for tag in (plain.headers["etag"], ready.headers["etag"]):
        again = await line.ask(request.replace(b"\r\n\r\n", f"\r\nIf-None-Match: {tag}\r\n\r\n".encode()))
        assert again.status.split()[1] == b"304"
    line.writer.close()


@pytest.mark.parametrize(
    "more",
    [
        b"Connection: close\r\n", b"Connection:close\r\n", b"connection : x\r\n", b"Connection: keep-alive, close\r\n",
        b"Connection: keep-alive\r\nConnection: close\r\n", b"Accept-Encoding: gzip;q=0\r\n",
        b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"If-None-Match: *\r\n",
        b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n", b"X-Request-ID: mine\r\n", b"Range: bytes=0-1\r\n",
        b"Authorization: Bearer x\r\n", b"Host: y\r\n", b"A: b\r\n c\r\n", b"A: b\nC: d\r\n", b"A: b\rC: d\r\n",
        b"A: \0\r\n", b"A: " + b"x" * 3000 + b"\r\n",
    ],
)  # fmt: skip
async def test_whatever_asks_for_thought_goes_the_usual_way(daemon: Daemon, line: Line, more: bytes) -> None:
    answers = Quick(daemon.desk)
    assert answers.answer(PLAIN) is not None
    assert answers.answer(LINE + b"Host: x\r\n" + more + b"\r\n") is None
    line.writer.close()


async def test_only_who_asks_for_packed_bytes_gets_them(daemon: Daemon, line: Line) -> None:
    request = (
        b"GET /api/v2/summary.json HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\nUser-Agent: gzip\r\n\r\n"
    )
    await line.ask()
    said = await line.ask(request)
    assert said.body.startswith(b"{")
    assert Quick(daemon.desk).answer(request) is not None
    packed = await line.ask(request.replace(b"User-Agent", b"Accept-Encoding: br\r\nUser-Agent"))
    assert packed.body == said.body
    line.writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        PLAIN[:-1], PLAIN + b"x", PLAIN + PLAIN, PLAIN[1:], PLAIN.replace(b"1.1", b"1.0"), b"", b"\r\n\r\n",
        PLAIN.replace(b"status.json", b"status.json?x"), PLAIN.replace(b"GET", b"HEAD"), LINE + b"\r\n",
        PLAIN.replace(b"/api/v2/status.json", b"/"), PLAIN.replace(b"/api", b"http://x/api"),
    ],
)  # fmt: skip
async def test_only_one_whole_request_is_recognised(daemon: Daemon, line: Line, request_: bytes) -> None:
    assert Quick(daemon.desk).answer(PLAIN) is not None
    assert Quick(daemon.desk).answer(request_) is None
    line.writer.close()


async def test_requests_that_come_in_pieces_or_in_a_row_are_answered_in_order(line: Line) -> None:
    await line.ask()
    other = b"GET /api/v2/components.json HTTP/1.1\r\nHost: x\r\n\r\n"
    line.writer.write(other + PLAIN)
    first, second = await line.answer(), await line.answer()
    assert b'"components"' in first.body
    assert b'"components"' not in second.body
    line.writer.write(PLAIN[:20])
    await line.writer.drain()
    line.writer.write(PLAIN[20:])
    assert (await line.answer()).body == second.body
    line.writer.close()


async def test_the_beginning_of_another_request_is_never_mistaken(line: Line) -> None:
    await line.ask()
    line.writer.write(b"GET /api/v2/components.json HTTP/1.1\r\nHost: x\r\nX: ")
    await line.writer.drain()
    # To a proxy that is the value of a header of the first request.
    line.writer.write(LINE + b"Y: z\r\n\r\n")
    assert b'"components"' in (await line.answer()).body
    line.writer.close()


async def test_a_beginning_behind_a_whole_request_is_never_mistaken(line: Line) -> None:
    await line.ask()
    line.writer.write(PLAIN + b"GET /api/v2/components.json HTTP/1.1\r\nX: ")
    assert b'"components"' not in (await line.answer()).body
    line.writer.write(PLAIN)
    assert b'"components"' in (await line.answer()).body
    line.writer.close()


async def test_who_comes_too_often_is_left_to_the_usual_way(start: Start) -> None:
    async with start(server={"public_rate": 1, "trusted_proxies": ["10.0.0.0/8"]}) as daemon:
        await daemon.get("/api/v2/status.json", None)
        answers = Quick(daemon.desk)
        proxied = PLAIN.replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: 192.0.2.8")
        for request, peer in ((PLAIN, "192.0.2.7"), (proxied, "10.0.0.1")):
            found = [answers.answer(request, peer) for _ in range(12)]
            assert [each is not None for each in found] == [True] * 10 + [False] * 2
        twice = proxied.replace(b"Host", b"X-Forwarded-For: 192.0.2.9\r\nHost")
        assert answers.answer(twice, "10.0.0.1") is None
        assert all([answers.answer(PLAIN, "127.0.0.1") for _ in range(12)])


async def test_a_change_is_in_the_next_answer(daemon: Daemon, line: Line) -> None:
    await line.ask()
    assert b"All Systems Operational" in (await line.ask()).body
    await daemon.post(PUBLIC, {"title": "It broke", "components": {"Search": "partial_outage"}})
    await document(daemon, "/api/v2/status.json", lambda s: s["status"]["indicator"] == "major")
    assert b"Partial System Outage" in (await line.ask()).body
    line.writer.close()


async def test_pages_that_are_told_apart_by_host_are_never_mistaken(start: Start) -> None:
    pages = {"inside": {"name": "Inside", "url": "http://inside.example"}}
    async with start(status_page={"name": "Acme", "pages": pages}) as daemon:
        await daemon.get("/api/v2/status.json", None)
        assert Quick(daemon.desk).answer(PLAIN) is None


async def test_a_daemon_that_stops_answers_nothing_quickly(daemon: Daemon, line: Line) -> None:
    await line.ask()
    daemon.context.stopping.set()
    usual = await line.ask()
    assert usual.status == b"HTTP/1.1 200 OK"
    line.writer.close()
