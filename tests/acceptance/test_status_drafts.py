"""From an alert to the public: on-call hear of the draft at once, are reminded, publish; nothing internal gets out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidentd.store import schema_status_page
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON
from tests.acceptance.publicly import Public, public
from tests.acceptance.waiting import until
from tests.fakes.status_hook import StatusHook

CANARY = "CaNaRy7"
STARTED = NOON - timedelta(minutes=1)
USERS = {"alice": {"name": f"Alice {CANARY}"}}


def slack(here: Public) -> str:
    """Everything that stands in Slack."""
    fake = here.world.vendors.slack
    return str([*fake.messages, *fake.updates])


async def down(here: Public, service: str, **labels: str) -> None:
    made = alert(f"{CANARY}Down", STARTED, service=service)
    made["labels"] |= labels
    await here.world.post(webhook(made))
    await here.leave()
    await here.world.settle()


async def test_a_draft_is_in_slack_at_once_a_reminder_after_five_minutes_and_then_it_is_public(
    tmp_path: Path, database_url: str
) -> None:
    async with public(tmp_path, database_url) as here:
        await down(here, "api")
        (draft,) = (await here.world.client.get("/api/v1/status/publications?state=draft"))["items"]
        await until(
            lambda: f"incidentctl status publish {draft['id']}" in slack(here), "the draft in Slack", 5
        )
        assert (await here.ask("GET", "/api/v2/status.json")).json["status"]["indicator"] == "none"
        assert "does not tell of this yet" not in slack(here)
        await here.leave(timedelta(minutes=5))
        await here.world.advance(timedelta(seconds=31))
        await until(lambda: "does not tell of this yet" in slack(here), "the reminder in Slack", 5)
        await here.say("INC-1", "publish")
        await until(lambda: _indicator(here, "major"), "the page to tell of it")
        entries = await here.world.client.timeline(1)
        assert [e["kind"] for e in entries if e["kind"].startswith("status_")] == [
            "status_draft", "status_reminder", "status_published",
        ]  # fmt: skip


async def _indicator(here: Public, wanted: str) -> bool:
    return bool((await here.ask("GET", "/api/v2/status.json")).json["status"]["indicator"] == wanted)


async def test_nothing_internal_is_in_a_mail_a_post_or_a_copy(tmp_path: Path) -> None:
    site = tmp_path / "site"
    async with public(tmp_path, export={"directory": str(site)}) as here, StatusHook() as hook:
        await here.subscribed("bob@example.org")
        await here.subscribed("carol@example.org", endpoint=hook.url)
        labels = {"instance": f"{CANARY}.internal:9100", f"x_{CANARY}": CANARY}
        await down(here, "api", **labels)
        await here.world.client.act("incidents/1/notes", text=CANARY)
        reason = {"component": "Blog", "status": "partial_outage", "reason": CANARY, "for": "1h"}
        await here.world.client.act("status/overrides", **reason)
        await here.say("INC-1", "publish")
        await here.leave()
        await here.say("INC-1", "resolve", body="It is over.")
        await here.leave()
        await here.world.daemon.clockwork.exporting.run()
        copies = [path.read_bytes() for path in (site / "current").rglob("*") if path.is_file()]
        names = [str(path) for path in (site / "current").rglob("*")]
        mails = [m.raw for who in ("bob@example.org", "carol@example.org") for m in here.mails(who)]
        posts = [received.body + str(received.headers).encode() for received in hook.requests]
        assert (len(mails), len(posts) >= 4, hook.violations) == (4, True, [])
        assert b"It is over." in b"".join(copies)
        everything = b"".join([*copies, *mails, *posts, *[name.encode() for name in names]])
        assert CANARY.lower().encode() not in everything.lower()


async def test_pages_are_withheld_during_public_maintenance_and_nothing_is_drafted(tmp_path: Path) -> None:
    async with public(tmp_path) as here:
        plan: dict[str, Any] = {"title": "Upgrade", "components": ["API"], "duration": "2h"}
        await here.world.client.act("status/maintenances", **plan)
        await here.leave()
        await down(here, "api")
        incident = await here.world.client.incident(1)
        assert incident["suppressed_by"] == "Upgrade"
        assert (await here.world.client.get("/api/v1/status/publications"))["items"] == []
        await here.leave(timedelta(hours=2))
        await here.world.daemon.clockwork.chores.end_maintenance()
        await here.leave()
        assert (await here.world.client.incident(1))["suppressed_by"] is None
        items = (await here.world.client.get("/api/v1/status/publications"))["items"]
        assert [each["state"] for each in items] == ["draft"]


async def test_while_our_own_monitoring_is_away_the_page_is_not_green_and_nothing_counts_as_up(
    tmp_path: Path,
) -> None:
    beats = {"main": {"heartbeats": [{"matchers": ['alertname="Watchdog"'], "every": "1m"}]}}
    async with public(tmp_path, sources=beats) as here:
        await here.world.post(webhook(alert("Watchdog", STARTED, severity="none")))
        await here.leave(timedelta(seconds=30))
        await here.leave(timedelta(seconds=30))
        before = await observed(here)
        assert before > 0
        for _ in range(12):
            await here.leave(timedelta(seconds=60))
            await here.world.daemon.clockwork.chores.watch_heartbeats()
        await here.leave()
        await until(lambda: _indicator(here, "minor"), "the page to say so")
        page = await here.ask("GET", "/")
        assert "Monitoring data is delayed" in page.text
        away = await observed(here)
        await here.leave(timedelta(seconds=60))
        await here.leave(timedelta(seconds=60))
        assert await observed(here) == away


async def observed(here: Public) -> int:
    """Seconds of the API component that count."""
    days = schema_status_page.component_days.c
    total = sa.select(sa.func.sum(days.operational)).where(days.component == "api")
    return int(await here.world.daemon.store.read(lambda tx: tx.conn.execute(total).scalar()) or 0)
