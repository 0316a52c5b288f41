"""Deployments through the front door, on both databases: taken once, listed, and told to PagerDuty."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from incidentd.clock import FixedClock
from incidentd.web.deployments import DeploymentAnswer
from tests.acceptance.client import Answer, Client
from tests.acceptance.harness import INGEST, NOON, World, configuration, vendors, write
from tests.fakes.http import Answer as Scripted
from tests.web.conftest import Daemon

PATH = "/api/v1/deployments"
RUNNING = {
    "id": "pipeline-7",
    "service": "shop",
    "environment": "production",
    "version": "1.2",
    "commit_time": "2026-11-20T19:00:00Z",
    "started_at": "2026-11-20T20:30:00Z",
}
ENDED = RUNNING | {"finished_at": "2026-11-20T20:33:00Z", "status": "success"}


@dataclass
class Office:
    """A daemon with a PagerDuty service that wants to hear of deployments."""

    world: World
    pipeline: Client

    async def post(self, body: Any) -> Answer:
        """What the pipeline is answered."""
        headers = {"Content-Type": "application/json"}
        return await self.pipeline.call("POST", PATH, json.dumps(body).encode(), headers)

    async def take(self, body: Any) -> Any:
        """The same for a post that must be taken; told is what is due."""
        answer = await self.post(body)
        assert answer.status == 200, answer.text
        await self.world.daemon.worker.idle()
        return answer.json

    async def listed(self, query: str = "") -> list[str]:
        """Ids as listed."""
        return [item["id"] for item in await self.world.client.all(PATH + query)]

    def told(self) -> list[str]:
        """The versions that PagerDuty heard of."""
        return [e["payload"]["custom_details"]["version"] for e in self.world.vendors.pager.changes]

    async def later(self, seconds: float) -> None:
        """Time passes."""
        self.world.clock.set(self.world.clock.now() + timedelta(seconds=seconds))
        await self.world.daemon.worker.idle()

    async def counted(self, **labels: str) -> float:
        """`deployment_frequency_total`."""
        return await self.world.client.metric("deployment_frequency_total", **labels)


@asynccontextmanager
async def open_office(folder: Path, database_url: str, **pager: Any) -> AsyncIterator[Office]:
    clock = FixedClock(NOON)
    async with vendors(clock) as fakes:
        channels = fakes.channels()
        channels["pager"] |= pager
        sections = {"channels": channels, "route": {"notify": ["pager"]}}
        file = write(folder / "incidentd.yaml", configuration(database_url, fakes, **sections))
        here = World(file, clock, fakes)
        await here.start()
        pipeline = Client(here.daemon.url, INGEST)
        try:
            yield Office(here, pipeline)
        finally:
            await pipeline.close()
            await here.stop()
        assert fakes.violations == []


@pytest_asyncio.fixture
async def office(tmp_path: Path, database_url: str) -> AsyncIterator[Office]:
    async with open_office(tmp_path, database_url, change_events=True) as here:
        yield here


async def test_a_deployment_is_taken_when_it_begins_and_told_once_when_it_has_ended(office: Office) -> None:
    begun = await office.take(RUNNING)
    assert (begun["status"], begun["finished_at"]) == (None, None)
    assert office.told() == []
    ended = ENDED | {"source": "main"}
    for _ in range(2):
        taken = await office.take(ENDED)
        DeploymentAnswer.model_validate_json(json.dumps(taken))
        assert taken == ended
    assert office.told() == ["1.2"]
    assert await office.counted(environment="production", status="success") == 1
    assert await office.take(RUNNING) == ended, "a retry that was overtaken"
    assert await office.world.client.all(PATH) == [ended]


async def test_a_rollback_is_taken_and_neither_told_nor_counted_again(office: Office) -> None:
    await office.take(ENDED)
    back = ENDED | {"status": "rolled_back", "finished_at": "2026-11-20T20:39:00Z"}
    assert (await office.take(back))["status"] == "rolled_back"
    assert (await office.take(ENDED))["status"] == "rolled_back"
    assert office.told() == ["1.2"]
    assert await office.counted() == 1


async def test_another_deployment_under_the_same_id_is_a_conflict(office: Office) -> None:
    await office.take(ENDED)
    answer = await office.post(ENDED | {"version": "1.3"})
    assert (answer.status, answer.json["reason"]) == (409, "conflict")
    assert (await office.world.client.all(PATH))[0]["version"] == "1.2"


async def test_deployments_are_found_by_service_environment_and_time_page_by_page(office: Office) -> None:
    for number, service, environment, hour in (
        (1, "shop", "production", 17),
        (2, "shop", "staging", 18),
        (3, "cart", "production", 19),
    ):
        start = f"2026-11-20T{hour}:30:00Z"
        told = {"id": str(number), "service": service, "environment": environment, "started_at": start}
        await office.take(ENDED | told | {"commit_time": None})
    for query, ids in (
        ("", ["3", "2", "1"]),
        ("?service=shop", ["2", "1"]),
        ("?environment=production&service=shop", ["1"]),
        ("?since=2026-11-20T18:30:00Z", ["3", "2"]),
        ("?service=none", []),
    ):
        assert await office.listed(query) == ids
    first = await office.world.client.get(f"{PATH}?limit=2")
    rest = await office.world.client.get(f"{PATH}?limit=2&cursor={first['next_cursor']}")
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ["3", "2", "1"]
    assert (await office.pipeline.call("GET", PATH)).status == 403


BAD: list[tuple[dict[str, Any], str]] = [
    ({"surprise": 1}, "/surprise"),
    ({"id": ""}, "/id"),
    ({"id": " \0 "}, "/id"),
    ({"service": 7}, "/service"),
    ({"version": "x" * 257}, "/version"),
    ({"status": "done"}, "/status"),
    ({"status": None}, "/status"),
    ({"finished_at": None}, "/status"),
    ({"finished_at": "2026-11-20T20:29:59Z"}, "/finished_at"),
    ({"finished_at": "0001-01-01T00:00:00Z"}, "/finished_at"),
    ({"finished_at": "2026-11-20T20:51:00Z"}, "/finished_at"),
    ({"started_at": "2026-11-20T20:30:00"}, "/started_at"),
    ({"started_at": "yesterday"}, "/started_at"),
    ({"commit_time": "1970-01-01T00:00:00Z"}, "/commit_time"),
]


async def test_what_is_not_understood_is_refused_with_its_place_and_leaves_nothing_behind(
    office: Office,
) -> None:
    for changes, place in BAD:
        answer = await office.post(ENDED | changes)
        assert (answer.status, [error["at"] for error in answer.json["errors"]]) == (422, [place]), changes
    missing = await office.post({})
    assert [error["at"] for error in missing.json["errors"]] == [
        "/id",
        "/service",
        "/environment",
        "/version",
        "/started_at",
    ]
    assert await office.listed() == []


async def test_what_is_not_told_before_a_stop_is_told_after_the_next_start(office: Office) -> None:
    pager = office.world.vendors.pager
    pager.script([Scripted(503)])
    await office.take(ENDED)
    assert office.told() == []
    await office.world.restart()
    await office.later(60)
    assert office.told() == ["1.2"]
    assert await office.counted() == 0, "it was counted by the run that took it"


async def test_what_was_given_up_degrades_the_health_for_a_day(office: Office) -> None:
    office.world.vendors.pager.script([Scripted(400, {"errors": ["no"]})])
    await office.take(ENDED)
    health = await office.world.client.get("/health/detailed")
    found = [check for check in health["checks"] if check["name"] == "change events"]
    assert [(check["status"], check["detail"]) for check in found] == [
        ("degraded", "0 wait; 1 were given up within a day")
    ]
    await office.later(86_401)
    health = await office.world.client.get("/health/detailed")
    assert not any(check["name"] == "change events" for check in health["checks"])


@pytest.mark.parametrize(
    ("pager", "told"),
    [
        ({}, []),
        ({"change_events": True, "services": ["cart"]}, []),
        ({"change_events": True, "services": ["cart", "shop"]}, ["1.2"]),
    ],
)
async def test_a_pagerduty_service_hears_of_the_services_that_are_its_own(
    tmp_path: Path, pager: dict[str, Any], told: list[str]
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with open_office(tmp_path, url, **pager) as office:
        await office.take(ENDED)
        assert office.told() == told


async def test_environments_are_bounded_and_plain_in_metrics(office: Office) -> None:
    for number in range(32):
        await office.post(ENDED | {"id": str(number), "environment": f"review {number}"})
    assert await office.counted(environment="review_7") == 1
    # Those that make the figures have their place from the start.
    assert await office.counted(environment="other") == 2 + len({"production", "prod"})


async def test_a_deployment_that_is_not_on_disk_is_answered_503(daemon: Daemon) -> None:
    started = (daemon.clock.now() - timedelta(minutes=1)).isoformat()
    body = {**dict.fromkeys(("id", "service", "environment", "version"), "a"), "started_at": started}
    daemon.store.writes_fail = True
    assert (await daemon.post(PATH, body, "ingest"))[0].status == 503
    daemon.store.writes_fail = False
    assert (await daemon.get(PATH))[1]["items"] == []
    assert (await daemon.post(PATH, body, "ingest"))[0].status == 200
    assert (await daemon.post(PATH, body, "respond"))[0].status == 403
    other = await daemon.new_token("other-pipeline", ["ingest"], source="other")
    daemon.clock.ahead += timedelta(seconds=10)  # tokens are looked up anew
    answer, taken = await daemon.post(PATH, body, other)
    assert (answer.status, taken["source"]) == (200, "other")
    assert [item["source"] for item in (await daemon.get(PATH))[1]["items"]] == ["other", "main"]
