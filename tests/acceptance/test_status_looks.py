"""The status page as people see it: in a real Chromium, on every size of screen, without script, judged by axe-core."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incidentd.domain.status_page.page import Look
from incidentd.public import documents
from tests.acceptance.browser import DESKTOP, NARROW, PHONE, Browser, browser
from tests.acceptance.harness import World, world
from tests.acceptance.waiting import until
from tests.public.scenes import SCENES

COMPONENTS = [
    {"name": "API", "group": "Core", "match": ['service="api"'], "description": "Requests of your programs"},
    {"name": "Dashboard", "group": "Core", "match": ['service="web"']},
    {"name": "Search", "match": ['service="search"']},
]
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
RTL = Look(language="ar", words={"all_systems_operational": "جميع الأنظمة تعمل"})


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browser(tmp_path) as opened:
        yield opened


async def published(here: World) -> str:
    """An incident that the public reads about; its code."""
    said: dict[str, Any] = {
        "title": "API requests fail",
        "components": {"API": "major_outage"},
        "next_update": "30m",
    }
    made = await here.client.act("status/publications", **said)
    plan = {
        "title": "Network upgrade",
        "components": ["Search"],
        "starts": "2026-11-22T02:00:00Z",
        "duration": "2h",
    }
    await here.client.act("status/maintenances", **plan)

    async def shown() -> bool:
        document = await here.client.get("/api/v2/summary.json")
        return bool(document["incidents"] and document["scheduled_maintenances"])

    await until(shown, "the page to tell of it", 5)
    return str(made["id"])


async def test_the_page_of_a_running_daemon_is_one_request_and_fit_for_everybody(
    tmp_path: Path, chromium: Browser
) -> None:
    page = {"name": "Acme Cloud", "components": COMPONENTS}
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/i.db", status_page=page) as here:
        code = await published(here)
        # The page's own policy forbids scripts; the judge is one.
        await chromium.say("Page.setBypassCSP", enabled=True)
        for path in ("/", f"/incidents/{code}", "/history"):
            await chromium.look(DESKTOP)
            await chromium.open(here.daemon.url + path)
            assert chromium.requests == [here.daemon.url + path]
            assert await chromium.violations() == []
        await chromium.say("Page.setBypassCSP", enabled=False)
        await chromium.say("Emulation.setScriptExecutionDisabled", value=True)
        await chromium.open(here.daemon.url)
        text = await chromium.say("DOM.getDocument")
        body = await chromium.say("DOM.getOuterHTML", nodeId=text["root"]["nodeId"])
        for said in ("Partial System Outage", "API requests fail", "Next update due", "Network upgrade"):
            assert said in body["outerHTML"]


@pytest.mark.parametrize("scene", ["maintenance and outage", "new", "hostile"])
async def test_it_fits_every_screen_and_every_eye(tmp_path: Path, chromium: Browser, scene: str) -> None:
    html = documents.render(SCENES[scene]())["/"].body.decode()
    for name, size, dark in (
        ("desktop", DESKTOP, False), ("dark", PHONE, True), ("phone", PHONE, False), ("narrow", NARROW, True),
    ):  # fmt: skip
        await chromium.look(size, dark=dark)
        await chromium.show(html)
        assert not await chromium.ask(WIDE), f"{name}: there is more than fits"
        if name in {"desktop", "dark"}:
            assert await chromium.violations() == [], name
        shot = await chromium.picture(tmp_path, f"{scene.replace(' ', '-')}-{name}")
        assert shot.stat().st_size > 10_000


async def test_dark_screens_get_dark_pages_and_paper_stays_white(chromium: Browser) -> None:
    await chromium.show(documents.render(SCENES["one outage"]())["/"].body.decode())
    colour = "getComputedStyle(document.body).backgroundColor"
    await chromium.look(dark=True)
    assert await chromium.ask(colour) == "rgb(15, 20, 25)"
    await chromium.look(dark=True, media="print")
    assert await chromium.ask(colour) == "rgb(255, 255, 255)"
    assert await chromium.ask("getComputedStyle(document.querySelector('.button')).display") == "none"


async def test_it_speaks_other_languages_in_both_directions(tmp_path: Path, chromium: Browser) -> None:
    for language in ("de", "fr", "es", "ar"):
        look = RTL if language == "ar" else Look(language=language)
        html = documents.render(replace(SCENES["all green"](), look=look))["/"].body.decode()
        await chromium.look(NARROW)
        await chromium.show(html)
        assert not await chromium.ask(WIDE), language
        direction = "rtl" if language == "ar" else "ltr"
        assert await chromium.ask("getComputedStyle(document.body).direction") == direction
        await chromium.picture(tmp_path, f"language-{language}")
    assert await chromium.violations() == []


async def test_the_whole_page_can_be_used_by_keyboard(chromium: Browser) -> None:
    await chromium.look()
    await chromium.show(documents.render(SCENES["one outage"]())["/"].body.decode())
    for _ in range(2):  # the first leads past the header, the second is the name of the page
        for kind in ("keyDown", "keyUp"):
            await chromium.say(
                "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
            )
    assert await chromium.ask("document.activeElement.className") == "brand"
    assert await chromium.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
