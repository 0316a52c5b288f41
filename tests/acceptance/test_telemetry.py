"""A daemon in a process of its own tells of itself: a collector, a Sentry, its log and its health say the same."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import ALICE, NOON, configuration, vendors, write
from tests.acceptance.process import client_of, running
from tests.acceptance.waiting import until
from tests.fakes.collectors import CollectorFake, SentryFake
from tests.fakes.http import Answer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
COLLECTOR_KEY = "canary-key-of-the-collector"


def telemetry(folder: Path, collector: CollectorFake, sentry: SentryFake) -> dict[str, Any]:
    return {
        "environment": "acceptance",
        "log_file": {"path": str(folder / "own.log")},
        "traces": {"endpoint": collector.url, "headers": {"api-key": COLLECTOR_KEY}},
        "sentry": {"dsn": sentry.dsn},
    }


async def test_one_alert_is_one_trace_one_id_in_the_log_and_no_secret_anywhere(tmp_path: Path) -> None:
    """The trace is that of the sender, and ends with what the vendors were told."""
    async with CollectorFake() as collector, SentryFake() as sentry, vendors() as told:
        config = configuration(
            f"sqlite+aiosqlite:///{tmp_path}/incidentd.db",
            told,
            telemetry=telemetry(tmp_path, collector, sentry),
            server={"port": 0, "log_level": "debug"},
        )
        told.hook.script([Answer(410, b"gone, says canary-vendor@example.com")])
        async with running(write(tmp_path / "incidentd.yaml", config)) as daemon:
            async with client_of(daemon, ALICE) as client:
                headers = {"Content-Type": "application/json", "traceparent": PARENT, "X-Request-ID": "r-1"}
                body = webhook(alert("DiskFull", NOON, who="canary-label@example.com"))
                assert (await client.call("POST", "/webhooks/alertmanager", body, headers)).status == 200
                await until(client.nothing_waits, "everybody to be told")
                await client.act("incidents/1/acknowledge", comment="call +49 170 1234512")
                await until(client.nothing_waits, "everybody to be told")
                health = await client.get("/health/detailed")
            assert await daemon.end() == 0
    check_trace(collector)
    check_log(tmp_path, daemon.log.read_text())
    check_health(health)
    (event,) = [event for event in sentry.events if event["message"] == "page_missed"]
    assert event["tags"] == {"incident": "1", "delivery": event["tags"]["delivery"], "channel": "hook"}
    assert "canary" not in sentry.raw.replace("public-key-of-the-project", "")
    assert collector.violations == sentry.violations == []


def check_trace(collector: CollectorFake) -> None:
    mine = {span[0] for span in collector.spans if span[1] == TRACE}
    assert {"POST /webhooks/alertmanager", "commit", "deliver pager", "deliver slack", "deliver mail"} <= mine
    assert collector.resource["service.name"] == "incidentd"
    assert collector.resource["deployment.environment.name"] == "acceptance"
    assert {request.headers["api-key"] for request in collector.requests} == {COLLECTOR_KEY}
    assert all(b"canary" not in request.body for request in collector.requests)


def check_log(folder: Path, text: str) -> None:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert lines == [json.loads(line) for line in (folder / "own.log").read_text().splitlines()]
    assert {line["environment"] for line in lines} == {"acceptance"}
    sent = [line for line in lines if line["event"] == "delivery_sent"]
    assert {line["incident"] for line in sent} == {1}
    (acknowledged,) = [line for line in lines if str(line.get("path", "")).endswith("/acknowledge")]
    assert acknowledged["incident"] == 1
    assert len(acknowledged["trace_id"]) == 32
    assert acknowledged["request_id"]
    for canary in ("canary", "1234512", ALICE, "ops@example.com", "xoxb-"):
        assert canary not in text, canary
    with sqlite3.connect(folder / "incidentd.db") as database:
        (traces,) = database.execute("SELECT count(*) FROM deliveries WHERE trace LIKE ?", (f"00-{TRACE}-%",))
    assert traces[0] == 5


def check_health(health: dict[str, Any]) -> None:
    checks = {check["name"]: check for check in health["checks"]}
    assert {"traces", "sentry", "log file", "event loop", "memory", "descriptors", "disk"} <= checks.keys()
    assert checks["traces"]["status"] == "healthy"
    assert checks["database"]["detail"].startswith("SQLite 3.")
    assert checks["database"]["latency_ms"] > 0
    assert health["resources"]["memory_bytes"] > 1_000_000
    assert health["resources"]["database_bytes"] > 0
