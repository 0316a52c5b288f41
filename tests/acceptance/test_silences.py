"""Silences from the incident, in real Alertmanagers: made, extended, ended, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager, pair, resolved
from tests.acceptance.silencing import Silenced, holding, muted, there
from tests.acceptance.stage import Stage, staged
from tests.acceptance.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


def alone(stage: Stage) -> Silenced:
    return Silenced(stage, (Alertmanager(stage.folder / "am", stage.config),))


def ends(silence: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(silence["endsAt"])


async def test_a_silence_mutes_its_group_alone_is_extended_as_one_and_ends_with_the_incident(
    stage: Stage,
) -> None:
    here = alone(stage)
    (member,) = here.members
    async with am.started(member):
        await here.open(names=2)
        await stage.client.act("incidents/1/acknowledge")
        assert await there(member) == []
        said = await here.ctl("silence", "INC-1", "2h", "-m", "disk swap")
        assert "INC-1 silence active on 1 of 1 Alertmanager, until" in said
        assert 'by alice: alertname="Drill000"' in said
        assert await muted(member) == {"Drill000": "suppressed", "Drill001": "active"}
        (first,) = await holding(member)
        assert (first["createdBy"], first["comment"].split(" [incidentd ")[0]) == ("alice", "disk swap")
        await here.ctl("silence", "1", "4h")
        (second,) = await there(member)
        assert second["id"] == first["id"]
        assert ends(second) - ends(first) > timedelta(hours=1, minutes=50)
        assert "disk swap" in await here.ctl("silences")
        await stage.client.act("incidents/1/resolve", force=True)
        await here.wait_states("expired")
        assert await holding(member) == []
        assert await here.texts(1, "silence_ended") == ["silence at its source has ended"]
        assert await here.ctl("silences") == "no silences\n"
        await stage.client.act("incidents/1/reopen")
        assert "not silenced" in (await here.silence())["standing"]


async def test_the_source_s_resolve_ends_it_and_so_does_a_person(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    async with am.started(member):
        alerts = await here.open()
        await here.ctl("silence", "1", "1h")
        assert "not silenced" in await here.ctl("unsilence", "1")
        assert await holding(member) == []
        await here.ctl("silence", "1", "1h")
        assert len(await holding(member)) == 1
        # Alertmanager says nothing of what resolves while it is silenced: asking it finds out.
        await here.ask()
        await here.wait_good(2)
        await member.post(resolved(alerts))
        await here.wait_resolved(1)
        await here.wait_states("expired")
        assert await holding(member) == []
        assert len(await there(member)) == 2


async def test_one_of_two_that_is_down_is_told_when_it_is_back(stage: Stage) -> None:
    here = Silenced(stage, pair(stage.folder, stage.config, gossip=False))
    first, second = here.members
    async with am.started(first, second):
        await here.open()
        await second.end()
        said = await here.ctl("silence", "1", "2h")
        assert "active on 1 of 2 Alertmanagers" in said
        assert f"{second.url}: unreachable" in said
        checks = (await stage.client.get("/health/detailed"))["checks"]
        (check,) = [each for each in checks if each["name"] == "silences"]
        assert check["status"] == "degraded"
        assert await stage.client.metric("incidentd_silences", source="main", state="active") == 1
        await second.start()
        await here.wait_states("active", "active")
        assert [len(await holding(member)) for member in (first, second)] == [1, 1]
        assert "active on 2 of 2 Alertmanagers" in (await here.texts(1, "silence_active"))[-1]


async def test_a_cluster_is_given_one_silence(stage: Stage) -> None:
    here = Silenced(stage, pair(stage.folder, stage.config, gossip=True))
    async with am.started(*here.members):
        await here.open()
        await here.ctl("silence", "1", "2h")
        silence = await here.wait_states("active", "active")
        assert len({each["silence_id"] for each in silence["items"]}) == 1
        await here.ctl("unsilence", "1")
        assert [await holding(member) for member in here.members] == [[], []]


class Lossy:
    """Stands before an Alertmanager and keeps the answers to POST to itself."""

    def __init__(self, behind: Alertmanager) -> None:
        self.behind = behind
        self.kept = asyncio.Event()
        self.open = False

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        server = TestServer(app)
        await server.start_server()
        yield f"http://127.0.0.1:{server.port}"
        self.open = True
        await server.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                self.behind.url + request.path_qs,
                data=await request.read(),
                headers={"Content-Type": "application/json"},
            ) as answer,
        ):
            body = await answer.read()
        if request.method == "POST" and not self.open:
            self.kept.set()
            await asyncio.Event().wait()
        return web.Response(status=answer.status, body=body, content_type="application/json")


async def test_a_kill_between_making_it_and_knowing_of_it_makes_no_second_one(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    lossy = Lossy(member)
    async with am.started(member), lossy.serve() as url:
        await here.open()
        await here.ask(reconcile={"enabled": False}, alertmanagers=[url])
        await stage.client.act("incidents/1/silence", **{"for": "2h", "comment": "disk swap"})
        await lossy.kept.wait()
        await stage.daemon.kill9()
        assert len(await holding(member)) == 1
        lossy.open = True
        await stage.daemon.start()
        silence = await here.wait_states("active")
        (only,) = await there(member)
        assert silence["items"][0]["silence_id"] == only["id"]


async def test_what_people_do_to_it_in_alertmanager_is_taken_over(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    async with am.started(member):
        await here.open()
        await here.ctl("silence", "1", "2h")
        (silence,) = await holding(member)
        await member.expire(silence["id"])
        assert (await here.silence())["active"] == 1
        # The daemon looks at its start, as it does every few minutes.
        await stage.daemon.end()
        await stage.daemon.start()
        await here.wait_states("expired")
        assert (await here.silence())["items"][0]["ended_by"] == "its Alertmanager"


async def _forgotten(here: Silenced) -> bool:
    return "nothing here knew of it" in await here.ctl("silences", "--forgotten")


async def test_one_that_nobody_here_knows_is_found_and_can_be_ended(stage: Stage) -> None:
    here = alone(stage)
    (member,) = here.members
    async with am.started(member):
        await here.open()
        await here.ctl("silence", "1", "2h")
        (silence,) = await holding(member)
        mark = silence["comment"].replace("INC-1 #", "INC-77 #")
        await member.silence("bob", mark, alertname="Other")
        await member.silence("bob", mark.replace("[incidentd ", "[incidentd x"), alertname="Foreign")
        await stage.daemon.end()
        await stage.daemon.start()
        await until(lambda: _forgotten(here), "the unknown silence to be found")
        (found,) = (await stage.client.get("/api/v1/silences?forgotten=true"))["items"]
        assert (found["incident_id"], found["created_by"]) == (77, "bob")
        await here.ctl("unsilence", "--silence", str(found["id"]))
        await until(lambda: _left(member, 2), "it to end")


async def _left(member: Alertmanager, number: int) -> bool:
    return len(await holding(member)) == number
