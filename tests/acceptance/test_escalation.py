"""Nobody answers: the next one is told, and the one after, through the front door and over a clock that is moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.harness import NOON, World, configuration, vendors, world, write

MINUTE = timedelta(minutes=1)
STARTED = NOON - MINUTE
ALICE_DM, BOB_DM = "U0ALICE", "U0BOB"
USERS = {
    "alice": {"name": "Alice", "email": "alice@example.com", "slack": ALICE_DM},
    "bob": {
        "name": "Bob",
        "slack": BOB_DM,
        "contact": [{"channel": "slack", "as": "dm"}, {"channel": "hook", "after": "2m"}],
    },
}
# One person for ever: what is tested here is what follows from who is on duty.
SCHEDULES = {"primary": {"time_zone": "Etc/UTC", "layers": [{"users": ["alice"], "start": "2026-01-05"}]}}
ESCALATION = {
    "primary": {
        "steps": [
            {"after": "0s", "notify": ["schedule:primary"]},
            {"after": "5m", "notify": ["user:bob"]},
        ],
        "repeat": 1,
        "last_resort": ["channel:pager"],
    }
}
ON_CALL: dict[str, Any] = {
    "users": USERS,
    "schedules": SCHEDULES,
    "escalation": ESCALATION,
    "route": {"notify": ["console"], "escalation": "primary"},
}


@asynccontextmanager
async def on_call(folder: Path, database_url: str, **sections: Any) -> AsyncIterator[World]:
    """A daemon with two people, of whom Alice is on duty; only the console is told by its route."""
    async with world(folder, database_url, **{**ON_CALL, **sections}) as here:
        here.vendors.slack.channels |= {ALICE_DM, BOB_DM}
        yield here


async def fire(here: World) -> None:
    await here.post(webhook(alert("ShopDown", STARTED, service="shop")))
    await here.advance(timedelta())


def told(here: World) -> list[str]:
    """Who was written to in person, in order."""
    people = {ALICE_DM: "alice", BOB_DM: "bob"}
    return [people[m["channel"]] for m in here.vendors.slack.messages if m["channel"] in people]


def paged(here: World) -> int:
    """How often PagerDuty was asked to page."""
    return [action for action, _ in here.vendors.pages()].count("trigger")


async def steps(here: World) -> list[str]:
    """What the timeline says of the escalation."""
    return [e["text"] for e in await here.client.timeline(1) if e["kind"].startswith("escalat")]


async def test_a_step_leaves_at_its_instant_and_not_at_the_next_tick(
    tmp_path: Path, database_url: str
) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        due = NOON + 5 * MINUTE
        here.clock.set(due - timedelta(milliseconds=300))
        look = asyncio.ensure_future(here.daemon.clockwork.chores.keep_escalating())
        await here.settle()
        assert (look.done(), told(here)) == (False, ["alice"])
        here.clock.set(due)
        await look
        await here.settle()
        assert told(here) == ["alice", "bob"]


async def test_one_after_the_other_twice_then_the_last_resort_then_nobody_is_left(
    tmp_path: Path, database_url: str
) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        assert told(here) == ["alice"]
        assert [mail.to for mail in here.vendors.mail.mails] == [("alice@example.com",)]
        incident = await here.client.incident(1)
        assert incident["escalation"] == {
            "policy": "primary",
            "step": 1,
            "round": 1,
            "next_at": (NOON + 5 * MINUTE).isoformat().replace("+00:00", "Z"),
        }
        for _ in range(25):
            await here.advance(MINUTE)
        assert told(here) == ["alice", "bob", "alice", "bob"]
        assert paged(here) == 1
        assert await steps(here) == [
            "escalated to alice (schedule primary), step 1 of 2, round 1 of 2",
            "escalated to bob, step 2 of 2, round 1 of 2",
            "escalated to alice (schedule primary), step 1 of 2, round 2 of 2",
            "escalated to bob, step 2 of 2, round 2 of 2",
            "escalated to channel pager, last resort",
            "policy primary is at its end and nobody has acknowledged: nobody is left to tell",
        ]
        assert (await here.client.incident(1))["escalation"]["next_at"] is None
        assert await here.client.metric("incidentd_escalations_total", policy="primary", step="2") == 2
        assert await here.client.metric("incidentd_escalations_exhausted_total", policy="primary") == 1
        await here.client.act("incidents/1/resolve", force=True)
        await here.settle()
        # Who was told hears the end, the last resort included.
        assert here.vendors.pages()[-1][0] == "resolve"
        assert told(here)[4:] == ["alice", "bob"]


async def test_an_acknowledgement_stops_it_and_withholds_what_waits(
    tmp_path: Path, database_url: str
) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        await here.advance(5 * MINUTE)
        assert told(here) == ["alice", "bob"]
        await here.client.act("incidents/1/acknowledge", comment="mine")
        await here.settle()
        assert (await here.client.incident(1))["acknowledged_comment"] == "mine"
        for _ in range(10):
            await here.advance(MINUTE)
        assert told(here) == ["alice", "bob", "alice", "bob"], "both hear that somebody has it"
        assert here.vendors.hook.events == [], "told after two minutes unless somebody has it by then"
        assert (await here.client.incident(1))["escalation"] is None
        [row] = [row for row in await here.client.deliveries() if row["channel"] == "hook"]
        assert (row["state"], row["reason"]) == ("suppressed", "acknowledged before it was to leave")


async def test_who_was_never_told_hears_no_end(tmp_path: Path, database_url: str) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        await here.client.act("incidents/1/acknowledge")
        await here.advance(10 * MINUTE)
        assert set(told(here)) == {"alice"}


async def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path, database_url: str) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        await here.advance(4 * MINUTE)
        await here.restart()
        assert told(here) == ["alice"]
        await here.advance(MINUTE)
        assert told(here) == ["alice", "bob"]


async def test_a_step_that_fell_due_while_the_daemon_was_down_runs_once_at_once(
    tmp_path: Path, database_url: str
) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        await here.stop()
        here.clock.set(NOON + timedelta(hours=3))
        await here.start()
        await here.advance(timedelta())
        assert told(here) == ["alice", "bob"], "one step, not all that were missed"
        await here.advance(4 * MINUTE)
        assert told(here) == ["alice", "bob"]
        await here.advance(MINUTE)
        assert told(here) == ["alice", "bob", "alice"], "the next one counts from then"


async def test_two_replicas_never_run_a_step_twice(tmp_path: Path, pg_url: str) -> None:
    async with on_call(tmp_path, pg_url, grouping={"by": ["alertname"]}) as here:
        other = World(here.file, here.clock, here.vendors)
        await other.start()
        try:
            await here.post(webhook(*[alert(f"Down{n}", STARTED, service="shop") for n in range(40)]))
            for each in (here, other) * 3:
                await each.advance(timedelta())
            for _ in range(5):
                here.clock.set(here.clock.now() + MINUTE)
                await asyncio.gather(
                    other.daemon.clockwork.chores.escalate(), here.daemon.clockwork.chores.escalate()
                )
            await here.advance(timedelta())
            lines = [e["kind"] for n in range(1, 41) for e in await here.client.timeline(n)]
            assert lines.count("escalated") == 80
            assert (told(here).count("alice"), told(here).count("bob")) == (40, 40)
        finally:
            await other.stop()


async def test_a_reload_changes_the_next_escalation_and_not_the_running_one(
    tmp_path: Path, database_url: str
) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        changed = {"primary": {"steps": [{"after": "1m", "notify": ["channel:pager"]}]}}
        write(here.file, configuration(database_url, here.vendors, **{**ON_CALL, "escalation": changed}))
        await here.client.act("../../-/reload")
        await here.advance(5 * MINUTE)
        assert told(here) == ["alice", "bob"]
        await here.post(webhook(alert("Other", STARTED, service="other")))
        await here.advance(MINUTE)
        assert paged(here) == 1


async def test_an_acknowledgement_runs_out_and_everything_begins_anew(
    tmp_path: Path, database_url: str
) -> None:
    sections = {"acknowledgement": {"timeout": {"critical": "1h"}, "remind_after": "40m"}}
    async with on_call(tmp_path, database_url, **sections) as here:
        await fire(here)
        await here.client.act("incidents/1/acknowledge")
        await here.settle()
        before = len(told(here))
        await here.advance(40 * MINUTE)
        await here.advance(MINUTE)
        assert told(here)[before:] == ["alice"], "a reminder to who holds it"
        await here.advance(19 * MINUTE)
        await here.advance(timedelta())
        incident = await here.client.incident(1)
        assert (incident["state"], incident["escalation"]["step"]) == ("triggered", 1)
        assert told(here)[before:] == ["alice", "alice"]
        assert "INC-1 UNACKNOWLEDGED" in here.console.getvalue()


async def test_people_escalate_and_assign(tmp_path: Path, database_url: str) -> None:
    async with on_call(tmp_path, database_url) as here:
        await fire(here)
        done = await here.client.act("incidents/1/escalate")
        await here.settle()
        assert (done["escalation"]["step"], told(here)) == (2, ["alice", "bob"])
        done = await here.client.act("incidents/1/assign", user="alice", comment="your shop")
        await here.settle()
        assert (done["assigned_to"], told(here)) == ("alice", ["alice", "bob", "alice"])
        refused = await here.client.call(
            "POST", "/api/v1/incidents/1/assign", b'{"user": "alise"}', {"Content-Type": "application/json"}
        )
        assert refused.status == 422
        assert refused.json["errors"] == [
            {"at": "/user", "detail": 'is no configured user; did you mean "alice"?'}
        ]


async def test_an_outside_monitor_hears_from_it_until_an_escalation_stands_still(
    tmp_path: Path, database_url: str
) -> None:
    async with vendors() as outside:
        address = f"{outside.hook.url}/ping"
        sections = {"self_check": {"heartbeat_url": address}}
        async with on_call(tmp_path, database_url, **sections) as here:
            await fire(here)
            await here.daemon.clockwork.chores.show_signs_of_life()
            heard = len(outside.hook.requests)
            assert heard == 1
            here.clock.set(NOON + timedelta(hours=1))
            await here.daemon.clockwork.chores.show_signs_of_life()
            assert len(outside.hook.requests) == heard
            await here.daemon.clockwork.chores.audit()
            assert await here.client.metric("incidentd_escalation_stuck") == 1
            await here.settle()
            assert paged(here) == 1, "over the last resort"
            await here.advance(timedelta())
            await here.daemon.clockwork.chores.show_signs_of_life()
            assert len(outside.hook.requests) == heard + 1
