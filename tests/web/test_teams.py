"""Who is restricted to teams: sees and changes their incidents, and learns nothing of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.config import Scope
from incidentd.web.access import FILTERED, OF_AN_INCIDENT, OF_NO_TEAM
from incidentd.web.routes import OPS
from tests.web.conftest import Daemon, alert, config_of, running
from tests.web.people import account, browser
from tests.web.test_auth import path_of

PAY = "token-of-the-payments-team"
TEAMS = {"pay": {"matchers": ['team=~"pay|billing"']}, "search": {"matchers": ['team="search"']}}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    config = config_of(tmp_path)
    own = {"name": "payments", "token": PAY, "scopes": ["read", "respond", "manage"], "teams": ["pay"]}
    auth = type(config.auth).model_validate({"tokens": [*config.auth.tokens, own], "teams": TEAMS})
    async with running(config.model_copy(update={"auth": auth})) as started:
        for team in ("pay", "search", "billing"):
            await started.alert(alert(f"Down{team}", team=team))
        yield started


async def test_lists_show_theirs_and_pages_are_full(daemon: Daemon) -> None:
    _, all_of_them = await daemon.get("/api/v1/incidents")
    assert len(all_of_them["items"]) == 3
    _, first = await daemon.get("/api/v1/incidents?limit=1", PAY)
    assert [i["labels"]["team"] for i in first["items"]] == ["billing"]
    _, second = await daemon.get(f"/api/v1/incidents?limit=1&cursor={first['next_cursor']}", PAY)
    assert [i["labels"]["team"] for i in second["items"]] == ["pay"]
    assert second["next_cursor"] is None
    _, alerts = await daemon.get("/api/v1/alerts", PAY)
    assert {a["labels"]["team"] for a in alerts["items"]} == {"pay", "billing"}


async def test_what_is_others_is_not_there_for_any_verb(daemon: Daemon) -> None:
    _, listed = await daemon.get("/api/v1/incidents")
    ids = {i["labels"]["team"]: i["id"] for i in listed["items"]}
    for op in OPS:
        if not op.path.startswith(OF_AN_INCIDENT):
            continue
        for method in op.methods:
            path = path_of(op).replace("/1", f"/{ids['search']}", 1)
            answer, told = await daemon.call(method, path, token=PAY)
            absent, same = await daemon.call(method, path.replace(f"/{ids['search']}", "/999", 1), token=PAY)
            assert (answer.status, absent.status) == (404, 404), path
            assert told["detail"].replace(str(ids["search"]), "999") == same["detail"]
    assert (await daemon.get(f"/api/v1/incidents/{ids['pay']}", PAY))[0].status == 200
    assert (await daemon.post(f"/api/v1/incidents/{ids['pay']}/acknowledge", None, PAY))[0].status == 200


def test_every_route_that_they_may_use_is_one_that_exists() -> None:
    listed = {(method, op.path) for op in OPS for method in op.methods}
    assert listed >= FILTERED | OF_NO_TEAM
    ours = {(method, op.path): op.access for op in OPS for method in op.methods}
    assert {ours[row] for row in FILTERED | OF_NO_TEAM} == {Scope.READ}


async def test_what_is_about_everybody_is_refused(daemon: Daemon) -> None:
    for path in (
        "/metrics",
        "/api/v1/report",
        "/api/v1/deliveries",
        "/api/v1/quarantine",
        "/api/v1/silences",
    ):
        assert (await daemon.get(path, PAY))[0].status == 403, path
    assert (await daemon.post("/api/v1/incidents", {"title": "x", "severity": "info"}, PAY))[0].status == 403
    for method, path in OF_NO_TEAM:
        assert (await daemon.call(method, path.replace("{name}", "x"), token=PAY))[0].status in {200, 404}


async def test_the_stream_tells_of_theirs_alone(daemon: Daemon) -> None:
    headers = {"Authorization": f"Bearer {PAY}"}
    async with daemon.session.get(f"{daemon.url}/api/v1/events?after=0", headers=headers) as stream:
        seen: set[int] = set()
        async with asyncio.timeout(5):
            while len(seen) < 2:
                line = await stream.content.readline()
                if line.startswith(b"data: "):
                    seen.add(json.loads(line[6:])["incident_id"])
    _, listed = await daemon.get("/api/v1/incidents", PAY)
    assert seen == {i["id"] for i in listed["items"]}


async def test_people_and_stored_tokens_are_restricted_too(daemon: Daemon) -> None:
    await account(daemon, "bob", "viewer", teams=("search",))
    async with browser(daemon.url) as bob:
        await bob.sign_in("bob")
        assert '"team":"search"' in (await bob.api("GET", "/api/v1/incidents")).text
        assert '"team":"pay"' not in (await bob.api("GET", "/api/v1/incidents")).text
        assert "viewer, search" in (await bob.open("/login")).text


async def test_a_team_that_is_not_configured_any_more_sees_nothing(daemon: Daemon) -> None:
    auth = daemon.context.config.auth
    await account(daemon, "bob", "viewer", teams=("search",))
    async with browser(daemon.url) as bob:
        await bob.sign_in("bob")
        gone = auth.model_copy(update={"teams": {"pay": auth.teams["pay"]}})
        daemon.context.config = daemon.context.config.model_copy(update={"auth": gone})
        assert '"items":[]' in (await bob.api("GET", "/api/v1/incidents")).text
    assert len((await daemon.get("/api/v1/incidents"))[1]["items"]) == 3
