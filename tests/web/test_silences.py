"""Silences over HTTP and from Slack: asked for, refused with their reason, shown, ended, counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.domain.silence import State
from incidentd.ingest.slack import Order, Verb, order_of
from incidentd.store import silences
from tests.web.conftest import Daemon, Start, alert
from tests.web.slack_world import Workspace, workspace

PATH = "/api/v1/incidents/1/silence"
SOURCES = {"main": {"alertmanagers": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}, "other": {}}


@pytest.fixture
async def daemon(start: Start) -> AsyncIterator[Daemon]:
    async with start(sources=SOURCES) as daemon:
        await daemon.alert(alert(service="db"))
        yield daemon


async def delete(daemon: Daemon, path: str, token: str = "respond") -> tuple[int, Any]:
    answer, data = await daemon.call("DELETE", path, token=token)
    return answer.status, data


async def test_a_silence_is_written_down_with_what_it_matches_and_nobody_is_acknowledged(
    daemon: Daemon,
) -> None:
    assert (await daemon.get(PATH))[1]["standing"] == "not silenced"
    answer, made = await daemon.post(PATH, {"for": "2h", "comment": "disk swap"})
    assert answer.status == 200, made
    assert made["matchers"] == ['alertname="Down"', 'cluster=""', 'service="db"']
    assert (made["active"], made["alertmanagers"], made["settled"]) == (0, 2, False)
    assert made["standing"].startswith("active on 0 of 2 Alertmanagers; http://127.0.0.1:1: not asked yet")
    assert [item["state"] for item in made["items"]] == ["wanted", "wanted"]
    assert made["created_by"] == "responder"
    assert (await daemon.get("/api/v1/incidents/1"))[1]["state"] == "triggered"
    assert (await daemon.get(PATH))[1]["items"] == made["items"]
    _, again = await daemon.post(PATH, {"for": "4h"})
    assert [item["id"] for item in again["items"]] == [item["id"] for item in made["items"]]
    assert again["ends_at"] > made["ends_at"]


async def test_acknowledging_silences_nothing(daemon: Daemon) -> None:
    await daemon.post("/api/v1/incidents/1/acknowledge", {})
    assert (await daemon.get("/api/v1/silences"))[1]["items"] == []


async def test_resolving_or_a_person_ends_it(daemon: Daemon) -> None:
    await daemon.post(PATH, {"for": "2h"})
    status, ended = await delete(daemon, PATH)
    assert (status, ended["standing"]) == (200, "being ended")
    assert (await delete(daemon, PATH))[1]["items"] == ended["items"]
    await daemon.post(PATH, {"for": "2h"})
    await daemon.post("/api/v1/incidents/1/resolve", {"force": True})
    _, found = await daemon.get("/api/v1/silences?state=expiring&incident=INC-1&limit=3")
    assert [item["ended_by"] for item in found["items"]] == [*["its incident is resolved"] * 2, "responder"]
    _, rest = await daemon.get(f"/api/v1/silences?state=live&cursor={found['next_cursor']}")
    assert len(rest["items"]) == 1
    await daemon.post("/api/v1/incidents/1/reopen", {})
    assert (await daemon.get(PATH))[1]["standing"] == "being ended"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"for": "8d"}, "is not above zero and at most 1w (silences.longest)"),
        ({"for": "0s"}, "is not above zero and at most 1w (silences.longest)"),
        ({"for": "soon"}, "is not a duration"),
        ({}, "Field required"),
    ],
)
async def test_a_length_that_cannot_be_is_refused_with_its_place(
    daemon: Daemon, body: dict[str, str], detail: str
) -> None:
    answer, problem = await daemon.post(PATH, body)
    assert (answer.status, problem["errors"][0]["at"]) == (422, "/for")
    assert detail in problem["errors"][0]["detail"]


async def test_what_has_no_alertmanager_is_refused_with_the_key_that_is_missing(daemon: Daemon) -> None:
    token = await daemon.new_token("other", ["ingest"], source="other")
    daemon.clock.ahead = timedelta(seconds=30)  # by then every replica knows the new token
    await daemon.alert(alert("Elsewhere"), token=token)
    answer, problem = await daemon.post("/api/v1/incidents/2/silence", {"for": "2h"})
    assert (answer.status, problem["reason"]) == (409, "no_alertmanagers")
    assert "sources.other.alertmanagers" in problem["detail"]
    await daemon.post("/api/v1/incidents", {"title": "by hand", "severity": "warning"})
    _, problem = await daemon.post("/api/v1/incidents/3/silence", {"for": "2h"})
    assert "does not come from an Alertmanager" in problem["detail"]
    await daemon.post("/api/v1/incidents/1/resolve", {"force": True})
    answer, problem = await daemon.post(PATH, {"for": "2h"})
    assert (answer.status, problem["reason"], problem["state"]) == (409, "wrong_state", "resolved")
    await daemon.alert(alert("Long", service="x" * 5000))
    answer, problem = await daemon.post("/api/v1/incidents/4/silence", {"for": "2h"})
    assert (answer.status, problem["reason"]) == (409, "nothing_to_match")


async def test_what_is_not_there_is_not_found_and_reading_needs_its_scope(daemon: Daemon) -> None:
    for path in ("/api/v1/incidents/99/silence", "/api/v1/incidents/x/silence"):
        assert (await daemon.get(path))[0].status == 404
        assert (await daemon.post(path, {"for": "1h"}))[0].status == 404
        assert (await delete(daemon, path))[0] == 404
    for name in ("99", "x"):
        assert (await delete(daemon, f"/api/v1/silences/{name}"))[0] == 404
    assert (await daemon.post(PATH, {"for": "2h"}, "read"))[0].status == 403
    assert (await daemon.get("/api/v1/silences?state=odd"))[0].status == 400


async def test_forgotten_ones_are_listed_counted_and_ended_by_number(daemon: Daemon) -> None:
    await daemon.post(PATH, {"for": "48h"})
    first, second = await daemon.store.read(lambda tx: silences.of_incident(tx, 1))
    for made in (first, second):
        held = replace(made, state=State.ACTIVE)
        await daemon.store.write(lambda tx, held=held: silences.save(tx, held))  # type: ignore[misc]
    assert (await daemon.get("/api/v1/silences?forgotten=true"))[1]["items"] == []
    daemon.clock.ahead = timedelta(hours=25)
    _, found = await daemon.get("/api/v1/silences?forgotten=true")
    assert [item["forgotten"] for item in found["items"]] == ["held_for_long"] * 2
    await daemon.get("/metrics")
    assert daemon.sample("incidentd_silences", source="main", state="forgotten") == 2
    assert daemon.sample("incidentd_silences", source="main", state="active") == 2
    status, ended = await delete(daemon, f"/api/v1/silences/{first.id}")
    assert (status, ended["state"], ended["ended_by"]) == (200, "expiring", "responder")


@pytest.fixture
async def office(start: Start) -> AsyncIterator[Workspace]:
    async with workspace(start, sections={"sources": SOURCES}) as opened:
        await opened.fires()
        yield opened


async def test_slack_s_command_silences_and_says_what_it_matches(office: Workspace) -> None:
    said = await office.command("silence INC-1 2h disk swap")
    assert said.startswith("INC-1 will be silenced on 2 Alertmanagers until <!date^")
    assert 'alertname="Down"' in said
    assert "It is not acknowledged by that." in said
    assert "silenced like that already" in await office.command("silence 1 2h")
    assert office.counted("silence", "done") == office.counted("silence", "already") == 1
    assert "silence_requested alice" in await office.timeline()
    assert "at most 1w (silences.longest)" in await office.command("silence 1 8d")
    await office.command("resolve 1 --force")
    assert "nothing to silence" in await office.command("silence 1 2h")
    assert "There is no incident INC-9" in await office.command("silence 9 2h")


def test_the_command_needs_an_incident_and_a_duration() -> None:
    two = timedelta(hours=2)
    assert order_of("silence 12 2h swap it") == Order(Verb.SILENCE, 12, "swap it", pause=two)
    assert order_of("silence 12").problem == "silence needs how long, such as 30m, 1h or 2d, at most 30d"
    assert order_of("silence").problem == "silence needs an incident, such as INC-12"
