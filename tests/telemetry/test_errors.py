"""Errors that go to Sentry, read from the bytes that a real server on loopback received."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from incidentd import config, log
from incidentd.clock import FixedClock
from incidentd.masking import hide
from incidentd.telemetry.sentry import Errors
from tests.acceptance.harness import NOON
from tests.acceptance.waiting import until
from tests.fakes.collectors import SentryFake

CANARIES = ["canary-canary-password", "alice.canary@example.com", "+49 170 1234567", "planted-canary-secret"]


@pytest.fixture
async def sentry() -> AsyncIterator[SentryFake]:
    async with SentryFake() as fake:
        yield fake
    assert fake.violations == []


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def errors(sentry: SentryFake, clock: FixedClock) -> Iterator[Errors]:
    said = config.Telemetry(environment="test", sentry=config.Sentry(dsn=sentry.dsn))
    made = Errors(said, "https://incidents.example.com", clock)
    log.configure("info", "json", io.StringIO(), watcher=made.watch)
    yield made
    made.close(2)


def fail(secret: str) -> None:
    """A local variable, the line of the call and the message all hold it."""
    held = {"password": secret}
    raise ValueError(f"no use: {secret}, {len(held)}")


async def test_an_error_arrives_with_its_request_and_without_what_nobody_may_see(
    errors: Errors, sentry: SentryFake
) -> None:
    hide(["planted-canary-secret"])
    lines = structlog.get_logger()
    with log.bound(request_id="r-1", incident=12):
        try:
            fail("postgresql://daemon:canary-canary-password@db/x")
        except ValueError as error:
            lines.error(
                "request_failed",
                method="POST",
                route="/api/v1/incidents/{id}/notes",
                actor="alice.canary@example.com",
                headers={"Authorization": "Bearer canary-canary-password"},
                said="call +49 170 1234567 about planted-canary-secret",
                exc_info=error,
            )
    await until(lambda: bool(sentry.events), "the event")
    (event,) = sentry.events
    assert event["request"] == {
        "method": "POST",
        "url": "https://incidents.example.com/api/v1/incidents/{id}/notes",
    }
    assert event["tags"] == {
        "request_id": "r-1",
        "incident": "12",
        "route": "/api/v1/incidents/{id}/notes",
    }
    assert (event["environment"], event["level"], event["server_name"]) == ("test", "error", "incidentd")
    assert event["release"].startswith("incidentd@")
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "vars" not in exception["stacktrace"]["frames"][-1]
    assert event["extra"]["actor"] == "a***@example.com"
    assert [canary for canary in CANARIES if canary in sentry.raw] == []
    assert "canary-canary" not in sentry.raw


async def test_a_library_and_a_line_without_an_exception_are_told_too(
    errors: Errors, sentry: SentryFake
) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    structlog.get_logger().error("page_missed", reason="given up", channel="pager")
    structlog.get_logger().warning("delivery_failed")
    for carrier in ("opentelemetry.exporter", "sentry_sdk.errors", "urllib3.pool"):
        logging.getLogger(carrier).error("it cannot be reached")
    await until(lambda: len(sentry.events) >= 2, "two events")
    await asyncio.to_thread(errors.close, 2)
    told = {event.get("message") or event["logentry"]["message"]: event["logger"] for event in sentry.events}
    assert told == {"Task exception was never retrieved": "asyncio", "page_missed": "incidentd"}


async def test_the_same_error_is_told_once_a_minute(
    errors: Errors, sentry: SentryFake, clock: FixedClock
) -> None:
    for _ in range(100):
        structlog.get_logger().error("outbox_failed")
    structlog.get_logger().error("another")
    clock.set(NOON + timedelta(seconds=61))
    structlog.get_logger().error("outbox_failed")
    await asyncio.to_thread(errors.close, 2)
    await until(lambda: len(sentry.events) >= 3, "three events")
    assert len(sentry.events) == 3


async def test_a_fault_of_ours_and_a_sentry_that_is_away_stop_nobody(clock: FixedClock) -> None:
    said = config.Telemetry(sentry=config.Sentry(dsn="http://key@127.0.0.1:1/42"))
    errors = Errors(said, "", clock)
    stream = io.StringIO()
    log.configure("info", "json", stream, watcher=errors.watch)

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    structlog.get_logger().error("said", channel=Broken())
    assert json.loads(stream.getvalue())["event"] == "said"
    assert errors.carrier().trouble == "RuntimeError"
    errors.close(0.2)


@pytest.mark.parametrize(
    "dsn", ["https://sentry.example.com/42", "ftp://key@host/1", "https://key@host", "canary"]
)
def test_a_dsn_has_a_key_and_a_project(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a DSN") as refused:
        config.Sentry(dsn=dsn)
    assert dsn not in str(refused.value).replace("https://KEY@HOST/PROJECT", "")
