"""Reports and postmortems in a real browser: they fit a screen, a telephone and paper, for every eye."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.rendering import postmortem
from incidentd.rendering.formats import Format, rendered
from tests.acceptance.browser import DESKTOP, PHONE, Browser, browser
from tests.rendering.test_formats import report
from tests.rendering.test_postmortem import postmortem as document

LONG = "HighErrorRateOnTheCheckoutServiceOfTheShop on web-23.example.com:9100"
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
"""The page scrolls sideways."""


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browser(tmp_path) as opened:
        yield opened


async def test_a_report_and_a_postmortem_fit_every_screen_and_every_eye(
    tmp_path: Path, chromium: Browser
) -> None:
    pages = {
        "report": rendered(report(LONG, "alice", LONG), Format.HTML),
        "postmortem": postmortem.rendered(document(LONG), Format.HTML),
    }
    for name, page in pages.items():
        for size, dark in ((DESKTOP, False), (PHONE, True)):
            await chromium.look(size, dark=dark)
            await chromium.show(page)
            assert not await chromium.ask(WIDE), f"{name}: there is more than fits"
            assert await chromium.violations() == [], name
            await chromium.picture(tmp_path, f"{name}-{size[0]}")
        await chromium.look(dark=True, media="print")
        assert await chromium.ask("getComputedStyle(document.body).color") == "rgb(29, 35, 41)", "on paper"
