"""The HTTP client: it survives cancelled callers, bounds everything, and tells sent from not sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from incidentd.channels.base import HttpFailure
from incidentd.channels.http import HttpClient, HttpLimits
from incidentd.domain.notification import Verdict
from tests.channels.support import IMPATIENT
from tests.fakes.http import Answer, HttpFake, Received


class Echo(HttpFake):
    """Answers what it was sent, after a moment that lets callers give up in every stage of a call."""

    async def answer(self, received: Received) -> Answer:
        await asyncio.sleep(0)
        return Answer(200, received.body)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Echo]:
    async with Echo() as fake:
        yield fake


@pytest_asyncio.fixture
async def client() -> AsyncIterator[HttpClient]:
    http = HttpClient(IMPATIENT)
    yield http
    await http.aclose()


async def _give_up_after(turns: int, http: HttpClient, url: str) -> None:
    call = asyncio.create_task(http.request("POST", url, {}, b"x"))
    for _ in range(turns):
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait({call})


async def _healthy(http: HttpClient, url: str) -> int:
    answers = await asyncio.gather(*(http.request("POST", url, {}, b"ok") for _ in range(10)))
    return sum(answer.body == b"ok" for answer in answers)


async def test_ten_requests_succeed_after_many_callers_were_cancelled_at_every_stage(server: Echo) -> None:
    http = HttpClient(HttpLimits(per_host=10))
    for turns in range(60):
        await asyncio.gather(*(_give_up_after(turns, http, server.url) for _ in range(12)))
    assert await _healthy(http, server.url) == 10
    await http.aclose()


async def test_a_cancelled_caller_does_not_break_off_the_request_it_has_begun(
    server: Echo, client: HttpClient
) -> None:
    call = asyncio.create_task(client.request("POST", server.url, {}, b"page"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert client._pool.calls == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await server.wait_for(1)
    assert server.requests[0].body == b"page"


async def test_a_call_that_never_ends_is_cut_off_and_the_client_replaced(client: HttpClient) -> None:
    leaving = asyncio.Event()

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not leaving.is_set():
            writer.write(b"HTTP/1.1 200 OK\r\nX-Drip: " if not leaving.is_set() else b"")
            await asyncio.wait({asyncio.create_task(leaving.wait())}, timeout=0.05)
        writer.close()

    before = client._pool
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as slow:
        port = slow.sockets[0].getsockname()[1]
        with pytest.raises(HttpFailure, match=r"timeout|connection_lost") as failed:
            await client.request("GET", f"http://127.0.0.1:{port}/", {}, b"")
        assert failed.value.verdict is Verdict.AMBIGUOUS
        await client._tasks.drain(2)
        leaving.set()
    assert len(client._tasks) == 0
    assert client._pool.calls == before.calls == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [(Answer(hang=True), "timeout"), (Answer(drop=True), "connection_lost")],
    ids=["no answer", "cut off"],
)
async def test_no_answer_after_sending_is_ambiguous(
    server: Echo, client: HttpClient, answer: Answer, code: str
) -> None:
    server.script([answer])
    with pytest.raises(HttpFailure) as failed:
        await client.request("POST", f"{server.url}/token-in-path", {}, b"x")
    assert (failed.value.verdict, failed.value.code) == (Verdict.AMBIGUOUS, code)
    assert "token-in-path" not in str(failed.value)


async def test_a_refused_connection_is_worth_a_retry(client: HttpClient) -> None:
    with pytest.raises(HttpFailure) as failed:
        await client.request("POST", "http://127.0.0.1:9/token", {}, b"x")
    assert (failed.value.verdict, failed.value.code) == (Verdict.RETRY, "connect_error")
    assert "token" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://[bad/", {}), ("ftp://host/", {}), ("http://127.0.0.1:9/", {"authorization": "a\nb: c"})],
    ids=["no address", "no http", "line end in a header"],
)
async def test_what_cannot_be_requested_never_gets_out(
    client: HttpClient, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(HttpFailure) as failed:
        await client.request("POST", url, headers, b"")
    assert failed.value.verdict in {Verdict.RETRY, Verdict.DESTINATION_BROKEN}


async def test_a_token_that_no_header_can_carry_breaks_the_destination(client: HttpClient) -> None:
    with pytest.raises(HttpFailure) as failed:
        await client.request("POST", "http://127.0.0.1:9/", {"authorization": "t\u00f6ken\u2603"}, b"")
    assert failed.value.verdict is Verdict.DESTINATION_BROKEN


async def test_redirects_are_answers_and_bodies_are_cut(server: Echo, client: HttpClient) -> None:
    server.script([Answer(302, headers={"Location": "/elsewhere"})])
    assert (await client.request("POST", server.url, {}, b"")).status == 302
    answer = await client.request("POST", server.url, {}, b"x" * 200_000)
    assert len(answer.body) == 64 * 1024
    assert len(server.requests) == 2


async def test_a_host_that_hangs_leaves_the_others_alone(server: Echo) -> None:
    http = HttpClient(replace(IMPATIENT, per_host=1))
    server.script([Answer(hang=True)] * 3)
    stuck = [asyncio.create_task(http.request("POST", server.url, {}, b"")) for _ in range(3)]
    await server.wait_for(1)
    other = server.url.replace("127.0.0.1", "localhost")
    server._script.clear()
    assert (await http.request("POST", other, {}, b"ok")).body == b"ok"
    failures = await asyncio.gather(*stuck, return_exceptions=True)
    # The first was sent; the others waited for their turn and may be sent again safely.
    verdicts = [failure.verdict for failure in failures if isinstance(failure, HttpFailure)]
    assert Verdict.AMBIGUOUS in verdicts
    await http.aclose()


async def test_four_hosts_that_hang_leave_the_others_alone(server: Echo) -> None:
    """Each with as many calls as one host may have."""
    http = HttpClient(replace(IMPATIENT, read=60, total=60, per_host=8))
    server.script([Answer(hang=True)] * 32)
    names = ("127.0.0.1", "127.0.1", "127.1", "2130706433")  # four spellings of one address
    urls = [server.url.replace("127.0.0.1", name) for name in names for _ in range(8)]
    stuck = [asyncio.create_task(http.request("POST", url, {}, b"")) for url in urls]
    await server.wait_for(32)
    async with asyncio.timeout(20):
        assert await _healthy(http, server.url.replace("127.0.0.1", "localhost")) == 10
    for call in stuck:
        call.cancel()
    await http.aclose(0)


async def test_nothing_is_sent_after_closing(server: Echo, client: HttpClient) -> None:
    await client.aclose()
    with pytest.raises(HttpFailure, match="closing"):
        await client.request("POST", server.url, {}, b"")
    assert server.requests == []


def test_the_libraries_do_not_log_addresses(client: HttpClient) -> None:
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.DEBUG)
