"""Leave and holidays from an address: what it says decides who is on duty, and what it said last if it is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.store import schema
from incidentd.store.codec import micros
from incidentd.workflows.calendars import AGAIN
from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, world
from tests.acceptance.waiting import until
from tests.fakes.calendar import SECRET, CalendarFake, ical
from tests.fakes.http import Answer

HOUR = timedelta(hours=1)
TODAY = "DTSTART;VALUE=DATE:20261120"
LAYERS = [
    {"users": ["bob"], "start": "2026-01-05"},
    {"users": ["alice"], "start": "2026-01-05", "name": "office"},
]
ESCALATION = {"primary": {"steps": [{"after": "0s", "notify": ["schedule:primary"]}]}}


def sections(address: str) -> dict[str, Any]:
    return {
        "users": {
            "alice": {"name": "Alice", "email": "alice@example.com", "leave": {"url": address}},
            "bob": {"name": "Bob", "email": "bob@example.com"},
        },
        "schedules": {"primary": {"time_zone": "Etc/UTC", "layers": LAYERS}},
        "escalation": ESCALATION,
        "route": {"notify": ["console"], "escalation": "primary"},
    }


@asynccontextmanager
async def on_call(folder: Path, url: str, fake: CalendarFake) -> AsyncIterator[World]:
    async with world(folder, url, **sections(fake.address)) as here:
        yield here


async def look(here: World, passed: timedelta = HOUR) -> None:
    """Time passes, and the job looks."""
    here.clock.set(here.clock.now() + passed)
    soon = micros(here.clock.now() + AGAIN)

    async def asked() -> bool:
        # Its own tick may be at it: then the answer is still to come.
        await here.daemon.clockwork.calendars.read()
        rows = await here.daemon.store.read(lambda tx: tx.conn.execute(schema.calendars.select()).all())
        return bool(rows) and all(row.next_at >= soon for row in rows)

    await until(asked, "the calendar to be asked")


async def duty(here: World) -> tuple[list[str], list[str]]:
    """Who is on duty, and what is said to be unknown about it."""
    (found,) = (await here.client.get("/api/v1/oncall"))["items"]
    shown = await here.client.get("/api/v1/schedules/primary")
    assert shown["warnings"] == found["warnings"]
    return found["people"], found["warnings"]


async def test_what_the_calendar_says_decides_who_is_on_duty_and_who_is_paged(
    tmp_path: Path, database_url: str
) -> None:
    async with CalendarFake() as fake, on_call(tmp_path, database_url, fake) as here:
        assert await duty(here) == (["alice"], ["leave of alice has not been read yet"])
        await look(here)
        assert await duty(here) == (["alice"], [])
        fake.content = ical(TODAY)
        await look(here)
        assert await duty(here) == (["bob"], [])
        await here.post(webhook(alert("ShopDown", NOON)))
        await here.advance(timedelta())
        assert [mail.to for mail in here.vendors.mail.mails] == [("bob@example.com",)]
        await look(here)
        assert (await duty(here), fake.not_modified) == ((["bob"], []), 1)
        assert await here.client.metric("incidentd_calendar_up", calendar="users.alice.leave") == 1
        assert fake.violations == []


SILENT = [
    (Answer(500), "HTTP 500"),
    (Answer(200, b"x" * (3 * 1024 * 1024)), "is larger than 2 MiB"),
    (Answer(200, b"<html>please log in</html>"), "is not an iCalendar file"),
    (Answer(200, b"\x00\xff" * 1000), "is not an iCalendar file"),
    (Answer(200, ical("DTSTART:20260101T000000Z\r\nDTEND:garbage").encode()), "is not an iCalendar file"),
    (Answer(200, ical(TODAY).encode()[:-20]), "is not an iCalendar file"),
    (Answer(drop=True), "the connection ended without an answer"),
    (Answer(302, None, {"Location": "http://localhost:1/elsewhere.ics"}), "leads where no request may go"),
]


@pytest.mark.parametrize(("answer", "words"), SILENT)
async def test_what_it_said_last_counts_while_it_cannot_be_read(
    tmp_path: Path, database_url: str, answer: Answer, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with CalendarFake(TODAY) as fake, on_call(tmp_path, database_url, fake) as here:
        await look(here)
        fake.script([answer])
        await look(here)
        since = here.clock.now().isoformat(timespec="seconds")
        people, (warning,) = await duty(here)
        assert people == ["bob"]
        assert warning.startswith(f"leave of alice could not be read since {since} (")
        assert words in warning
        assert warning.endswith(": what it said last counts")
        health = await here.client.get("/health/detailed")
        (check,) = [each for each in health["checks"] if each["name"] == "calendar users.alice.leave"]
        assert (check["status"], check["detail"]) == ("degraded", warning)
        assert await here.client.metric("incidentd_calendar_up", calendar="users.alice.leave") == 0
        # It is asked again sooner than if it had answered.
        await look(here, AGAIN)
        assert (await duty(here))[1] == []
        metrics = (await here.client.call("GET", "/metrics")).text
        config = (await here.client.call("GET", "/api/v1/schedules")).text
        output = capsys.readouterr()
        assert "calendar_unreadable" in output.err + output.out
        assert SECRET not in f"{output.err}{output.out}{warning}{health}{metrics}{config}"


async def test_a_restart_without_the_calendar_knows_what_it_said(tmp_path: Path, database_url: str) -> None:
    fake = CalendarFake(TODAY)
    async with fake, on_call(tmp_path, database_url, fake) as here:
        await look(here)
        await fake.__aexit__(None, None, None)
        await here.restart()
        assert await duty(here) == (["bob"], [])
        await look(here)
        people, (warning,) = await duty(here)
        assert people == ["bob"]
        assert "cannot connect" in warning
        stored = await here.daemon.store.read(lambda tx: tx.conn.execute(schema.calendars.select()).all())
        assert SECRET not in str(stored)


async def test_a_redirect_on_the_same_host_is_followed(tmp_path: Path, database_url: str) -> None:
    async with CalendarFake(TODAY) as fake, on_call(tmp_path, database_url, fake) as here:
        fake.script([Answer(302, None, {"Location": fake.address})])
        await look(here)
        assert (await duty(here), len(fake.requests)) == ((["bob"], []), 2)
        # One that leads round and round is given up.
        fake.script([Answer(302, None, {"Location": fake.address})] * 4)
        await look(here)
        assert "is redirected too often" in (await duty(here))[1][0]


async def test_what_one_replica_reads_all_know(tmp_path: Path, database_url: str) -> None:
    async with CalendarFake() as fake, on_call(tmp_path, database_url, fake) as here:
        await look(here)
        await here.daemon.store.write(
            lambda tx: tx.conn.execute(
                schema.calendars.update().values(events='[["2026-11-20", "2026-11-21"]]', version=2)
            )
        )
        await here.daemon.clockwork.calendars.read()
        assert (await duty(here), len(fake.requests)) == ((["bob"], []), 1)


async def test_another_address_after_a_reload_is_asked_at_once(tmp_path: Path, database_url: str) -> None:
    async with (
        CalendarFake() as fake,
        CalendarFake(TODAY) as other,
        on_call(tmp_path, database_url, fake) as here,
    ):
        await look(here)
        text = here.file.read_text(encoding="utf-8")
        here.file.write_text(text.replace(fake.address, other.address), encoding="utf-8")
        assert await here.daemon.reload() == []
        assert (await duty(here))[1] == ["leave of alice has not been read yet"]
        await here.daemon.clockwork.calendars.read()
        assert await duty(here) == (["bob"], [])
