"""`incidentctl oncall`, `schedule` and `override`, as processes against a real server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from incidentd.store import calendars as store
from incidentd.workflows import calendars
from tests.web.conftest import TOKENS, Daemon, Start

SCHEDULES = {
    "primary": {
        "time_zone": "America/New_York",
        "layers": [
            {"name": "weekly", "users": ["alice", "bob"], "start": "2026-01-05", "handoff": "09:00"},
        ],
    },
    "office": {
        "time_zone": "Europe/Berlin",
        "layers": [
            {"users": ["carol"], "start": "2026-01-05", "days": ["mon", "tue"], "hours": "09:00-17:00"}
        ],
    },
}


class Terminal:
    """Runs incidentctl."""

    def __init__(self, daemon: Daemon, home: Path) -> None:
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TZ": "UTC",
            "INCIDENTD_URL": daemon.url,
            "INCIDENTD_TOKEN": TOKENS["admin"],
        }

    async def run(self, *args: str, code: int = 0) -> str:
        """What the command printed; it must end with `code`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "incidentd.cli.ctl", *args),
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
        assert process.returncode == code, output
        return output.decode()


@pytest.fixture
async def terminal(start: Start, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal beside a daemon with two schedules."""
    users = {"alice": {"name": "Alice"}, "bob": {"name": "Bob"}, "carol": {"name": "Carol"}}
    async with start(users=users, schedules=SCHEDULES) as daemon:
        yield Terminal(daemon, tmp_path)


async def test_who_is_on_duty_is_shown_now_and_at_another_time(terminal: Terminal) -> None:
    shown = (await terminal.run("oncall", "--at", "2026-11-17T15:00:00Z")).splitlines()
    assert shown[0].split() == ["SCHEDULE", "ON", "DUTY", "UNTIL", "BECAUSE", "OF"]
    assert shown[1].startswith("primary   bob      2026-11-23 14:00 (")
    assert shown[1].endswith("weekly")
    assert shown[2].startswith("office    carol    2026-11-17 16:00 (")
    night = (await terminal.run("oncall", "--at", "2026-11-17 23:00")).splitlines()
    assert night[2].startswith("office    nobody   2026-11-23 08:00 (")
    found = orjson.loads(await terminal.run("oncall", "--json"))
    assert [item["schedule"] for item in found["items"]] == ["primary", "office"]
    assert "is not a time" in await terminal.run("oncall", "--at", "soon", code=2)


async def test_a_calendar_that_could_not_be_read_is_warned_of(start: Start, tmp_path: Path) -> None:
    leave = {"url": "http://127.0.0.1:1/s3cret/alice.ics"}
    users = {"alice": {"name": "Alice", "leave": leave}, "bob": {"name": "Bob"}, "carol": {"name": "Carol"}}
    async with start(users=users, schedules=SCHEDULES) as daemon:
        terminal = Terminal(daemon, tmp_path)
        unread = "warning: leave of alice has not been read yet"
        for command in (("oncall",), ("schedule", "show", "primary")):
            assert unread in (await terminal.run(*command)).splitlines()
        context = daemon.context
        (asked,) = context.config.calendars
        now = context.clock.now()
        known = await context.store.write(lambda tx: store.claim(tx, asked.key, now, now, now))
        assert known is not None
        await context.store.write(lambda tx: calendars.unreadable(tx, asked, known, "HTTP 500", now))
        since = now.isoformat(timespec="seconds")
        failed = f"warning: leave of alice could not be read since {since} (HTTP 500): it was never read"
        for command in (("oncall",), ("schedule", "show", "primary")):
            assert failed in (await terminal.run(*command)).splitlines()
        assert "alice" not in await terminal.run("schedule", "show", "office")


async def test_the_calendar_names_each_week_once_and_shows_gaps_in_local_time(terminal: Terminal) -> None:
    shown = await terminal.run("schedule", "show", "office", "--from", "2026-10-19", "--weeks", "2")
    lines = shown.splitlines()
    assert lines[0] == "office, times in Europe/Berlin"
    table = [" ".join(line.split()) for line in lines]
    assert table[3:5] == [
        "2026-W43 Mon 19 Oct 00:00 Mon 19 Oct 09:00 9 h nobody",
        "Mon 19 Oct 09:00 Mon 19 Oct 17:00 8 h carol layer 1",
    ]
    # The clocks are put back in this gap.
    assert "Tue 20 Oct 17:00 Mon 26 Oct 09:00 5 d 17 h nobody" in table
    assert sum(line.startswith("2026-W44") for line in lines) == 1
    assert lines[-1].startswith("nobody is on duty in 5 gap(s), ")
    primary = await terminal.run("schedule", "show", "primary", "--from", "2026-01-05 09:00", "--weeks", "4")
    assert [line.split()[-2] for line in primary.splitlines()[3:7]] == ["alice", "bob", "alice", "bob"]


async def test_schedules_and_feeds_are_listed(terminal: Terminal) -> None:
    listed = await terminal.run("schedule", "list")
    assert "primary   America/New_York  weekly   alice, bob" in listed
    feeds = await terminal.run("schedule", "feeds")
    assert feeds.count("/calendars/") == feeds.count(".ics") == 5
    assert "did you mean" in await terminal.run("schedule", "show", "primry", code=5)


async def test_an_override_is_made_listed_and_cancelled(terminal: Terminal) -> None:
    made = await terminal.run("override", "add", "primary", "carol", "now", "+4h", "-m", "dentist")
    assert made.startswith("override 1: carol is on duty in primary from ")
    # Cut, not rounded: a moment later it is less than four hours.
    assert made.endswith(("(in 4 h)\n", "(in 3 h)\n"))
    assert "override 1" in await terminal.run("oncall")
    listed = await terminal.run("override", "list", "primary")
    assert "dentist" in listed
    assert listed.splitlines()[1:] == (await terminal.run("override", "list")).splitlines()[1:]
    cancelled = await terminal.run("override", "cancel", "1")
    assert cancelled == "override 1 is cancelled: the layers of primary count again, not carol\n"
    assert "override 1" not in await terminal.run("oncall")
    assert "there is no override 9" in await terminal.run("override", "cancel", "9", code=5)


async def test_a_local_time_is_meant_in_the_schedules_zone(terminal: Terminal) -> None:
    made = orjson.loads(
        await terminal.run(
            "override", "add", "primary", "bob", "2099-12-24 18:00", "2099-12-26 09:00", "--json"
        )
    )
    assert (made["starts_at"], made["ends_at"]) == ("2099-12-24T23:00:00Z", "2099-12-26T14:00:00Z")
    refused = await terminal.run("override", "add", "primary", "karol", "now", "+1h", code=1)
    assert 'did you mean "carol"?' in refused
