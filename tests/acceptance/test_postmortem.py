"""A postmortem through the front door: deployed, broken, paged, worked on, mended, written down, followed up."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from incidentd.rendering.formats import PAGE_POLICY
from incidentd.web.actions import Action, ActionPage
from incidentd.web.postmortem import Postmortem
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import EVERYBODY, NOON, World, world
from tests.rendering.pages import KNOWN, Tags

BOOK = """---
match: [alertname=ShopDown]
---
# The shop is down

## Steps

1. Look at the log
2. Roll back
"""
MINUTE = timedelta(minutes=1)
SHOP = {"service": "shop", "environment": "production", "version": "1.2", "status": "failure"}
SLO = [{"name": "shop-availability", "service": "shop", "target": 99, "window": "30d"}]


async def story(here: World) -> dict[str, Any]:
    """The shop is deployed, goes down four minutes later, and is rolled back by alice; its postmortem."""
    at = {"started_at": NOON - 9 * MINUTE, "finished_at": NOON - 4 * MINUTE}
    times = {key: value.isoformat() for key, value in at.items()}
    answer = await here.client.post(
        json.dumps({"id": "d-7", **SHOP, **times}).encode(), "/api/v1/deployments"
    )
    assert answer.status == 200, answer.text
    await here.post(webhook(alert("ShopDown", NOON - MINUTE, service="shop", instance="web-1")))
    await here.advance(2 * MINUTE)
    await here.client.act("incidents/1/acknowledge", comment="on it")
    await here.client.act("incidents/1/runbook/steps/2", state="done", comment="back to 1.1 ```")
    await here.advance(10 * MINUTE)
    await here.post(
        webhook(alert("ShopDown", NOON - MINUTE, NOON + 11 * MINUTE, service="shop", instance="web-1"))
    )
    found: dict[str, Any] = await here.client.get("/api/v1/incidents/1/postmortem")
    return found


def check_the_figures(found: dict[str, Any]) -> None:
    """By hand: it began at 20:39, opened at 20:40, was acknowledged at 20:42 and over at 20:51."""
    assert found["figures"] == {
        "detect_seconds": 60,
        "acknowledge_seconds": 180,
        "resolve_seconds": 720,
        "counts": True,
        "alerts": 1,
        "reopened": 0,
        "pages": 5,
        "people_paged": [],
    }
    # One percent of 30 days are 7.2 hours; 12 minutes are a thirty-sixth of them.
    assert found["budget_debits"] == [{"slo": "shop-availability", "seconds": 720, "share": 720 / 25920}]
    lengths = [(phase["state"], phase["from"], phase["to"]) for phase in found["phases"]]
    assert lengths == [
        ("triggered", "2026-11-20T20:40:00Z", "2026-11-20T20:42:00Z"),
        ("acknowledged", "2026-11-20T20:42:00Z", "2026-11-20T20:52:00Z"),
    ]


def check_the_rest(found: dict[str, Any]) -> None:
    [deployment] = found["deployments"]
    assert (deployment["version"], deployment["blamed"]) == ("1.2", True)
    assert deployment["offset_seconds"] == -240
    steps = found["runbook"]["steps"]
    assert [step["state"] for step in steps] == ["pending", "done"]
    assert [each["text"] for each in steps[1]["output"]] == ["back to 1.1 ```"]
    kinds = [entry["kind"] for entry in found["timeline"]]
    known = ["triggered", "deployment", "acknowledged", "step_done", "alerts_ended", "resolved"]
    assert kinds == known
    assert [each["labels"]["alertname"] for each in found["alerts"]] == ["ShopDown"]
    assert {each["channel"] for each in found["deliveries"]} == set(EVERYBODY)


async def test_a_postmortem_tells_all_that_is_known_of_an_incident(tmp_path: Path) -> None:
    async with shop(tmp_path) as here:
        found = await story(here)
        Postmortem.model_validate_json(json.dumps(found))
        check_the_figures(found)
        check_the_rest(found)
        text = await here.client.call("GET", "/api/v1/incidents/INC-1/postmortem?format=md")
        assert text.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert "shop 1.2 to production" in text.text
        assert "incidentctl actions add INC-1 TITLE" in text.text.replace("\\", "")
        page = await here.client.call("GET", "/api/v1/incidents/1/postmortem?format=html")
        assert page.headers["Content-Security-Policy"] == PAGE_POLICY
        tags = Tags.of(page.text)
        assert (tags.links, tags.found - KNOWN) == ([], set())
        for bad, status in (("2/postmortem", 404), ("1/postmortem?format=csv", 400), ("x/postmortem", 404)):
            assert (await here.client.call("GET", f"/api/v1/incidents/{bad}")).status == status


async def test_what_is_to_be_done_is_followed_until_it_is_done(tmp_path: Path, database_url: str) -> None:
    async with shop(tmp_path, database_url) as here:
        await story(here)
        made = await here.client.act(
            "incidents/1/actions", title="Alert on 5xx", owner="alice", due="2026-11-21"
        )
        Action.model_validate_json(json.dumps(made))
        assert (made["id"], made["ref"], made["state"], made["overdue"]) == (1, "INC-1", "open", False)
        other = await here.client.act("incidents/1/actions", title="Canary")
        await here.advance(timedelta(days=2))
        assert [item["id"] for item in await here.client.all("/api/v1/actions?overdue=true")] == [1]
        assert await here.client.metric("incidentd_actions", state="open") == 2
        assert await here.client.metric("incidentd_actions", state="overdue") == 1
        await here.client.act(f"actions/{other['id']}/edit", owner="bob", due="2026-12-24")
        for _ in range(2):
            done = await here.client.act("actions/1/done", comment="rule merged")
            assert (done["state"], done["closed_by"], done["comment"]) == ("done", "alice", "rule merged")
        await here.restart()
        ActionPage.model_validate_json(json.dumps(await here.client.get("/api/v1/actions")))
        [left] = await here.client.all("/api/v1/actions?state=open&incident=INC-1")
        assert (left["owner"], left["due"]) == ("bob", "2026-12-24")
        await check_what_was_written_of_them(here)


async def check_what_was_written_of_them(here: World) -> None:
    said = [entry["text"] for entry in await here.client.timeline(1) if entry["kind"].startswith("action_")]
    assert said == [
        "action 1 added: Alert on 5xx, alice, due 2026-11-21",
        "action 2 added: Canary, nobody's yet",
        "action 2 edited: Canary, bob, due 2026-12-24",
        "action 1 done: Alert on 5xx, alice, due 2026-11-21: rule merged",
    ]
    noted = [event["action"] for event in (await here.client.get("/api/v1/audit?limit=500"))["items"]]
    assert [action for action in noted if "action" in action] == [
        "incident.action_added",
        "incident.action_added",
        "incident.action_edited",
        "incident.action_done",
    ]
    text = await here.client.call("GET", "/api/v1/incidents/1/postmortem?format=md")
    assert "| 1 | Alert on 5xx | alice | 2026-11-21 | done | rule merged |" in text.text


def shop(folder: Path, database_url: str | None = None) -> AbstractAsyncContextManager[World]:
    """A daemon with a runbook for the shop and an objective for it."""
    (folder / "books").mkdir()
    (folder / "books/shop.md").write_text(BOOK, encoding="utf-8")
    url = database_url or f"sqlite+aiosqlite:///{folder}/incidentd.db"
    return world(folder, url, runbooks={"path": str(folder / "books")}, slo=SLO)
