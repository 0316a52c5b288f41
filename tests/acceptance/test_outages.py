"""A vendor is away while an incident happens: nobody else waits for it, and what it missed arrives later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world
from tests.acceptance.waiting import until
from tests.fakes.http import Answer

DOWN = Answer(503, b"try again later")
LATER = timedelta(minutes=10)
FIRING = webhook(alert("ShopDown", NOON))
RESOLVED = webhook(alert("ShopDown", NOON, NOON + timedelta(minutes=1)))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/incidentd.db") as opened:
        yield opened


async def page(here: World) -> dict[str, Any]:
    """The page to PagerDuty as the API shows it."""
    rows = await here.client.deliveries()
    [found] = [row for row in rows if (row["channel"], row["class"]) == ("pager", "page")]
    shown: dict[str, Any] = found
    return shown


async def test_a_vendor_that_is_down_gets_the_page_when_it_is_back(here: World) -> None:
    here.vendors.pager.script([DOWN, DOWN])
    await here.post(FIRING)
    waiting = await page(here)
    assert (waiting["state"], waiting["attempts"]) == ("pending", 1)
    assert "503" in waiting["last_error"]
    assert await here.client.metric("incidentd_channel_up", channel="pager") == 0
    await here.advance(LATER)
    await here.advance(LATER)
    sent = await page(here)
    assert (sent["state"], sent["attempts"]) == ("sent", 3)
    assert len({request.body for request in here.vendors.pager.requests}) == 1
    assert await here.client.metric("incidentd_channel_up", channel="pager") == 1


async def test_a_vendor_that_never_answers_delays_nobody_else(here: World) -> None:
    here.vendors.pager.script([Answer(hang=True)])
    answer = await here.client.post(FIRING)
    assert answer.status == 200
    await until(lambda: bool(here.vendors.hook.events and here.vendors.mail.mails), "the other channels")
    await until(lambda: bool(here.vendors.slack.messages), "Slack")
    assert "INC-1 TRIGGERED" in here.console.getvalue()
    assert (await page(here))["state"] == "leased"
    answer = await here.client.post(webhook(alert("OtherThing", NOON)))
    assert answer.status == 200
    await until(lambda: len(here.vendors.pager.events) == 1, "the next page to the same vendor")
    # Let it go, or the stop would wait for that request's own time-out.
    here.vendors.pager._leaving.set()
    await here.settle()


async def test_a_restart_in_the_middle_of_an_outage_forgets_no_page(here: World) -> None:
    here.vendors.pager.script([DOWN])
    await here.post(FIRING)
    await here.restart()
    await here.advance(LATER)
    assert (await page(here))["state"] == "sent"


async def test_a_reload_in_the_middle_of_an_outage_forgets_no_page(here: World) -> None:
    here.vendors.pager.script([DOWN])
    await here.post(FIRING)
    assert await here.daemon.reload() == []
    await here.advance(LATER)
    assert (await page(here))["state"] == "sent"


async def test_the_end_waits_for_the_beginning(here: World) -> None:
    """A resolve that overtook its trigger would leave a page that nobody ever closes."""
    here.vendors.pager.script([DOWN])
    await here.post(FIRING)
    assert (await here.client.post(RESOLVED)).status == 200
    await until(lambda: len(here.vendors.hook.events) == 2, "the others to hear of the end")
    assert here.vendors.pages() == []
    await here.advance(LATER)
    assert [action for action, _ in here.vendors.pages()] == ["trigger", "resolve"]


async def test_who_acknowledges_during_an_outage_is_not_paged_after_it(here: World) -> None:
    here.vendors.pager.script([DOWN])
    await here.post(FIRING)
    await here.client.act("incidents/1/acknowledge")
    await here.advance(LATER)
    assert (await page(here))["state"] == "suppressed"
    assert "page_suppressed" in {entry["kind"] for entry in await here.client.timeline(1)}
    assert "trigger" not in {action for action, _ in here.vendors.pages()}
