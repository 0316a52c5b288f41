"""From an alert to the public: on-call hear of the draft at once, are reminded, publish; nothing internal gets out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from incidentd.store import schema_status_page
from incidentd.web.routes import OPS
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON
from tests.acceptance.publicly import Public, public
from tests.acceptance.waiting import until
from tests.fakes.status_hook import StatusHook
from tests.public.canaries import CANARY, examples, traces

STARTED = NOON - timedelta(minutes=1)
JSON = {"Content-Type": "application/json"}


def slack(here: Public) -> str:
    """Everything that stands in Slack."""
    fake = here.world.vendors.slack
    return str([*fake.messages, *fake.updates])


async def down(here: Public, service: str) -> None:
    await here.world.post(webhook(alert(f"{CANARY}Down", STARTED, service=service)))
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


INSIDE = {"name": f"Inside {CANARY}", "token": "token-of-the-internal-page-0123"}
PAGES = {"partner": {"name": "Partners"}, "inside": INSIDE}
GIVEN = {
    "users": {"alice": {"name": f"Alice {CANARY}", "email": f"{CANARY}@example.com"}},
    "heartbeats": {CANARY.lower(): {"every": "1d"}},
}


async def told(here: Public) -> bytes:
    """Headers and body of every public answer, errors too."""
    events = (await here.ask("GET", "/api/v2/incidents.json")).json["incidents"]
    paths = [op.path for op in OPS if op.access == "public" and not op.path.startswith(("/health", "/ack"))]
    paths += [f"/incidents/{event['id']}" for event in events]
    paths += [
        "/incidents/INC-1",
        "/nothing",
        "/pages/inside/",
        "/pages/nothing/",
        "/badge/api.svg",
        "/subscriptions/x",
    ]
    paths += [f"/pages/partner{path}" for path in ("/", "/history", "/api/v2/summary.json", "/history.rss")]
    found = [await here.ask(method, path) for path in paths for method in ("GET", "POST")]
    assert {200, 401, 404, 405} <= {answer.status for answer in found}
    return b"".join([f"{answer.headers}{answer.text}".encode() for answer in found])


async def test_nothing_internal_is_in_an_answer_a_mail_a_post_or_a_copy(tmp_path: Path) -> None:
    site = tmp_path / "site"
    export = {"directory": str(site)}
    async with public(tmp_path, given=GIVEN, export=export, pages=PAGES) as here, StatusHook() as hook:
        await here.subscribed("bob@example.org")
        await here.subscribed("carol@example.org", endpoint=hook.url)
        everything = [await told(here)]
        for number, (labels, notes) in enumerate(examples(4), start=1):
            made = alert(f"{CANARY}Down{number}", STARTED, service=("api", "search", "blog")[number % 3])
            made |= {"labels": made["labels"] | labels, "annotations": made["annotations"] | notes}
            await here.world.post(webhook(made))
            await here.leave()
            await here.world.client.act(f"incidents/{number}/notes", text=CANARY)
            await here.say(f"INC-{number}", "publish")
        reason = {"component": "Blog", "status": "partial_outage", "reason": CANARY, "for": "1h"}
        await here.world.client.act("status/overrides", **reason)
        await here.leave()
        everything.append(await told(here))
        await here.say("INC-1", "resolve", body="It is over.")
        await here.leave()
        await here.world.daemon.clockwork.exporting.run()
        copies = [path.read_bytes() for path in (site / "current").rglob("*") if path.is_file()]
        names = [str(path).encode() for path in (site / "current").rglob("*")]
        mails = [m.raw for who in ("bob@example.org", "carol@example.org") for m in here.mails(who)]
        posts = [received.body + str(received.headers).encode() for received in hook.requests]
        assert (len(mails) >= 7, len(posts) >= 9, hook.violations) == (True, True, [])
        assert b"It is over." in b"".join(copies)
        assert traces(b"".join([*everything, await told(here), *copies, *mails, *posts, *names])) == []


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
    async with public(tmp_path, given={"sources": beats}) as here:
        # Work on Prometheus: it pages nobody, and is no reason to show the public what is not known.
        work = {"name": "upgrade", "matchers": ['alertname="HeartbeatMissing"'], "duration": "4h"}
        await here.world.client.act("maintenance", **work)
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
        # That a person closes the incident brings no data.
        await here.world.client.act("incidents/1/resolve", force=True)
        await here.leave(timedelta(minutes=11))
        assert await _delayed(here, True)
        answer = await here.world.client.call(
            "POST", "/api/v1/status/publications/INC-1/resolve", b"{}", JSON
        )
        assert (answer.status, "heartbeat is still missing" in answer.text) == (409, True)
        await here.world.post(webhook(alert("Watchdog", STARTED, severity="none")))
        await here.world.daemon.clockwork.chores.watch_heartbeats()
        await here.leave()
        await until(lambda: _delayed(here, False), "the page to say that monitoring is back")


async def _delayed(here: Public, wanted: bool) -> bool:
    text = (await here.ask("GET", "/")).text
    return ('class="note"' in text, "Our monitoring reports again" in text) == (wanted, not wanted)


async def test_an_outage_that_is_published_late_counts_from_its_beginning(
    tmp_path: Path, database_url: str
) -> None:
    async with public(tmp_path, database_url) as here:
        for _ in range(10):
            await here.leave(timedelta(minutes=1))
        began = (here.world.clock.now() - timedelta(minutes=6)).isoformat()
        code = await here.open("API was down", {"API": "major_outage"}, started_at=began)
        assert await observed(here, "major") == pytest.approx(360, abs=1)
        well = await observed(here)
        later = (here.world.clock.now() - timedelta(minutes=2)).isoformat()
        await here.say(code, "update", started_at=later)
        assert await observed(here, "major") == pytest.approx(120, abs=1)
        assert await observed(here) == pytest.approx(well + 240, abs=1)


async def observed(here: Public, state: str = "operational") -> int:
    """Seconds of the API component that count."""
    days = schema_status_page.component_days.c
    total = sa.select(sa.func.sum(days[state])).where(days.component == "api")
    return int(await here.world.daemon.store.read(lambda tx: tx.conn.execute(total).scalar()) or 0)
