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
            await here.advance(6 * MINUTE)
            assert [each["state"] for each in await burning(here)] == ["triggered"]
            [unknown] = (await here.client.get("/api/v1/slo"))["items"]
            assert (unknown["state"], unknown["burn_rates"], unknown["error"]) == (
                None,
                [],
                "HTTP 503 starting",
            )
            assert "incidentd_slo_burn_rate{" not in (await here.client.call("GET", "/metrics")).text
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


async def deployed(
    here: World, name: str, began: float, ended: float, status: str = "success", **other: Any
) -> None:
    """A pipeline tells of a deployment of the shop, in minutes after noon."""
    body = {
        "id": name,
        "service": "shop",
        "environment": "production",
        "version": name,
        "commit_time": (NOON - 2 * HOUR).isoformat(),
        "started_at": (NOON + began * MINUTE).isoformat(),
        "finished_at": (NOON + ended * MINUTE).isoformat(),
        "status": status,
        **other,
    }
    answer = await here.client.post(json.dumps(body).encode(), "/api/v1/deployments")
    assert answer.status == 200, answer.text


async def two_episodes(here: World) -> None:
    """Down from one minute before noon to 10 after it, taken at 5, and once more from 13 to 20."""
    await here.post(webhook(alert("ShopDown", NOON - MINUTE, service="shop")))
    await here.advance(5 * MINUTE)
    await here.client.act("incidents/1/acknowledge")
    await here.advance(5 * MINUTE)
    await here.post(webhook(alert("ShopDown", NOON - MINUTE, here.clock.now(), service="shop")))
    await here.advance(4 * MINUTE)
    await here.post(webhook(alert("ShopDown", NOON + 13 * MINUTE, service="shop")))
    await here.advance(6 * MINUTE)
    await here.post(webhook(alert("ShopDown", NOON + 13 * MINUTE, here.clock.now(), service="shop")))


async def test_a_failure_a_coming_back_and_staging_come_out_as_by_hand(tmp_path: Path) -> None:
    async with world(tmp_path, lite(tmp_path), slo=[ONE_DAY]) as here:
        await deployed(here, "1.0", -10, -5)
        await deployed(here, "1.0-rc", -9, -4, "failure", environment="staging")
        await two_episodes(here)
        await here.advance(10 * MINUTE)
        await deployed(here, "1.1", 22, 25, "failure")
        await deployed(here, "1.2", 28, 30)
        tells = alert("NewDeployment", NOON + 29 * MINUTE, severity="info", service="deployments")
        await here.post(webhook(tells))
        report = await here.client.get("/api/v1/report?window=1h")
        total = report["total"]
        assert (total["opened"], total["resolved"]) == (2, 1)
        spans = {
            name: (total[name]["count"], total[name]["mean_seconds"]) for name in ("mttd", "mtta", "mttr")
        }
        assert spans == {"mttd": (1, 60), "mtta": (1, 6 * 60), "mttr": (1, (11 + 7) * 60)}
        dora = report["dora"]
        assert (dora["deployments"], dora["successful"]) == (3, 2)
        assert dora["deployment_frequency"]["per_day"] == pytest.approx(48)
        assert dora["lead_time"]["mean_seconds"] == (115 + 150) / 2 * 60
        failed = dora["change_failure_rate"]
        assert (failed["ratio"], failed["failure"], failed["incident"]) == (2 / 3, 1, 1)
        # The incident from its opening to its last end; the failure to the end of what came after it.
        assert dora["recovery_time"]["mean_seconds"] == (20 + 5) / 2 * 60
        [spent] = (await here.client.incident(1))["budget_debits"]
        assert spent["seconds"] == (11 + 7) * 60
        await check_the_series(here)


async def check_the_series(here: World) -> None:
    shown, there = here.client.metric, {"environment": "production"}
    assert await shown("deployment_frequency_total", **there, status="success") == 2
    assert await shown("deployment_frequency_total", **there, status="failure") == 1
    assert await shown("deployment_frequency_total", environment="staging", status="failure") == 1
    assert await shown("deployment_lead_time_seconds_sum", **there) == (115 + 150) * 60
    for kind in ("failure", "incident"):
        assert await shown("change_failure_rate_total", **there, failure_type=kind) == 1
    assert await shown("mttr_seconds_sum", incident_type="critical") == 11 * 60
    assert await shown("mttr_seconds_count", incident_type="critical") == 1
    assert await shown("incidentd_metrics_database_up") == 1
    text = (await here.client.call("GET", "/metrics")).text
    named = {line.partition("{")[2] for line in text.splitlines() if line.startswith("incidentd_figures_env")}
    assert named == {'environment="prod"} 1.0', 'environment="production"} 1.0'}


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
