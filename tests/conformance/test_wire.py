"""Posting as Alertmanager does: patient with 5xx and silence, with nothing else."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime

import pytest

from incidentd.conformance.model import Coding
from incidentd.conformance.timing import Timing
from incidentd.conformance.wire import Answer as Answered
from incidentd.conformance.wire import NoAnswerError, Request, Wire, address
from tests.fakes.http import Answer, HttpFake, Received


class Receiver(HttpFake):
    async def answer(self, received: Received) -> Answer:
        return Answer(200, {"ok": True})


def patient(pauses: list[float]) -> Timing:
    """Time that stands but for the pauses."""
    return Timing(lambda: datetime.now(UTC), lambda: sum(pauses), pauses.append)


async def deliver(wire: Wire, request: Request) -> Answered:
    return await asyncio.to_thread(wire.deliver, request)


async def test_5xx_and_broken_connections_are_repeated_with_growing_pauses() -> None:
    pauses: list[float] = []
    async with Receiver() as fake:
        fake.script([Answer(503), Answer(drop=True), Answer(500)])
        answer = await deliver(Wire(patient(pauses)), Request("POST", fake.url + "/hook", b"{}"))
    assert answer.status == 200
    assert len(fake.requests) == 4
    assert pauses == [0.5, 0.75, 1.125]


@pytest.mark.parametrize("status", [301, 400, 429])
async def test_redirects_and_4xx_are_final(status: int) -> None:
    async with Receiver() as fake:
        fake.script([Answer(status, headers={"Location": "/elsewhere", "Retry-After": "1"})])
        answer = await deliver(Wire(patient([])), Request("POST", fake.url + "/hook", b"{}"))
    assert (answer.status, len(fake.requests)) == (status, 1)


async def test_it_gives_up_in_the_end() -> None:
    async with Receiver() as fake:
        fake.script([Answer(503)] * 20)
        answer = await deliver(Wire(patient([])), Request("POST", fake.url + "/hook", b"{}"))
    assert answer.status == 503
    assert len(fake.requests) < 12


async def test_a_receiver_that_hangs_is_no_answer() -> None:
    async with Receiver() as fake:
        fake.script([Answer(hang=True)])
        wire = Wire(patient([]), limit=0.05, give_up=0)
        with pytest.raises(NoAnswerError, match=r"no answer within 0\.05 s"):
            await deliver(wire, Request("POST", fake.url + "/hook", b"{}"))


async def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(NoAnswerError, match="refused"):
        await deliver(Wire(patient([]), give_up=0), Request("GET", "http://127.0.0.1:1/"))


@pytest.mark.parametrize(
    ("coding", "header", "value"),
    [
        (Coding.PLAIN, "content-length", "40000"),
        (Coding.GZIP, "content-encoding", "gzip"),
        (Coding.CHUNKED, "transfer-encoding", "chunked"),
    ],
)
async def test_a_body_arrives_whole_however_it_travels(coding: Coding, header: str, value: str) -> None:
    body = b"x" * 40_000
    async with Receiver() as fake:
        await deliver(Wire(patient([])), Request("PUT", fake.url + "/hook?a=b", body, {}, coding))
    [seen] = fake.requests
    arrived = gzip.decompress(seen.body) if coding is Coding.GZIP else seen.body
    assert (seen.method, seen.headers[header], arrived) == ("PUT", value, body)


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host:80", "http://", "http://user@host/", "http://host:x/", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        address(url)
