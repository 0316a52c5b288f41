"""The main job through the front door: an alert opens an incident, people are told, one acts, it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import EVERYBODY, NOON, World, world
from tests.acceptance.waiting import until

STARTED = NOON - timedelta(minutes=2)
ACKNOWLEDGED = NOON + timedelta(minutes=3)
ENDED = NOON + timedelta(minutes=8)


async def fire(here: World) -> None:
    """A critical alert of the shop that has been firing for two minutes."""
    accepted = await here.post(webhook(alert("ShopDown", STARTED, service="shop")))
    assert accepted["incidents"] == [1]
    assert (accepted["received"], accepted["accepted"], accepted["quarantined"]) == (1, 1, 0)


async def acknowledge(here: World) -> None:
    """Alice takes it three minutes later."""
    await here.advance(ACKNOWLEDGED - here.clock.now())
    done = await here.client.act("incidents/1/acknowledge", comment="looking at it")
    assert (done["state"], done["acknowledged_by"]) == ("acknowledged", "alice")
    await here.settle()


async def end(here: World) -> None:
    """The alert ends; the news of it comes a minute later."""
    await here.advance(ENDED + timedelta(minutes=1) - here.clock.now())
    accepted = await here.post(webhook(alert("ShopDown", STARTED, ENDED, service="shop")))
    assert accepted["incidents"] == [1]


async def test_from_the_first_post_to_the_last_word(tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url) as here:
        await fire(here)
        check_everybody_knows(here)
        await acknowledge(here)
        check_the_acknowledgement(here)
        await here.restart()
        assert (await here.client.incident(1))["state"] == "acknowledged"
        await end(here)
        check_the_end(here)
        await check_the_record(here)
        await check_the_figures(here)
        rows = await here.client.deliveries()
        assert {row["state"] for row in rows} == {"sent"}
        assert {row["attempts"] for row in rows} == {1}
        assert sorted({row["channel"] for row in rows}) == sorted(EVERYBODY)
        assert len(rows) == 3 * len(EVERYBODY)


def check_everybody_knows(here: World) -> None:
    line = here.console.getvalue()
    assert line.startswith("INC-1 TRIGGERED critical  ShopDown on web-1:9100  ")
    [page] = here.vendors.pager.events
    assert page["event_action"] == "trigger"
    assert page["payload"]["severity"] == "critical"
    assert "ShopDown on web-1:9100" in page["payload"]["summary"]
    [message] = here.vendors.slack.messages
    assert "thread_ts" not in message
    assert "ShopDown on web-1:9100" in message["text"]
    [mail] = here.vendors.mail.mails
    assert mail.to == ("ops@example.com",)
    assert "INC-1" in mail.content["Subject"]
    [event] = here.vendors.hook.events
    assert event["type"] == "incident.triggered"
    assert event["data"]["incident"]["ref"] == "INC-1"
    assert event["data"]["alerts"][0]["labels"]["service"] == "shop"


def check_the_acknowledgement(here: World) -> None:
    triggered, acknowledged = here.vendors.pages()
    assert acknowledged == ("acknowledge", triggered[1])
    root, reply = here.vendors.slack.messages
    assert reply["thread_ts"] == root["ts"]
    assert "alice" in reply["text"]
    first, second = here.vendors.mail.mails
    assert second.content["References"] == first.content["References"]
    assert second.content["Message-ID"] != first.content["Message-ID"]
    assert here.vendors.hook.events[1]["type"] == "incident.acknowledged"
    assert here.vendors.hook.events[1]["data"]["incident"]["acknowledged_by"] == "alice"
    assert "INC-1 ACKNOWLEDGED" in here.console.getvalue()


def check_the_end(here: World) -> None:
    actions, keys = zip(*here.vendors.pages(), strict=True)
    assert actions == ("trigger", "acknowledge", "resolve")
    assert len(set(keys)) == 1
    assert set(here.vendors.pager.alerts.values()) == {"resolved"}
    root, *replies = here.vendors.slack.messages
    # The thread outlives the restart: its address is in the database.
    assert [reply["thread_ts"] for reply in replies] == [root["ts"]] * 2
    assert len(here.vendors.mail.mails) == 3
    assert [event["type"] for event in here.vendors.hook.events] == [
        "incident.triggered",
        "incident.acknowledged",
        "incident.resolved",
    ]
    assert len(set(here.vendors.hook.ids)) == 3
    assert "INC-1 RESOLVED" in here.console.getvalue()


async def check_the_record(here: World) -> None:
    incident = await here.client.incident(1)
    assert (incident["state"], incident["resolved_by"], incident["ref"]) == ("resolved", "source", "INC-1")
    assert (incident["alerts_firing"], incident["alerts_total"]) == (0, 1)
    assert incident["acknowledged_by"] == "alice"
    assert incident["runbook"]["url"] == "https://runbooks.example.com/it"
    [kept] = incident["alerts"]
    assert kept["status"] == "resolved"
    timeline = await here.client.timeline(1)
    assert [entry["seq"] for entry in timeline] == list(range(1, len(timeline) + 1))
    assert [entry["at"] for entry in timeline] == sorted(entry["at"] for entry in timeline)
    told = [(entry["kind"], entry["actor"]) for entry in timeline]
    assert [pair for pair in told if pair[0] in {"triggered", "acknowledged", "resolved"}] == [
        ("triggered", "source"),
        ("acknowledged", "alice"),
        ("resolved", "source"),
    ]


async def check_the_figures(here: World) -> None:
    """Counted from the alert's own start to its own end, not from when posts arrived."""
    report = await here.client.get("/api/v1/report?window=1d")
    [shop] = report["by_service"]
    for row in (report["total"], report["by_severity"][0], shop):
        assert (row["opened"], row["resolved"]) == (1, 1)
        assert row["mtta"]["mean_seconds"] == (ACKNOWLEDGED - STARTED).total_seconds()
        for name in ("mean_seconds", "p50_seconds", "p90_seconds", "p95_seconds"):
            assert row["mttr"][name] == (ENDED - STARTED).total_seconds()
    assert shop["service"] == "shop"


async def test_the_event_stream_tells_it_as_it_happens_and_again_from_any_point(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url) as here:
        async with listening(here) as live:
            await fire(here)
            await acknowledge(here)
            await end(here)
            timeline = await here.client.timeline(1)
            await until_told(here, live, len(timeline))
        assert live == timeline
        async with listening(here, after=timeline[0]["id"]) as again:
            await until_told(here, again, len(timeline) - 1)
        assert again == timeline[1:]


@asynccontextmanager
async def listening(here: World, after: int = 0) -> AsyncIterator[list[Any]]:
    """Follow the events; the list grows with them."""
    seen: list[Any] = []
    opened = asyncio.Event()
    task = asyncio.create_task(here.client.events(seen, opened, after))
    try:
        async with asyncio.timeout(10):
            await opened.wait()
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until_told(here: World, seen: list[Any], count: int) -> None:
    """Wait until so many events came. The stream looks once in a while, and this clock moves by hand only."""

    def enough() -> bool:
        here.clock.set(here.clock.now() + timedelta(seconds=1))
        return len(seen) >= count

    await until(enough, f"{count} events")


async def test_the_metrics_count_it(tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url) as here:
        await fire(here)
        metric = here.client.metric
        assert await metric("incidentd_incidents_open", severity="critical", state="triggered") == 1
        await acknowledge(here)
        assert await metric("incidentd_incidents_open", severity="critical", state="acknowledged") == 1
        await end(here)
        assert await metric("incidentd_incidents_open") == 0
        assert await metric("incidentd_webhook_requests_total", source="main", code="200") == 2
        assert await metric("incidentd_alerts_received_total", source="main", status="firing") == 1
        assert await metric("incidentd_alerts_received_total", source="main", status="resolved") == 1
        assert await metric("incidentd_incidents_opened_total", severity="critical", service="shop") == 1
        assert await metric("incidentd_incident_acknowledge_seconds_sum", severity="critical") == 300
        assert await metric("incidentd_incident_resolve_seconds_sum", severity="critical") == 600
        assert await metric("incidentd_incident_resolve_seconds_count", severity="critical") == 1
        assert await metric("mttr_seconds_sum", incident_type="critical") == 600
        assert await metric("incidentd_ingest_seconds_count") == 2
        for channel in EVERYBODY:
            assert await metric("incidentd_channel_up", channel=channel) == 1
            assert await metric("incidentd_deliveries_total", channel=channel) == 3
            assert await metric("incidentd_page_delivery_seconds_count", channel=channel) == 1
        assert await metric("incidentd_delivery_oldest_pending_seconds") == 0
