"""The whole chain with real programs: a metric falls, Prometheus' rule fires, Alertmanager posts, a page leaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape
from pathlib import Path

import pytest

from tests.acceptance import alertmanager as am
from tests.acceptance import prometheus as prom
from tests.acceptance.alertmanager import Alertmanager
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import ALICE, NOON, World, world
from tests.acceptance.prometheus import Prometheus, Shop
from tests.acceptance.stage import Stage, staged
from tests.acceptance.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    prom.binary()
    async with staged(tmp_path) as opened:
        yield opened


async def test_a_metric_that_falls_pages_somebody_and_ends_when_it_is_back(stage: Stage) -> None:
    token = stage.folder / "token"
    token.write_text(ALICE)
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    async with Shop() as shop, am.started(alertmanager):
        itself = prom.job("incidentd", stage.daemon.url.removeprefix("http://"), token)
        sent_to = alertmanager.url.removeprefix("http://")
        prometheus = Prometheus(stage.folder / "prometheus", sent_to, prom.job("shop", shop.address), itself)
        async with prom.started(prometheus):
            shop.up = False
            await stage.wait_firing(1, incidents=1)
            await until(lambda: everybody_knows(stage), "everybody to be told")
            await check_what_was_told(stage, prometheus, shop)
            await until(lambda: sees(prometheus, 1), "Prometheus to see the open incident in our metrics")
            shop.up = True
            await stage.wait_over(1)
            await until(lambda: sees(prometheus, 0), "Prometheus to see that it is over")
            assert await prometheus.value('up{job="incidentd"}') == 1
    stage.check_each_page_once(1)
    [incident] = await stage.client.incidents()
    assert (incident["state"], incident["resolved_by"]) == ("resolved", "source")
    assert (incident["alerts_firing"], incident["alerts_total"]) == (0, 1)


async def check_what_was_told(stage: Stage, prometheus: Prometheus, shop: Shop) -> None:
    """The alert as the rule made it, and the way back to Prometheus on the incident and in what people read."""
    [incident] = await stage.client.incidents()
    assert (incident["severity"], incident["service"]) == ("critical", "shop")
    [alert] = (await stage.client.incident(incident["id"]))["alerts"]
    source = alert["generator_url"]
    assert source.startswith(f"{prometheus.url}/graph?g0.expr=shop_up")
    assert alert["labels"]["instance"] == shop.address
    [page] = stage.vendors.pager.events
    assert page["event_action"] == "trigger"
    assert f"{shop.address} is down" in page["payload"]["summary"]
    assert [link["href"] for link in page["links"] if link["text"] == "Graph"] == [source]
    [event] = stage.vendors.hook.events
    assert [told["generator_url"] for told in event["data"]["alerts"]] == [source]
    [message] = stage.vendors.slack.messages
    assert f"<{escape(source, quote=False)}|" in json.dumps(message, ensure_ascii=False)
    [mail] = stage.vendors.mail.mails
    body = mail.content.get_body(("html",))
    assert body is not None
    assert f'href="{escape(source)}"' in body.get_content()


def everybody_knows(stage: Stage) -> bool:
    """True if each vendor was told once."""
    told = stage.vendors
    return (
        len(told.pager.events)
        == len(told.hook.events)
        == len(told.slack.messages)
        == len(told.mail.mails)
        == 1
    )


async def sees(prometheus: Prometheus, count: int) -> bool:
    """True if so many incidents are open by what Prometheus last scraped from the daemon."""
    return await prometheus.value('sum(incidentd_incidents_open{job="incidentd"})') == count


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with world(tmp_path, database_url) as opened:
        yield opened


async def test_promtool_accepts_every_series_after_a_whole_incident_on_a_bad_day(here: World) -> None:
    starts = NOON - timedelta(minutes=1)
    await here.post(webhook(alert("ShopDown", starts, service="shop"), {"status": "odd"}))
    await here.client.act("incidents/1/acknowledge")
    await here.post(webhook(alert("ShopDown", starts, NOON, service="shop")))
    assert (await here.client.call("GET", "/nowhere")).status == 404
    answer = await here.client.call("GET", "/metrics")
    kept = {"mttr_seconds_count", "security_events_total", "suspicious_activity_total", "auth_attempts_total"}
    assert kept <= {line.partition("{")[0] for line in answer.text.splitlines()}
    assert await prom.complaints(answer.text) == ""
