"""A bad night, explained the next morning: quiet hours, an override, a fall-back, and who was told in the end."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import ALICE, NOON, World, configuration, world, write
from tests.ingest.bodies import DATA

NOTHING = (
    "No incident was open from 2026-11-20 18:30 UTC to 2026-11-20 19:30 UTC: there was nothing to tell bob."
)
MINUTE = timedelta(minutes=1)
MORNING = NOON.replace(day=21, hour=6, minute=0)
BOB_DM = "U0BOB"
SLEEP = {"time_zone": "Etc/UTC", "from": "20:00", "to": "06:00"}
USERS = {
    "alice": {"name": "Alice", "email": "alice@example.com"},
    "bob": {
        "name": "Bob",
        "email": "bob@example.com",
        "slack": BOB_DM,
        "quiet_hours": SLEEP,
        "contact": [{"channel": "slack", "as": "dm"}, {"channel": "mail", "urgency": "high"}],
    },
    "carol": {"name": "Carol", "slack": "U0LEFT"},
}
SCHEDULES = {
    "primary": {
        "time_zone": "Etc/UTC",
        "layers": [{"name": "weekly", "users": ["alice"], "start": "2026-01-05"}],
    }
}
ESCALATION = {
    "primary": {
        "steps": [
            {"after": "0s", "notify": ["schedule:primary"]},
            {"after": "5m", "notify": ["user:carol"]},
        ],
        "last_resort": ["channel:pager"],
    }
}
ROUTE = {
    "notify": ["console"],
    "routes": [
        {"matchers": ['severity="critical"'], "notify": ["pager"], "escalation": "primary"},
        {"matchers": ['severity="warning"'], "notify": ["console"], "escalation": "primary"},
    ],
}


WHY_NOT = {"bob": "20:42", "alice": "20:42", "carol": "20:46"}
"""Who asks, and about when."""


def told(name: str) -> str:
    """What a command is to print, word for word."""
    return (DATA / "explain" / f"{name}.txt").read_text()


@asynccontextmanager
async def night(folder: Path, database_url: str) -> AsyncIterator[World]:
    """Bob stands in for Alice and sleeps; Carol has left the company's Slack."""
    sections: dict[str, Any] = {
        "users": USERS,
        "schedules": SCHEDULES,
        "escalation": ESCALATION,
        "route": ROUTE,
        "severity": {"map": {"minor": "warning"}},
        "grouping": {"by": ["alertname", "service"]},
    }
    async with world(folder, database_url, **sections) as here:
        here.vendors.slack.channels |= {BOB_DM}
        channels = here.vendors.channels()
        channels["slack"]["fallback"] = ["hook"]
        write(here.file, configuration(database_url, here.vendors, **sections, channels=channels))
        await here.restart()
        yield here


async def ctl(here: World, home: Path, *args: str, code: int = 0) -> str:
    """What `incidentctl` prints; it must end with `code`."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TZ": "UTC", "INCIDENTD_URL": here.daemon.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "incidentd.cli.ctl", *args),
        env={**env, "INCIDENTD_TOKEN": ALICE, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == code, output
    return output.decode()


async def test_why_tells_the_night_and_why_not_tells_each_why_they_slept(
    tmp_path: Path, database_url: str
) -> None:
    async with night(tmp_path, database_url) as here:
        began, ended = NOON - MINUTE, MORNING + 19 * MINUTE
        span = {"starts_at": NOON.isoformat(), "ends_at": MORNING.isoformat(), "note": "dentist"}
        await here.client.act("schedules/primary/overrides", user="bob", **span)
        await here.post(webhook(alert("ShopSlow", began, severity="minor", service="shop")))
        await here.advance(timedelta())
        for _ in range(15):
            await here.advance(MINUTE)
        await here.advance(MORNING - here.clock.now())
        await here.advance(10 * MINUTE)
        await here.client.act("incidents/1/acknowledge", comment="looking")
        await here.settle()
        await here.advance(10 * MINUTE)
        await here.post(webhook(alert("ShopSlow", began, ended, severity="minor", service="shop")))
        said = await ctl(here, tmp_path, "why", "INC-1")
        assert re.sub(r"http://127\.0\.0\.1:\d+", "HOOK", said) == told("why")
        for user, at in WHY_NOT.items():
            said = await ctl(here, tmp_path, "why-not", user, "--at", f"2026-11-20T{at}:00Z")
            assert said == told(f"why-not-{user}")
        found = await here.client.get("/api/v1/why-not?user=bob&at=2026-11-20T19:00:00Z")
        assert (found["incidents"], found["verdict"]) == ([], NOTHING)
