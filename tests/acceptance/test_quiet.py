"""Heartbeats, maintenance and flapping through the front door, over a restart."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world

MINUTE = timedelta(minutes=1)
SOURCES = {
    "main": {
        "heartbeats": [{"matchers": ['alertname="Watchdog"'], "every": "3m"}],
        "mass_resolve": 1,
    }
}
WATCHDOG = webhook(alert("Watchdog", NOON))


async def pass_time(here: World, minutes: int) -> None:
    """As the jobs of a running daemon see it: they look all the time."""
    chores = here.daemon.clockwork.chores
    for _ in range(2 * minutes):
        here.clock.set(here.clock.now() + MINUTE / 2)
        for job in (
            chores.run_timers,
            chores.watch_heartbeats,
            chores.end_maintenance,
            chores.settle_flapping,
        ):
            await job()
        # What waits for an instant does not see that the clock was moved.
        here.daemon.worker.wake()
        await here.settle()


async def states(here: World) -> dict[str, str]:
    return {i["labels"]["alertname"]: i["state"] for i in await here.client.incidents()}


async def test_a_dead_prometheus_is_told_and_its_resolves_are_not_believed(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url, sources=SOURCES) as here:
        firing = [alert(name, NOON) for name in ("Disk", "Cpu")]
        await here.post(webhook(*firing, alert("Watchdog", NOON)))
        await pass_time(here, 3)
        assert await here.client.metric("incidentd_heartbeat_missing", heartbeat="main") == 0
        # It is not missed because of a restart.
        await here.restart()
        await pass_time(here, 3)
        assert "HeartbeatMissing" not in await states(here)
        await pass_time(here, 2)
        assert (await states(here))["HeartbeatMissing"] == "triggered"
        assert await here.client.metric("incidentd_heartbeat_missing", heartbeat="main") == 1
        over = [alert(name, NOON, here.clock.now()) for name in ("Disk", "Cpu")]
        await here.post(webhook(*over))
        await pass_time(here, 10)
        assert set((await states(here)).values()) == {"triggered"}
        assert {i["resolve_withheld"] for i in await here.client.incidents()} == {"distrusted", None}
        for _ in range(6):
            await here.post(WATCHDOG)
            await pass_time(here, 1)
        assert await states(here) == {"Disk": "resolved", "Cpu": "resolved", "HeartbeatMissing": "resolved"}
        assert await here.client.metric("incidentd_heartbeat_missing", heartbeat="main") == 0


async def test_maintenance_outlives_a_restart_and_what_still_fires_pages_when_it_ends(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url) as here:
        window = {"name": "upgrade", "matchers": ['alertname="Disk"'], "duration": "10m"}
        await here.client.act("maintenance", **window)
        await here.post(webhook(alert("Disk", NOON), alert("Cpu", NOON)))
        assert len(here.vendors.pages()) == 1
        await here.restart()
        await pass_time(here, 9)
        assert len(here.vendors.pages()) == 1
        await pass_time(here, 1)
        assert [action for action, _ in here.vendors.pages()] == ["trigger", "trigger"]
        entries = await here.client.timeline(1)
        assert entries[-1]["text"] == "maintenance upgrade ended: people are told now"


async def test_an_incident_that_comes_and_goes_stops_paging(tmp_path: Path, database_url: str) -> None:
    flapping = {"refires": 2, "window": "1h", "hold": "15m"}
    async with world(tmp_path, database_url, grouping={"flapping": flapping}) as here:
        for time in range(6):
            starts = NOON + 4 * time * MINUTE
            await here.post(webhook(alert("Disk", starts)))
            await pass_time(here, 2)
            await here.post(webhook(alert("Disk", starts, starts + 2 * MINUTE)))
            await pass_time(here, 2)
        (incident,) = await here.client.incidents()
        assert (incident["state"], incident["flapping"], incident["reopen_count"]) == ("triggered", True, 3)
        assert [action for action, _ in here.vendors.pages()].count("trigger") == 4
        await pass_time(here, 15)
        (incident,) = await here.client.incidents()
        assert (incident["state"], incident["flapping"]) == ("resolved", False)
