"""What interrupts nobody is mailed once a day, through the front door and over a clock that is moved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, configuration, world, write

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
STARTED = NOON - MINUTE
MORNING = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
"""Eight o'clock in Berlin on the next day."""
DAILY: dict[str, Any] = {
    "digest": {"time_zone": "Europe/Berlin", "at": "08:00"},
    "grouping": {"by": ["alertname"]},
    "route": {"notify": ["console", "mail"]},
}


@asynccontextmanager
async def office(folder: Path, database_url: str, **sections: Any) -> AsyncIterator[World]:
    """A daemon whose mail has two mailboxes."""
    async with world(folder, database_url, **{**DAILY, **sections}) as here:
        config = configuration(database_url, here.vendors, **{**DAILY, **sections})
        config["channels"]["mail"]["to"] = ["ops@example.com", "boss@example.com"]
        write(here.file, config)
        await here.client.act("../../-/reload")
        yield here


def info(name: str, ends: datetime | None = None) -> dict[str, Any]:
    return alert(name, STARTED, ends, severity="info", service="shop")


async def morning(here: World, days: int = 0) -> None:
    await here.advance(MORNING + timedelta(days=days) - here.clock.now())


def mails(here: World, to: str = "ops@example.com") -> list[str]:
    """The subjects that one mailbox got, in order."""
    return [str(m.content["Subject"]) for m in here.vendors.mail.mails if m.to == (to,)]


def text(here: World) -> str:
    """What the last mail says."""
    body = here.vendors.mail.mails[-1].content.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_all_of_a_day_is_one_mail_to_each_mailbox(tmp_path: Path, database_url: str) -> None:
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(info("Ended")))
        await here.post(webhook(info("Held")))
        await here.post(webhook(info("Open")))
        await here.client.act("incidents/2/acknowledge", comment="mine")
        await here.client.act("incidents/3/notes", text="a note makes no mail")
        await here.post(webhook(info("Ended", NOON)))
        assert "INC-1 RESOLVED" in here.console.getvalue(), "the console is told at once"
        await here.advance(MORNING - MINUTE - here.clock.now())
        assert here.vendors.mail.mails == []
        await here.advance(MINUTE)
        assert mails(here) == mails(here, "boss@example.com")
        [subject] = mails(here)
        assert subject.startswith("[Digest: 3 incidents] ")
        said = text(here)
        assert "State: 1 triggered, 1 resolved, 1 acknowledged" in said
        lines = [line for line in said.splitlines() if line.startswith("- INC-")]
        assert [line.split()[1] for line in lines] == ["INC-2", "INC-3", "INC-1"]
        assert lines[0].endswith(", acknowledged by alice)")
        assert "ended 2026-11-20 20:40 UTC" in lines[2]
        assert await here.client.nothing_waits()
        await here.client.act("incidents/3/notes", text="nor does one afterwards")
        await morning(here, 1)
        assert len(mails(here)) == 1, "nothing happened: no digest"


async def test_what_was_told_as_open_is_told_when_it_is_over(tmp_path: Path, database_url: str) -> None:
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(info("Backup")))
        await morning(here)
        await here.advance(HOUR)
        await here.post(webhook(info("Backup", MORNING)))
        assert len(mails(here)) == 1
        await morning(here, 1)
        assert len(mails(here)) == 2
        assert mails(here)[1].startswith("[Digest: 1 incident] ")
        assert "State: 1 resolved" in text(here)


async def test_what_gets_worse_is_told_at_once_and_leaves_the_digest(
    tmp_path: Path, database_url: str
) -> None:
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(info("Disk"), info("Other")))
        worse = alert("Disk", NOON, instance="db-1", severity="critical", service="shop")
        await here.post(webhook(worse))
        assert len(mails(here)) == 1
        assert "Escalated" in text(here)
        rows = [r for r in await here.client.deliveries() if r["incident_id"] == 1 and r["class"] == "digest"]
        assert {(r["state"], r["reason"]) for r in rows} == {
            ("superseded", "a later message tells the newest state")
        }
        await here.client.act("incidents/1/resolve", force=True)
        await here.settle()
        assert len(mails(here)) == 2, "its end is told at once too"
        await morning(here)
        assert "INC-1" not in text(here)
        assert mails(here)[2].startswith("[Digest: 1 incident] ")


async def test_a_restart_and_a_day_without_the_daemon_lose_nothing(tmp_path: Path, database_url: str) -> None:
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(info("A"), info("B")))
        await here.restart()
        await here.post(webhook(info("C")))
        await here.stop()
        here.clock.set(MORNING + timedelta(hours=20))
        await here.start()
        await here.settle()
        assert [s.partition("]")[0] for s in mails(here)] == ["[Digest: 3 incidents"]


async def test_waiting_for_the_digest_is_not_late(tmp_path: Path, database_url: str) -> None:
    """Nobody stands in for it, no channel is called slow, and no age grows."""
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(info("A")))
        await here.advance(9 * HOUR)
        [row, _] = [row for row in await here.client.deliveries() if row["channel"] == "mail"]
        assert (row["state"], row["class"], row["attempts"]) == ("pending", "digest", 0)
        assert row["next_attempt_at"] == MORNING.isoformat().replace("+00:00", "Z")
        assert await here.client.metric("incidentd_delivery_oldest_pending_seconds") == 0
        assert await here.client.metric("incidentd_escalation_stuck") == 0
        assert (await here.client.get("/health/detailed"))["status"] == "healthy"
        assert [i["id"] for i in await here.client.incidents()] == [1]
        # Until it is due and the relay refuses it: then it is late, and tried for a day.
        here.vendors.mail.script("MAIL", *["451 4.3.0 busy"] * 100)
        await morning(here)
        await here.advance(10 * MINUTE)
        assert (
            await here.client.metric("incidentd_delivery_oldest_pending_seconds", **{"class": "digest"})
            == 600
        )
        here.vendors.mail._script.clear()
        await here.advance(HOUR)
        assert len(mails(here)) == len(mails(here, "boss@example.com")) == 1


async def test_hundreds_are_still_one_mail_for_each_mailbox(tmp_path: Path, database_url: str) -> None:
    async with office(tmp_path, database_url) as here:
        await here.post(webhook(*[info(f"Job{n}") for n in range(400)]))
        await morning(here)
        assert [s.partition("]")[0] for s in mails(here)] == ["[Digest: 400 incidents"]
        assert mails(here) == mails(here, "boss@example.com")
        assert text(here).count("- INC-") == 400


async def test_maintenance_keeps_out_of_the_digest_what_it_keeps_quiet(
    tmp_path: Path, database_url: str
) -> None:
    window = {
        "name": "night",
        "matchers": ['alertname="Quiet"'],
        "starts": "2026-11-20T20:00:00",
        "duration": "1h",
        "time_zone": "Etc/UTC",
    }
    async with office(tmp_path, database_url, maintenance=[window]) as here:
        await here.post(webhook(info("Quiet"), info("Loud")))
        await here.client.act("incidents/1/acknowledge")
        await here.post(webhook(info("Quiet", NOON)))
        await morning(here)
        assert mails(here)[0].startswith("[Digest: 1 incident] ")
        assert "INC-2" in text(here)


async def test_without_a_digest_it_is_mailed_at_once(tmp_path: Path, database_url: str) -> None:
    async with world(tmp_path, database_url, route={"notify": ["mail"]}) as here:
        await here.post(webhook(info("A")))
        assert len(mails(here)) == 1


async def test_a_digest_that_is_configured_later_tells_the_end_of_what_was_mailed_at_once(
    tmp_path: Path, database_url: str
) -> None:
    async with world(tmp_path, database_url, route={"notify": ["mail"]}) as here:
        await here.post(webhook(info("A")))
        write(here.file, configuration(database_url, here.vendors, **DAILY))
        await here.client.act("../../-/reload")
        await here.post(webhook(info("A", NOON)))
        assert len(mails(here)) == 1
        await morning(here)
        assert "State: 1 resolved" in text(here)


async def test_two_replicas_send_one(tmp_path: Path, pg_url: str) -> None:
    async with office(tmp_path, pg_url) as here:
        other = World(here.file, here.clock, here.vendors)
        await other.start()
        try:
            await here.post(webhook(*[info(f"Job{n}") for n in range(40)]))
            here.clock.set(MORNING)
            other.daemon.worker.wake()
            await here.settle()
            assert [s.partition("]")[0] for s in mails(here)] == ["[Digest: 40 incidents"]
            assert mails(here) == mails(here, "boss@example.com")
        finally:
            await other.stop()
