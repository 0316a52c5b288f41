"""The status page through the front door: alerts become what the public reads, in Statuspage's format."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.harness import NOON, World, world
from tests.acceptance.waiting import until
from tests.public.checker import faults

CANARY = "CaNaRy7"
PAGE: dict[str, Any] = {
    "name": "Acme",
    "time_zone": "Europe/Berlin",
    "components": [
        {"name": "API", "group": "Core", "match": ['service="api"'], "publish": "auto"},
        {"name": "Search", "group": "Core", "match": ['service="search"']},
        {"name": "Mail", "match": ['service="mail"']},
    ],
    "settle": "10m",
    "pages": {"internal": {"name": "Acme inside", "token": "token-of-the-internal-page-0123"}},
}


async def shown(here: World, wanted: Callable[[Any], object]) -> Any:
    """The summary once it is as `wanted`; then the whole page is judged."""
    found: dict[str, Any] = {}

    async def asked() -> bool:
        await here.daemon.clockwork.pages.look()
        found.update(await here.client.get("/api/v2/summary.json"))
        return bool(wanted(found))

    await until(asked, "the page to change", 5)
    assert await asyncio.to_thread(faults, here.daemon.url) == []
    return found


async def feed_titles(here: World) -> list[str | None]:
    answer = await here.client.call("GET", "/history.rss")
    return [item.findtext("title") for item in ET.fromstring(answer.text).findall("channel/item")]  # noqa: S314


def fired(service: str, **more: Any) -> bytes:
    return webhook(
        alert(f"{CANARY}Down", NOON - timedelta(minutes=1), service=service, severity="critical", **more)
    )


async def test_an_outage_from_the_first_alert_to_the_postmortem(tmp_path: Path) -> None:
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/i.db", status_page=PAGE) as here:
        await shown(here, lambda s: s["status"]["description"] == "All Systems Operational")
        await here.post(fired("api", instance=f"{CANARY}.internal:9100"))
        found = await shown(here, lambda s: s["incidents"])
        assert found["status"]["indicator"] == "major"
        assert found["incidents"][0]["name"] == "API: major outage"
        code = found["incidents"][0]["id"]
        plan = {"title": "Disk swap", "components": ["Mail", "API"], "duration": "1h"}
        await here.client.act("status/maintenances", **plan)
        found = await shown(
            here, lambda s: [m["status"] for m in s["scheduled_maintenances"]] == ["in_progress"]
        )
        fares = {c["name"]: c["status"] for c in found["components"]}
        assert fares == {
            "Core": "major_outage",
            "API": "major_outage",
            "Search": "operational",
            "Mail": "under_maintenance",
        }
        await here.client.act(
            f"status/publications/{code}/update", status="identified", body="A disk is full."
        )
        await here.client.act(f"status/publications/{code}/resolve", body="It has room again.")
        found = await shown(here, lambda s: not s["incidents"])
        assert found["status"]["indicator"] == "maintenance"
        await here.client.act(f"status/publications/{code}/postmortem", body="We watch the disk now.")
        await here.advance(timedelta(hours=2))
        await shown(here, lambda s: s["status"]["indicator"] == "none")
        assert sorted(map(str, await feed_titles(here))) == ["API: major outage", "Disk swap"]
        page = await here.client.call("GET", f"/incidents/{code}")
        assert "We watch the disk now." in page.text
        await nothing_leaks(here, code)


async def nothing_leaks(here: World, code: str) -> None:
    """No alert name and no host in any public byte, of pages that are there and of others."""
    plans = await here.client.get("/api/v2/scheduled-maintenances.json")
    paths = [
        "/",
        "/history",
        "/history/2026-11",
        f"/incidents/{code}",
        "/badge.svg",
        "/pages/internal",
        "/pages/no",
    ]
    paths += [
        f"/maintenance/{plans['scheduled_maintenances'][0]['id']}.ics",
        "/history.atom",
        "/incidents/INC-1",
    ]
    for path in paths:
        answer = await here.client.call("GET", path)
        assert CANARY not in answer.text + str(answer.headers), path


async def test_a_restart_shows_the_same_page(tmp_path: Path) -> None:
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/i.db", status_page=PAGE) as here:
        await here.post(fired("api"))
        before = await shown(here, lambda s: s["incidents"])
        await here.restart()
        assert await shown(here, bool) == before


async def test_an_alert_that_nobody_published_changes_nothing_public(tmp_path: Path) -> None:
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/i.db", status_page=PAGE) as here:
        first = await shown(here, bool)
        await here.post(fired("search"))
        await here.daemon.clockwork.pages.look()
        [draft] = (await here.client.get("/api/v1/status/publications?state=draft"))["items"]
        assert (await shown(here, bool))["components"] == first["components"]
        unknown = await here.client.call("GET", f"/incidents/{draft['id']}")
        never = await here.client.call("GET", "/incidents/abcdefghijkl")
        assert (unknown.status, never.status) == (404, 404)
        assert unknown.json["detail"] == never.json["detail"]


async def test_the_public_page_can_have_a_listener_that_serves_nothing_else(tmp_path: Path) -> None:
    page = {**PAGE, "listen": {"port": 0}}
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/i.db", status_page=page) as here:
        inside = here.client
        outside = Client(here.daemon.doors.public_url)
        try:
            assert await asyncio.to_thread(faults, here.daemon.doors.public_url) == []
            for path in (
                "/api/v1/incidents",
                "/metrics",
                "/health",
                "/api/v1/openapi.json",
                "/webhooks/alertmanager",
            ):
                assert (await outside.call("GET", path)).status == 404, path
                assert (await inside.call("GET", path)).status != 404, path
            for _ in range(2):  # the second time on a connection that is at rest
                for path in ("/", "/api/v2/status.json", "/history.rss", "/subscribe"):
                    assert (await inside.call("GET", path)).status == 404, path
            await inside.act("status/publications", title="It broke", components={"API": "major_outage"})

            async def told() -> bool:
                return "It broke" in (await outside.call("GET", "/")).text

            await until(told, "the page to tell of it", 5)
        finally:
            await outside.close()
