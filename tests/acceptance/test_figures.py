"""Objectives, reports and the monthly mail through the front door, beside what comes out by hand."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from incidentd.rendering.formats import PAGE_POLICY
from incidentd.web.report import Report
from incidentd.web.slo import BudgetDetail, BudgetPage
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world
from tests.fakes.http import Answer
from tests.rendering.pages import KNOWN, Tags
from tests.sources.test_prometheus import PrometheusFake

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ONE_DAY = {"name": "shop-availability", "service": "shop", "target": 99, "window": "1d"}
"""Its budget is 14.4 minutes."""


def lite(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/incidentd.db"


async def down(here: World, minutes: float) -> None:
    """The shop is away from one minute before now on, for so long as the clock is moved by."""
    start = here.clock.now() - MINUTE
    await here.post(webhook(alert("ShopDown", start, service="shop")))
    await here.advance(minutes * MINUTE)


async def back(here: World, since: datetime) -> None:
    await here.post(webhook(alert("ShopDown", since, here.clock.now(), service="shop")))


async def burning(here: World) -> list[Any]:
    """The incidents about budgets, after a look at them."""
    await here.daemon.clockwork.watching.look()
    found = await here.client.incidents()
    return [each for each in found if each["labels"].get("alertname") == "IncidentdBudgetBurn"]


async def test_an_objective_of_incidents_is_spent_burns_and_is_quiet_again(tmp_path: Path) -> None:
    async with world(tmp_path, lite(tmp_path), slo=[ONE_DAY]) as here:
        await down(here, 20)
        # 21 of 14.4 minutes; 21 of the last 60, 360 and 4320 minutes, where one in a hundred may be.
        found = await here.client.get("/api/v1/slo/shop-availability")
        BudgetDetail.model_validate_json(json.dumps(found))
        assert (round(found["budget_left"], 4), found["state"]) == (round(1 - 21 / 14.4, 4), "exhausted")
        rates = {each["window"]: round(each["rate"], 3) for each in found["burn_rates"]}
        assert rates == {"1h": 35.0, "6h": 5.833, "3d": 0.486}
        assert found["debits"] == [{"incident_id": 1, "ref": "INC-1", "seconds": 1260.0, "share": 21 / 14.4}]
        [incident] = await burning(here)
        assert (incident["severity"], incident["service"], incident["state"]) == (
            "warning",
            "shop",
            "triggered",
        )
        assert [each["id"] for each in await burning(here)] == [incident["id"]], "told once"
        assert await here.client.metric(
            "incidentd_slo_burn_rate", slo="shop-availability", window="1h"
        ) == pytest.approx(35)
        debits = (await here.client.incident(1))["budget_debits"]
        assert debits == [{"slo": "shop-availability", "seconds": 1260.0, "share": 21 / 14.4}]
        await back(here, NOON - MINUTE)
        await here.advance(6 * MINUTE)
        [over] = await burning(here)
        assert (over["id"], over["state"], over["resolved_by"]) == (incident["id"], "resolved", "source")
        await check_the_drawing_and_the_list(here)


async def check_the_drawing_and_the_list(here: World) -> None:
    drawing = await here.client.call("GET", "/api/v1/slo/shop-availability/burndown.svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    assert ET.fromstring(drawing.text).tag.endswith("svg")  # noqa: S314 - our own
    BudgetPage.model_validate_json(json.dumps(await here.client.get("/api/v1/slo")))
    assert (await here.client.call("GET", "/api/v1/slo/other")).status == 404


async def test_an_objective_of_a_prometheus_pages_and_keeps_its_last_measurement(tmp_path: Path) -> None:
    async with PrometheusFake() as prometheus:
        source = {"prometheus": prometheus.url, "errors": "errors[$window]", "total": "total[$window]"}
        level = {"name": "shop-requests", "service": "shop", "target": 99.9, "promql": source}
        async with world(tmp_path, lite(tmp_path), slo=[level]) as here:
            [unknown] = (await here.client.get("/api/v1/slo"))["items"]
            assert (unknown["state"], unknown["budget_left"], unknown["burn_rates"]) == (None, None, [])
            prometheus.wrong = "180"
            # 180 of the 3600 requests of an hour, where one in a thousand may fail.
            [incident] = await burning(here)
            await here.settle()
            assert (incident["severity"], incident["state"]) == ("critical", "triggered")
            assert "50.0 times as fast as it may over 1h" in incident["title"]
            assert ("trigger", here.vendors.pages()[0][1]) == here.vendors.pages()[0]
            prometheus.odd = Answer(503, {"status": "error", "error": "starting"})
            await here.advance(5 * MINUTE)
            assert [each["state"] for each in await burning(here)] == ["triggered"]
            [stale] = (await here.client.get("/api/v1/slo"))["items"]
            assert (stale["error"], stale["measured_at"]) == ("HTTP 503 starting", "2026-11-20T20:40:00Z")
            assert stale["burn_rates"][0] == {"window": "1h", "rate": pytest.approx(50)}
            prometheus.odd, prometheus.wrong = None, "0"
            assert [each["state"] for each in await burning(here)] == ["resolved"]


async def test_the_report_is_the_same_in_every_form(tmp_path: Path) -> None:
    async with world(tmp_path, lite(tmp_path)) as here:
        await down(here, 20)
        await back(here, NOON - MINUTE)
        report = await here.client.get("/api/v1/report?window=1h")
        Report.model_validate_json(json.dumps(report))
        assert report["total"]["mttr"]["mean_seconds"] == 21 * 60
        assert sum(step["opened"] for step in report["over_time"]) == 1
        table = await here.client.call("GET", "/api/v1/report?window=1h&format=csv")
        rows = list(csv.reader(io.StringIO(table.text)))
        assert ["All incidents", "MTTR", "mean", "21 min"] in rows
        text = await here.client.call("GET", "/api/v1/report?window=1h&format=md")
        assert "| MTTR | 1 | 21 min | 21 min | 21 min | 21 min |" in text.text
        page = await here.client.call("GET", "/api/v1/report?window=1h&format=html")
        assert page.headers["Content-Security-Policy"] == PAGE_POLICY
        assert page.text.count("<svg") == 5
        assert (Tags.of(page.text).found - KNOWN, Tags.of(page.text).links) == (set(), [])


MONTHLY = {"monthly_report": {"channel": "mail", "time_zone": "Europe/Berlin", "at": "08:00"}}


async def mails(here: World) -> list[Any]:
    """The reports that were mailed, after it was looked whether one is due."""
    await here.daemon.clockwork.mailing.send()
    found = [mail.content for mail in here.vendors.mail.mails]
    return [content for content in found if content["Subject"].startswith("Incident report")]


async def test_the_report_of_a_month_is_mailed_once_when_the_next_has_begun(tmp_path: Path) -> None:
    async with world(tmp_path, lite(tmp_path), figures=MONTHLY) as here:
        await down(here, 20)
        await back(here, NOON - MINUTE)
        here.clock.set(datetime(2026, 12, 1, 6, 59, tzinfo=UTC))
        assert await mails(here) == []
        here.clock.set(datetime(2026, 12, 1, 7, 0, tzinfo=UTC))
        here.vendors.mail.script("DATA", "451 4.3.0 later")
        assert await mails(here) == []
        assert await mails(here) == [], "another replica may be at it for ten minutes"
        here.clock.set(datetime(2026, 12, 1, 7, 10, tzinfo=UTC))
        [letter] = await mails(here)
        assert (letter["Subject"], letter["To"]) == ("Incident report 2026-11", "ops@example.com")
        [page] = list(letter.iter_attachments())
        assert page.get_filename() == "incidents-2026-11.html"
        assert "2026-10-31 23:00Z to 2026-11-30 23:00Z" in page.get_content()
        assert "21 min" in letter.get_body(("plain",)).get_content()
        await here.restart()
        assert len(await mails(here)) == 1
