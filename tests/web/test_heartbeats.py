"""Pings over HTTP: what they answer, who may send them, and what the metric says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.workflows import heartbeats
from tests.web.conftest import Daemon, Start, alert

WATCHED = {
    "heartbeats": {"backup": {"every": "1h", "grace": "5m", "severity": "warning"}},
    "sources": {"main": {"heartbeats": [{"matchers": ['alertname="Watchdog"'], "every": "5m"}]}},
}


async def look(daemon: Daemon) -> None:
    context = daemon.context
    rules, now = context.rules, context.clock.now()
    await context.store.write(lambda tx: heartbeats.watch(tx, rules, now - timedelta(days=1), now))


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_a_ping_is_answered_with_when_the_next_is_expected(start: Start, method: str) -> None:
    async with start(**WATCHED) as daemon:
        answer, pulse = await daemon.call(method, "/api/v1/heartbeats/backup", token="ingest")
        assert answer.status == 200
        assert (pulse["name"], pulse["source"], pulse["state"]) == ("backup", None, "beating")
        assert pulse["expected_by"] > pulse["last_beat_at"]
        assert (pulse["every"], pulse["grace"], pulse["severity"]) == ("1h", "5m", "warning")


@pytest.mark.parametrize("name", ["main", "unknown"])
async def test_only_heartbeats_that_are_pinged_can_be_pinged(start: Start, name: str) -> None:
    async with start(**WATCHED) as daemon:
        answer, _ = await daemon.post(f"/api/v1/heartbeats/{name}", token="ingest")
        assert answer.status == 404


async def test_a_ping_needs_the_scope_ingest(start: Start) -> None:
    async with start(**WATCHED) as daemon:
        assert (await daemon.post("/api/v1/heartbeats/backup", token="read"))[0].status == 403
        assert (await daemon.post("/api/v1/heartbeats/backup", token=None))[0].status == 401


async def test_the_list_and_the_metric_show_what_is_missing(start: Start) -> None:
    async with start(**WATCHED) as daemon:
        await daemon.alert(alert("Watchdog", severity="none"))
        await look(daemon)
        daemon.clock.ahead = timedelta(minutes=7)
        await look(daemon)
        _, listed = await daemon.get("/api/v1/heartbeats")
        states = {item["name"]: (item["source"], item["state"]) for item in listed["items"]}
        assert states == {"main": ("main", "missing"), "backup": (None, "waiting")}
        await daemon.get("/metrics")
        assert daemon.sample("incidentd_heartbeat_missing", heartbeat="main") == 1
        assert daemon.sample("incidentd_heartbeat_missing", heartbeat="backup") == 0
        (incident,) = (await daemon.get("/api/v1/incidents"))[1]["items"]
        assert (incident["title"], incident["labels"]["heartbeat"]) == ("Heartbeat main is missing", "main")
        assert incident["resolve_withheld"] is None


async def test_a_heartbeat_that_nobody_wrote_down_is_not_expected(daemon: Daemon, tmp_path: Path) -> None:
    await daemon.alert(alert("Watchdog", severity="none"))
    assert daemon.context.rules.expected == {}
    assert (await daemon.get("/api/v1/heartbeats"))[1]["items"] == []
