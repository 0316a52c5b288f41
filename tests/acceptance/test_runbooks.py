"""Runbooks through the front door: an alert in, the steps at everybody's hands, one done, a file broken meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world

GOOD = """---
match: ['alertname=~"Shop.*"']
owner: team-shop
---
# The shop is down

## Steps

1. Look at the {what}
2. Restart
3. Tell people
4. Write it down
"""

NEVER = """---
match: [alertname=Never]
tested: 2026-11-01
---
# Never

## Steps

1. Look
"""


def put(folder: Path, what: str) -> None:
    """Write the one runbook."""
    folder.mkdir(exist_ok=True)
    (folder / "shop.md").write_text(GOOD.format(what=what), encoding="utf-8")


async def fire(here: World, name: str) -> dict[str, Any]:
    """A new alert of a service of its own; its runbook."""
    accepted = await here.post(webhook(alert(name, NOON - timedelta(minutes=1), service=name)))
    [number] = accepted["incidents"]
    book: dict[str, Any] = await here.client.get(f"/api/v1/incidents/{number}/runbook")
    return book


def check_everybody_has_the_steps(here: World) -> None:
    [message] = here.vendors.slack.messages
    blocks = str(message["blocks"])
    assert "*Runbook: The shop is down (0 of 4 done)*" in blocks
    assert "1. Look at the log\\n2. Restart\\n3. Tell people" in blocks
    assert "Write it down" not in blocks
    assert "<https://incidents.example.com/api/v1/incidents/1/runbook|All steps>" in blocks
    [mail] = here.vendors.mail.mails
    plain = mail.content.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "[ ] 4. Write it down" in text
    [event] = here.vendors.hook.events
    assert event["data"]["incident"]["runbook"]["name"] == "shop"
    assert [step["state"] for step in event["data"]["runbook_steps"]] == ["pending"] * 4


async def test_an_incident_opens_with_its_runbook_and_people_go_through_it(
    tmp_path: Path, database_url: str
) -> None:
    put(tmp_path / "books", "log")
    async with world(tmp_path, database_url, runbooks={"path": str(tmp_path / "books")}) as here:
        book = await fire(here, "ShopDown")
        assert (book["name"], book["reason"]) == ("shop", "only_match: 1 regex")
        check_everybody_has_the_steps(here)
        done = await here.client.act("incidents/1/runbook/steps/2", state="done", comment="two pods")
        assert (done["steps_done"], done["steps"][1]["actor"]) == (1, "alice")
        await here.advance(timedelta(minutes=1))
        assert here.vendors.hook.events[-1]["type"] == "incident.updated"
        assert here.vendors.hook.events[-1]["data"]["runbook_steps"][1]["state"] == "done"
        await here.restart()
        assert await here.client.get("/api/v1/incidents/1/runbook") == done
        assert (await here.client.incident(1))["runbook"]["steps_done"] == 1
        assert await here.client.metric("incidentd_runbooks") == 1


async def test_a_changed_file_is_seen_a_broken_one_is_told_and_open_incidents_keep_theirs(
    tmp_path: Path,
) -> None:
    url, books = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db", tmp_path / "books"
    put(books, "log")
    async with world(tmp_path, url, runbooks={"path": str(books)}) as here:
        first = await fire(here, "ShopDown")
        put(books, "dashboard, which says more")
        await here.daemon.clockwork.chores.read_runbooks()
        assert (await fire(here, "ShopSlow"))["steps"][0]["text"] == "Look at the dashboard, which says more"
        (books / "shop.md").write_text("---\nmatch: [\n", encoding="utf-8")
        headers = {"Content-Type": "application/json"}
        assert (await here.client.call("POST", "/-/reload", b"{}", headers)).status == 200
        assert (await fire(here, "ShopOdd"))["steps"][0]["text"] == "Look at the dashboard, which says more"
        assert await here.client.metric("incidentd_runbook_errors") == 1
        health = await here.client.get("/health/detailed")
        [check] = [check for check in health["checks"] if check["name"] == "runbooks"]
        assert (check["status"], "shop.md:1: the front matter has no end" in check["detail"]) == (
            "degraded",
            True,
        )
        assert await here.client.get("/api/v1/incidents/1/runbook") == first
        assert (await here.client.get("/api/v1/runbooks"))["items"][0]["name"] == "shop"


async def test_the_report_tells_with_from_without_and_a_restart_changes_no_figure(
    tmp_path: Path, database_url: str
) -> None:
    put(tmp_path / "books", "log")
    (tmp_path / "books/never.md").write_text(NEVER, encoding="utf-8")
    async with world(tmp_path, database_url, runbooks={"path": str(tmp_path / "books")}) as here:
        await here.post(webhook(alert("ShopDown", NOON, service="shop"), alert("Odd", NOON, service="odd")))
        for step, state in (("1", "done"), ("2", "skipped")):
            await here.client.act(f"incidents/1/runbook/steps/{step}", state=state)
        await here.advance(timedelta(minutes=4))
        await here.client.act("incidents/1/acknowledge")
        await here.client.act("incidents/1/resolve", force=True)
        await here.advance(timedelta(minutes=6))
        await here.client.act("incidents/2/resolve", force=True)
        metric = here.client.metric
        assert await metric("incidentd_guided_acknowledge_seconds_sum", guidance="runbook") == 240
        assert await metric("incidentd_guided_resolve_seconds_sum", guidance="runbook") == 240
        assert await metric("incidentd_guided_resolve_seconds_sum", guidance="link") == 600
        assert await metric("incidentd_runbook_tested_timestamp_seconds", runbook="never") == 1_793_491_200
        assert await metric("incidentd_runbook_tested_timestamp_seconds", runbook="shop") == 0
        before = (await here.client.get("/api/v1/report?window=1h"))["runbooks"]
        check_the_figures(before)
        await here.restart()
        assert (await here.client.get("/api/v1/report?window=1h"))["runbooks"] == before
        alone = (await here.client.get("/api/v1/report?window=1h&service=odd"))["runbooks"]
        assert (alone["items"], alone["steps"]["total"]) == ([], 0)


def check_the_figures(found: dict[str, Any]) -> None:
    by = {row["guidance"]: (row["opened"], row["mttr"]["p50_seconds"]) for row in found["by_guidance"]}
    assert by == {"runbook": (1, 240.0), "link": (1, 600.0), "none": (0, None)}
    used, idle = found["items"]
    assert (used["name"], used["mtta"]["p50_seconds"], used["tested"]) == ("shop", 240.0, None)
    assert (used["owner"], used["in_force"]) == ("team-shop", True)
    steps = {"total": 4, "pending": 2, "running": 0, "done": 1, "skipped": 1, "failed": 0}
    assert used["steps"] == found["steps"] == steps
    assert (idle["name"], idle["opened"], idle["tested"]) == ("never", 0, "2026-11-01")
