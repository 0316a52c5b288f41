"""What is refused for safety shows in `/metrics` under the names that dashboards query, and nowhere with free text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from incidentd.refusals import SINGLES
from tests.acceptance.bodies import recorded
from tests.acceptance.client import ALERTS, Client
from tests.acceptance.harness import ALICE, INGEST, World, world
from tests.acceptance.waiting import until

EVENTS = {
    "auth_fail": "warning",
    "forbidden": "warning",
    "sig_fail": "warning",
    "replay": "warning",
    "csrf": "warning",
    "framing": "info",
    "oversize": "info",
    "slow": "info",
    "rate_limited": "info",
    "ssrf_block": "warning",
    "traversal": "info",
    "xss": "info",
    "sqli": "info",
    "template": "info",
    "command": "info",
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database, server={"port": 0, "max_body": "4KiB"}) as opened:
        yield opened


@asynccontextmanager
async def stranger(here: World, token: str = "") -> AsyncIterator[Client]:
    """Somebody who is not Alice."""
    client = Client(here.daemon.url, token)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def connection(here: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Bare bytes to the daemon."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(here.daemon.url).port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def seen(here: World) -> dict[str, float]:
    """The security events that there were; each kind has one severity."""
    counted = {
        event: await here.client.metric("security_events_total", event_type=event, severity=severity)
        for event, severity in EVENTS.items()
    }
    assert sum(counted.values()) == await here.client.metric("security_events_total")
    return {event: number for event, number in counted.items() if number}


async def test_every_kind_of_event_is_there_from_the_start(here: World) -> None:
    """An `increase()` misses the first event of a series that begins with it."""
    text = (await here.client.call("GET", "/metrics")).text
    for event, severity in EVENTS.items():
        assert f'security_events_total{{event_type="{event}",severity="{severity}"}} 0.0' in text
    assert 'suspicious_activity_total{activity_type="cross_site"} 0.0' in text


async def test_bad_credentials_and_missing_scopes_are_told_apart(here: World) -> None:
    async with stranger(here) as nobody, stranger(here, "guess-guess-guess-guess") as guesser:
        assert (await nobody.post(recorded("single_firing"))).status == 401
        assert (await guesser.call("GET", "/api/v1/incidents")).status == 401
    async with stranger(here, INGEST) as alertmanager:
        assert (await alertmanager.call("GET", "/api/v1/incidents")).status == 403
    assert await seen(here) == {"auth_fail": 2, "forbidden": 1}
    assert await here.client.metric("suspicious_activity_total") == 0


async def test_each_refusal_has_an_entry_in_the_audit_log_and_a_flood_is_counted(here: World) -> None:
    async with stranger(here, "guess-guess-guess-guess") as guesser:
        for _ in range(SINGLES + 7):
            assert (await guesser.call("GET", "/api/v1/incidents")).status == 401
    async with stranger(here, INGEST) as alertmanager:
        refused = await alertmanager.call("GET", "/api/v1/incidents")
    await here.daemon.auditing.note_refusals()
    noted = [e for e in await here.client.all("/api/v1/audit") if e["action"].startswith("security.")]
    assert [entry["action"] for entry in noted] == ["security.auth_fail"] * SINGLES + ["security.forbidden"]
    assert noted[-1]["private"] == {"client": "127.0.0.1", "request": refused.headers["X-Request-ID"]}
    assert "127.0.0.1" not in noted[-1]["entry"], "an address can be erased"
    here.clock.set(here.clock.now() + timedelta(minutes=1))
    await here.daemon.auditing.note_refusals()
    counted = (await here.client.all("/api/v1/audit"))[-1]
    assert (counted["action"], counted["data"]["count"]) == ("security.auth_fail", 7)
    assert counted["private"] == {"client": "127.0.0.1"}


async def test_too_large_a_body_and_illegal_http_are_counted(here: World) -> None:
    assert (await here.client.post(b" " * 5000)).status == 413
    async with connection(here) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
        assert b" 400 " in await reader.readline()
    assert await seen(here) == {"oversize": 1, "framing": 1}
    assert await here.client.metric("suspicious_activity_total", activity_type="framing") == 1


async def test_a_limit_that_is_reached_is_counted_by_its_route(here: World) -> None:
    request = (
        f"POST {ALERTS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ALICE}\r\nContent-Length: 4000\r\n\r\n"
    )
    async with AsyncExitStack() as stack:
        for _ in range(2):
            _, writer = await stack.enter_async_context(connection(here))
            writer.write(request.encode() + b" " * 3900)

        async def full() -> bool:
            return (await here.client.post(b" " * 3900)).status == 503

        await until(full, "the bodies under way to be as many as are taken")
    assert await here.client.metric("rate_limit_hits_total", endpoint=ALERTS) == 1
    assert await here.client.metric("rate_limit_hits_total") == 1
    assert await seen(here) == {"rate_limited": 1}


@pytest.mark.parametrize(
    ("header", "value", "activity"),
    [
        ("Host", "evil.example.com", "foreign_host"),
        ("Origin", "https://evil.example.com", "cross_site"),
        ("Sec-Fetch-Site", "cross-site", "cross_site"),
        ("X-Forwarded-For", "203.0.113.9", "forwarded"),
    ],
)
async def test_without_tokens_what_a_web_page_or_a_proxy_sends_is_suspicious(
    tmp_path: Path, header: str, value: str, activity: str
) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database, auth={"tokens": []}) as here:
        answer = await here.client.call("GET", "/api/v1/incidents", headers={header: value})
        assert answer.status == 403
        assert await here.client.metric("suspicious_activity_total", activity_type=activity) == 1
        assert await seen(here) == {"csrf": 1}
        assert value not in (await here.client.call("GET", "/metrics")).text
