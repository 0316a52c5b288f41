"""A shop whose runbook machines help with: what they ask, what people type, and what is written down of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import ALICE, NOON, World, world
from tests.acceptance.waiting import until
from tests.automation.world import USER, open_folder
from tests.fakes.answering import Answering

BOB = "token-of-bob-who-may-respond-0123456789"
TOKENS = [
    {"name": "alertmanager", "token": "token-of-the-alertmanager-0123456789", "scopes": ["ingest"]},
    {"name": "alice", "token": ALICE, "scopes": ["admin"]},
    {"name": "bob", "token": BOB, "scopes": ["read", "respond"]},
]
BOOK = """---
match: ['alertname=~"Shop.*"']
---
# The shop is down

## Steps

1. How many fail?

   ```yaml step promql
   query: sum(failures{service="$service"})
   run: auto
   range: 1h
   ```
2. What does it say itself?

   ```yaml step http
   url: URL/health
   run: auto
   ```
3. Which processes are there?

   ```yaml step command
   command: look
   run: auto
   ```
4. Restart it.

   ```yaml step command
   command: restart
   run: approve
   ```
5. Tell people.
"""
LOOK = ["/bin/echo", "3 workers of", "{label.service}"]


def automation(there: Answering, marks: Path, **more: Any) -> dict[str, Any]:
    """Everything that the runbook needs. `restart` leaves a line in `marks`."""
    restart = f"echo restarted $INC_LABEL_service >> {marks}; echo done"
    return {
        "enabled": True,
        "user": USER,
        "http_hosts": [there.host],
        "prometheus": {"main": {"url": there.url}},
        "commands": {
            "look": {"argv": LOOK, "mutating": False, "labels": {"service": "[a-z]+"}},
            "restart": {"argv": ["/bin/sh", "-c", restart]},
        },
        **more,
    }


@asynccontextmanager
async def shop(tmp_path: Path, url: str, **more: Any) -> AsyncIterator[tuple[World, Answering, Path]]:
    """A daemon with the runbook of a shop, what it asks, and the file in which its command leaves a line."""
    books = tmp_path / "books"
    books.mkdir()
    with open_folder() as notes:
        marks = notes / "marks"
        marks.write_text("")
        marks.chmod(0o666)
        async with Answering() as there:
            (books / "shop.md").write_text(BOOK.replace("URL", there.url), encoding="utf-8")
            sections: dict[str, Any] = {"auth": {"tokens": TOKENS}, "runbooks": {"path": str(books)}}
            async with world(tmp_path, url, **sections, automation=automation(there, marks, **more)) as here:
                yield here, there, marks


async def ctl(here: World, *arguments: str, token: str = ALICE, code: int = 0) -> str:
    """What `incidentctl` prints; it must end with `code`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "incidentd.cli.ctl", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(here.file.parent),
            "INCIDENTD_URL": here.daemon.url,
            "INCIDENTD_TOKEN": token,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "COLUMNS": "250",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == code, output
    return output.decode()


async def fire(here: World, name: str = "ShopDown", cluster: str = "a") -> int:
    """A new alert; its incident."""
    fired = alert(name, NOON - timedelta(minutes=1), service="shop", cluster=cluster)
    [number] = (await here.post(webhook(fired)))["incidents"]
    return int(number)


async def lines(here: World, number: int, kind: str) -> list[str]:
    """The texts of an incident's timeline entries of a kind."""
    page = await here.client.get(f"/api/v1/incidents/{number}/timeline?limit=200")
    return [entry["text"] for entry in page["items"] if entry["kind"] == kind]


async def seen(here: World, number: int, kind: str, count: int = 1, seconds: float = 10) -> list[str]:
    """Wait for so many of them."""

    async def there() -> bool:
        return len(await lines(here, number, kind)) >= count

    await until(there, f"{count} {kind} of INC-{number}", seconds)
    return await lines(here, number, kind)


async def looked_within_two_seconds(here: World, number: int) -> bool:
    """The first looks are on the timeline; a machine that is busy with other tests gets three tries."""
    loop = asyncio.get_running_loop()
    await seen(here, number, "step_done", 3)
    for n in range(3):
        since = loop.time()
        other = await fire(here, "ShopSlow", cluster=f"c{n}")
        await seen(here, other, "step_done", 3)
        if loop.time() - since < 2:
            return True
    return False


async def audited(here: World) -> list[tuple[str, dict[str, Any]]]:
    """What the audit log has of runs, as (action, data)."""
    page = await here.client.get("/api/v1/audit?after=0&limit=500")
    return [(e["action"], e["data"]) for e in page["items"] if e["action"].startswith("runbook.")]
