"""A daemon that dies in the middle of a step: what changes something is told and never done again by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.process import client_of, running
from tests.acceptance.waiting import until
from tests.automation.world import USER, alive, open_folder

BOOK = """---
match: ['alertname="ShopDown"']
---
# The shop is down

## Steps

1. Look.

   ```yaml step command
   command: look
   run: auto
   ```
2. Restart it.

   ```yaml step command
   command: restart
   run: approve
   ```
"""


def mark(notes: Path) -> str:
    """What its commands hang in: of each test another, for several run side by side."""
    return f"sleep 61.{int.from_bytes(notes.name.encode(), 'big')}"


def written(folder: Path, notes: Path) -> Path:
    """A configuration whose commands leave lines in `notes`, and take longer than anybody waits."""
    (folder / "books").mkdir()
    (folder / "books" / "shop.md").write_text(BOOK, encoding="utf-8")
    look = f"echo looked >> {notes}/looks; test $(wc -l < {notes}/looks) -gt 1 || {mark(notes)}; echo all is well"
    restart = f"echo began >> {notes}/restarts; {mark(notes)}; echo ended >> {notes}/restarts"
    commands = {
        "look": {"argv": ["/bin/sh", "-c", look], "mutating": False},
        "restart": {"argv": ["/bin/sh", "-c", restart]},
    }
    config = {
        "server": {"port": 0},
        "database": {"url": f"sqlite+aiosqlite:///{folder}/incidentd.db"},
        "runbooks": {"path": str(folder / "books")},
        "automation": {"enabled": True, "user": USER, "commands": commands},
    }
    file = folder / "incidentd.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


async def states(client: Client) -> list[tuple[str, str]]:
    """Each step's state and that of its run."""
    book: dict[str, Any] = await client.get("/api/v1/incidents/1/runbook")
    return [(step["state"], (step["run"] or {}).get("state", "")) for step in book["steps"]]


async def wait_for(client: Client, wanted: list[tuple[str, str]]) -> None:
    """Wait until the steps stand so."""

    async def so() -> bool:
        return await states(client) == wanted

    await until(so, f"{wanted}")


async def under_way(client: Client, notes: Path) -> None:
    """Wait until both commands have left their first line."""
    await wait_for(client, [("running", "running"), ("running", "running")])
    found = [notes / "looks", notes / "restarts"]
    await until(lambda: all(each.exists() and each.read_text() for each in found), "both to be under way")


async def test_what_was_under_way_is_interrupted_and_only_looks_are_taken_up_again(tmp_path: Path) -> None:
    with open_folder() as notes:
        await killed_and_started(written(tmp_path, notes), notes)


async def killed_and_started(config: Path, notes: Path) -> None:
    async with running(config) as daemon:
        async with client_of(daemon) as client:
            await client.post(webhook(alert("ShopDown", datetime.now(UTC) - timedelta(minutes=1))))
            await wait_for(client, [("running", "running"), ("pending", "offered")])
            await client.act("incidents/1/runbook/steps/2", state="running")
            await under_way(client, notes)
        await daemon.kill9()
        await until(lambda: not alive(mark(notes)), "what they had begun to end with the daemon")
        await daemon.start()
        async with client_of(daemon) as client:
            await wait_for(client, [("done", "succeeded"), ("failed", "interrupted")])
            page = await client.get("/api/v1/incidents/1/timeline?limit=100")
            texts = {entry["kind"]: entry["text"] for entry in page["items"]}
            assert texts["step_failed"].startswith(
                "step 2 failed: Restart it.: interrupted: the daemon ended in the middle of it; what it had done"
            )
            assert "it only looks, so it begins again" in texts["run_interrupted"]
            said = (await client.get("/api/v1/audit?limit=500"))["items"]
            [ended] = [each["data"] for each in said if each["data"] and "interrupted" in each["data"]]
            assert ended["interrupted"] == "the daemon stopped; whether it took effect is unknown"
            assert (ended["subject"], ended["argv"][:2]) == ("restart", ["/bin/sh", "-c"])
            assert (notes / "looks").read_text() == "looked\nlooked\n"
            assert (notes / "restarts").read_text() == "began\n"


async def test_a_daemon_that_is_told_to_stop_ends_its_steps_and_says_so(tmp_path: Path) -> None:
    with open_folder() as notes:
        await stopped_and_started(written(tmp_path, notes), notes)


async def stopped_and_started(config: Path, notes: Path) -> None:
    async with running(config) as daemon:
        async with client_of(daemon) as client:
            await client.post(webhook(alert("ShopDown", datetime.now(UTC) - timedelta(minutes=1))))
            await client.act("incidents/1/runbook/steps/2", state="running")
            await under_way(client, notes)
        assert await daemon.end() == 0
        assert alive(mark(notes)) == []
        assert "step_not_settled" not in daemon.tail(200)
        await daemon.start()
        async with client_of(daemon) as client:
            await wait_for(client, [("done", "succeeded"), ("failed", "interrupted")])
