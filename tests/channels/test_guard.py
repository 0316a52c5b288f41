"""Where no request may go: every spelling of a private address, and names that lead to one."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from smtpdfix.certs import _generate_certs

from incidentd.channels.base import HttpFailure
from incidentd.channels.guard import Guard, addresses_of, forbidden, metadata
from incidentd.channels.http import HttpClient
from incidentd.domain.notification import Verdict
from tests.channels.support import IMPATIENT
from tests.fakes.http import Answer, HttpFake, Received


class Echo(HttpFake):
    """Answers what it was sent."""

    async def answer(self, received: Received) -> Answer:
        return Answer(200, received.body)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "233.252.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001:0:7f00:1::",
        "2001:0:808:808:0:0:80ff:fffe",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "ff0e::1",
        "example.com",
        "127.1",
        "",
    ],
)
def test_what_is_not_public_is_refused_in_every_wrapping(address: str) -> None:
    assert forbidden(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"],
)
def test_what_is_public_may_be_asked(address: str) -> None:
    assert forbidden(address) is None


def test_metadata_services_are_known_in_every_wrapping() -> None:
    known = ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254"]
    assert all(metadata(address) for address in known)
    assert not any(metadata(address) for address in ["169.254.1.1", "127.0.0.1", "metadata", ""])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_a_guarded_request_into_our_own_network_never_leaves(host: str) -> None:
    http = HttpClient(IMPATIENT)
    async with Echo() as server:
        url = server.url.replace("127.0.0.1", host)
        with pytest.raises(HttpFailure) as refused:
            await http.request("POST", f"{url}/CANARY", {}, b"x", guarded=True)
        assert (refused.value.verdict, refused.value.code) == (Verdict.DESTINATION_BROKEN, "address_refused")
        assert "CANARY" not in str(refused.value)
        assert server.requests == []
        assert (await http.request("POST", server.url, {}, b"x")).body == b"x"
    await http.aclose()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://example.com/", "unix:/run/x", "//example.com"]
)
async def test_a_guarded_request_speaks_http_only(url: str) -> None:
    http = HttpClient(IMPATIENT)
    with pytest.raises(HttpFailure) as refused:
        await http.request("POST", url, {}, b"x", guarded=True)
    assert refused.value.verdict is Verdict.DESTINATION_BROKEN
    await http.aclose()


async def test_a_name_is_resolved_once_and_dialled_as_it_was_checked() -> None:
    """A resolver that answers differently the second time gets no second question."""
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    http = HttpClient(IMPATIENT, Guard(resolve, lambda address: None if address == "127.0.0.1" else "else"))
    async with Echo() as server:
        port = server.url.split(":")[2].split("/")[0]
        url = server.url.replace("127.0.0.1", "hooks.example.test")
        for _ in range(2):
            assert (await http.request("POST", url, {}, b"x", guarded=True)).body == b"x"
        assert asked == [("hooks.example.test", int(port))] * 2
        received = [(each.headers["host"], each.headers["connection"]) for each in server.requests]
        assert received == [(f"hooks.example.test:{port}", "close")] * 2
    await http.aclose()


async def test_tls_asks_for_the_name_although_an_address_is_dialled(tmp_path: Path) -> None:
    names = []
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(_generate_certs(tmp_path).cert)
    tls.sni_callback = lambda _socket, name, _context: names.append(name)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    http = HttpClient(IMPATIENT, Guard(resolve, lambda _: None))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HttpFailure) as failed:  # a certificate of nobody we trust
            await http.request("POST", f"https://hooks.example.test:{port}/", {}, b"", guarded=True)
    assert failed.value.code == "certificate_refused"
    assert names == ["hooks.example.test"]
    await http.aclose()


async def test_one_refused_address_among_several_refuses_the_name() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    http = HttpClient(IMPATIENT, Guard(resolve))
    with pytest.raises(HttpFailure, match="private address"):
        await http.request("POST", "https://hooks.example.test/", {}, b"", guarded=True)
    await http.aclose()


async def test_a_name_without_an_address_is_worth_a_retry() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return []

    http = HttpClient(IMPATIENT, Guard(resolve))
    with pytest.raises(HttpFailure) as failed:
        await http.request("POST", "https://hooks.example.test/", {}, b"", guarded=True)
    assert failed.value.verdict is Verdict.RETRY
    await http.aclose()


async def test_a_configured_name_that_leads_to_a_metadata_service_is_refused_before_a_byte_is_sent() -> None:
    """127.0.0.1 plays the metadata service."""
    http = HttpClient(IMPATIENT, Guard(metadata=lambda address: address == "127.0.0.1"))
    async with Echo() as server:
        with pytest.raises(HttpFailure, match="a metadata service"):
            await http.request("POST", server.url.replace("127.0.0.1", "127.1"), {}, b"x")
        assert server.requests == []
        # Whoever writes the address itself means it.
        assert (await http.request("POST", server.url, {}, b"x")).body == b"x"
    await http.aclose()


async def test_the_resolver_of_the_machine_is_asked_for_all_addresses() -> None:
    assert "127.0.0.1" in await addresses_of("localhost", 80)
