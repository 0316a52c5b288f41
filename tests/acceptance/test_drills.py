"""Drills through the front door: they page for real, say what they are, and count nowhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from incidentd.domain.drill import LABEL
from incidentd.workflows import drills
from tests.acceptance.bodies import webhook
from tests.acceptance.harness import NOON, World, world, write
from tests.acceptance.waiting import until
from tests.fakes.http import Answer

COMPONENT = {"name": "API", "match": ['service="api"'], "effect": {"critical": "major_outage"}}
# 20 November 2026 is a Friday; the world begins at 20:40 UTC.
WEEKLY = {"at": "Fri 20:45", "time_zone": "Etc/UTC", "service": "api", "wait": "2m"}
USERS = {"alice": {"name": "Alice", "email": "alice@example.com"}, "bob": {"name": "Bob"}}
SECTIONS: dict[str, Any] = {
    "route": {"notify": ["pager", "slack"]},
    "users": USERS,
    "status_page": {"name": "Acme", "components": [COMPONENT]},
}


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with world(tmp_path, database_url, **SECTIONS, drills={"weekly": WEEKLY}) as opened:
        yield opened


async def send(here: World, drill: dict[str, Any], status: str = "firing") -> int:
    at = {"startsAt": drill["registered_at"], "endsAt": here.clock.now().isoformat()}
    one = {"status": status, "labels": drill["labels"], "annotations": drill["annotations"], **at}
    [number] = (await here.post(webhook({**one, "generatorURL": "", "fingerprint": "f1"})))["incidents"]
    return int(number)


async def tick(here: World, seconds: float) -> None:
    """Let time pass, and the clockwork look at drills."""
    await here.advance(timedelta(seconds=seconds))
    for _ in range(2):
        await here.daemon.clockwork.chores.drill()
        await here.settle()


async def shown(here: World, drill: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await here.client.get(f"/api/v1/drills/{drill['id']}")
    return found


async def test_a_drill_pages_for_real_says_so_everywhere_and_passes(here: World) -> None:
    asked = await here.client.act("drills", service="api")
    number = await send(here, asked)
    await tick(here, 6)
    now = await shown(here, asked)
    assert (now["state"], now["incident_id"], now["finished_at"]) == ("passed", number, None)
    assert [(page["channel"], page["outcome"]) for page in now["pages"]] == [
        ("pager", "accepted"),
        ("slack", "accepted"),
    ]
    assert all(page["first_attempt_at"] and page["accepted_at"] for page in now["pages"])
    [event] = here.vendors.pager.events
    assert "[DRILL]" in event["payload"]["summary"]
    assert "[DRILL]" in here.vendors.slack.roots[0]["text"]
    incident = await here.client.incident(number)
    assert (incident["drill"], incident["title"][:8]) == (True, "[DRILL] ")
    await send(here, asked, "resolved")
    await tick(here, 1)
    ended = await shown(here, asked)
    assert (ended["state"], ended["reasons"]) == ("passed", [])
    assert ended["resolved_at"] <= ended["finished_at"]


async def test_a_drill_counts_nowhere_and_nothing_of_it_is_public(here: World) -> None:
    asked = await here.client.act("drills", service="api")
    number = await send(here, asked)
    assert "major_outage" not in json.dumps(await here.client.get("/api/v2/summary.json"))
    assert await here.client.metric("incidentd_incidents_open") == 0
    await here.client.act(f"incidents/{number}/acknowledge")
    await here.advance(timedelta(minutes=1))
    await send(here, asked, "resolved")
    report = await here.client.get("/api/v1/report")
    assert (report["total"]["opened"], report["total"]["resolved"]) == (0, 0)
    assert (report["total"]["mtta"]["count"], report["total"]["mttr"]["count"]) == (0, 0)
    for name in ("opened_total", "acknowledge_seconds_count", "resolve_seconds_count"):
        whole = "incidentd_incidents_opened_total" if name == "opened_total" else f"incidentd_incident_{name}"
        assert await here.client.metric(whole) == 0
    assert await here.client.metric("mttr_seconds_count") == 0


async def test_it_tells_those_whom_it_was_asked_for_and_nobody_else(here: World) -> None:
    asked = await here.client.act("drills", notify=["channel:hook", "user:alice"], severity="warning")
    number = await send(here, asked)
    incident = await here.client.incident(number)
    told = {each["channel"]: each["target"] for each in incident["deliveries"]}
    assert (set(told), told["mail"]) == ({"hook", "mail"}, "alice@example.com")
    assert incident["escalation"] is None
    await send(here, asked, "resolved")
    [page, end] = here.vendors.mail.mails
    assert all("[DRILL]" in mail.content["Subject"] for mail in (page, end))
    assert here.vendors.pager.events == []


async def test_a_drill_that_is_over_opens_no_way_to_tell_anybody(here: World) -> None:
    asked = await here.client.act("drills", wait="10s")
    await tick(here, 11)
    assert (await shown(here, asked))["reasons"] == ["its alert did not arrive in time"]
    number = await send(here, asked)
    assert (await here.client.incident(number))["notify"] == []
    assert here.vendors.pager.events == []


async def test_the_label_alone_is_a_drill_by_the_route(here: World) -> None:
    label = {"alertname": "Anything", LABEL: "by-hand", "severity": "critical"}
    drill = {"registered_at": NOON.isoformat(), "labels": label, "annotations": {"summary": "x"}}
    incident = await here.client.incident(await send(here, drill))
    assert (incident["drill"], incident["title"], incident["notify"]) == (
        True,
        "[DRILL] x",
        ["pager", "slack"],
    )


async def test_a_vendor_that_refuses_fails_the_drill_with_the_reason(here: World) -> None:
    here.vendors.hook.script([Answer(404)])
    asked = await here.client.act("drills", notify=["channel:hook"], wait="1m")
    number = await send(here, asked)
    await tick(here, 61)
    await tick(here, 16)
    found = await shown(here, asked)
    assert found["state"] == "failed"
    assert found["reasons"][0].startswith("hook (http://127.0.0.1")
    assert "nothing is at that address" in found["reasons"][0]
    assert (await here.client.incident(number))["state"] == "resolved"


async def test_an_unknown_target_is_refused_with_the_nearest(here: World) -> None:
    body = json.dumps({"notify": ["user:alise"]}).encode()
    answer = await here.client.call("POST", "/api/v1/drills", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.json["errors"][0]["at"]) == (422, "/notify/0")
    assert "alice" in answer.json["errors"][0]["detail"]
    assert (await here.client.call("GET", "/api/v1/drills/none")).status == 404


async def test_a_planned_drill_takes_place_once_and_ends_by_itself(here: World) -> None:
    await tick(here, 299)
    assert (await here.client.get("/api/v1/drills"))["items"] == []
    await tick(here, 1)
    await tick(here, 6)
    await here.restart()
    await tick(here, 1)
    [found] = (await here.client.get("/api/v1/drills"))["items"]
    assert (found["name"], found["state"], found["due_at"]) == ("weekly", "passed", "2026-11-20T20:45:00Z")
    assert found["finished_at"] is not None
    assert [event["event_action"] for event in here.vendors.pager.events] == ["trigger", "resolve"]


async def test_a_planned_drill_that_was_missed_for_long_is_left_out(here: World) -> None:
    await here.stop()
    here.clock.set(datetime(2026, 11, 20, 21, 0, tzinfo=UTC))
    await here.start()
    await tick(here, 1)
    assert (await here.client.get("/api/v1/drills"))["items"] == []


async def test_a_planned_drill_that_fails_is_an_incident_until_one_passes(here: World) -> None:
    config = json.loads(here.file.read_text())
    config["drills"]["weekly"] = {**WEEKLY, "notify": ["user:bob"], "at": "20:45"}
    config["route"]["notify"] = ["hook"]
    write(here.file, config)
    assert await here.daemon.reload() == []
    await tick(here, 300)
    await tick(here, 121)
    # What watches channels has incidents of its own, and closes none of others.
    await here.daemon.clockwork.chores.watch_destinations()
    [about] = await here.client.incidents(q="IncidentdDrillFailed")
    assert (about["state"], about["severity"], about["drill"]) == ("triggered", "critical", False)
    assert "Drill weekly failed: nobody was told" in about["title"]
    assert [event["data"]["incident"]["id"] for event in here.vendors.hook.events] == [about["id"]]
    config["drills"]["weekly"]["notify"] = ["hook"]
    write(here.file, config)
    assert await here.daemon.reload() == []
    await tick(here, 24 * 3600 - 121)
    await tick(here, 6)
    assert (await here.client.incident(about["id"]))["state"] == "resolved"


async def test_what_was_proven_last_is_known_of_channels_and_people(here: World) -> None:
    asked = await here.client.act("drills", notify=["channel:pager", "user:alice"])
    number = await send(here, asked)
    await here.client.act(f"incidents/{number}/acknowledge")
    await until(lambda: proven(here), "the proofs")
    proofs = {(p["kind"], p["name"]): p for p in (await here.client.get("/api/v1/proofs"))["items"]}
    pager, alice, bob = proofs["channel", "pager"], proofs["person", "alice"], proofs["person", "bob"]
    assert (pager["incident_id"], pager["drill"]) == (number, True)
    assert alice["delivered_at"] == alice["acknowledged_at"] == pager["delivered_at"]
    assert (bob["delivered_at"], bob["acknowledged_at"]) == (None, None)
    channels = {each["name"]: each for each in (await here.client.get("/api/v1/channels"))["items"]}
    assert channels["pager"]["last_proven_at"] == pager["delivered_at"]
    assert channels["hook"]["last_proven_at"] is None
    found = await here.client.metric("incidentd_last_proven_timestamp_seconds", channel="pager")
    assert found == NOON.timestamp()


async def proven(here: World) -> bool:
    items = (await here.client.get("/api/v1/proofs"))["items"]
    return all(p["delivered_at"] for p in items if p["name"] in {"pager", "alice"})


async def test_two_replicas_start_a_planned_drill_once(here: World) -> None:
    here.clock.set(NOON + timedelta(minutes=5))
    rules, now = here.daemon.context.rules, here.clock.now()
    for identity in ("first", "second"):
        await here.daemon.store.write(partial(drills.run, rules=rules, now=now, identities=[identity]))
    assert len((await here.client.get("/api/v1/drills"))["items"]) == 1
