"""The kit at work, with real programs: a target goes down, the incident opens, is told, and is over when it is back."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.acceptance import alertmanager as am
from tests.acceptance import prometheus as prom
from tests.acceptance.alertmanager import Alertmanager, free_port
from tests.acceptance.client import Client
from tests.acceptance.harness import EVERYBODY, Vendors, vendors, write
from tests.acceptance.process import Process, client_of
from tests.acceptance.prometheus import Prometheus
from tests.acceptance.waiting import until
from tests.deploy.configs import runnable, secrets, token
from tests.deploy.reckoning import asked_of_prometheus, check_the_report, deploy
from tests.deploy.shipped import DASHBOARDS, DEPLOY, RULES, SECRETS, expressions, read

SECOND = "1s"
INFO = {"matchers": ['severity="info"'], "notify": ["console"]}


class Shop:
    """A service that can be scraped, or not."""

    def __init__(self) -> None:
        self.up = True
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self._server.host}:{self._server.port}"

    async def _metrics(self, _: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4"}
        return web.Response(text="shop_orders 1\n", headers=headers) if self.up else web.Response(status=500)


def alertmanager_config(folder: Path, receiver: str) -> dict[str, Any]:
    """deploy/alertmanager.yml with this receiver, secrets that exist, and no patience."""
    text = (DEPLOY / "alertmanager.yml").read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(
        json.dumps(read(DEPLOY / "alertmanager.yml")).replace(SECRETS, str(secrets(folder)))
    )
    assert "http://incidentd:8650" in text
    [hook] = config["receivers"][0]["webhook_configs"]
    hook["url"] = hook["url"].replace("http://incidentd:8650", receiver)
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "200ms", "group_interval": SECOND}
    # A mail relay that nobody runs here.
    config["receivers"] = [config["receivers"][0], {"name": "without-incidentd"}]
    return config


def impatient(path: Path) -> dict[str, Any]:
    """A file of rules that fire at once."""
    content: dict[str, Any] = read(path)
    for group in content["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return content


class Shipped(Prometheus):
    """A Prometheus with deploy/prometheus.yml and its rules, and the addresses of this test."""

    def __init__(self, folder: Path, alertmanager: str, daemon: str, shop: str) -> None:
        super().__init__(folder, alertmanager)
        config = read(DEPLOY / "prometheus.yml")
        config["global"] |= {
            "scrape_interval": SECOND,
            "scrape_timeout": SECOND,
            "evaluation_interval": SECOND,
        }
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
        addresses = {"incidentd": daemon, "alertmanager": alertmanager}
        jobs = []
        for job in config["scrape_configs"]:
            if job["job_name"] in addresses:
                job["static_configs"][0]["targets"] = [addresses[job["job_name"]]]
                jobs.append(job)
        targets = folder / "targets"
        targets.mkdir()
        (targets / "shop.yml").write_text(json.dumps([{"targets": [shop], "labels": {"service": "shop"}}]))
        config["scrape_configs"] = [*jobs, config["scrape_configs"][-1]]
        for path in RULES:
            (folder / path.name).write_text(json.dumps(impatient(path)))
        text = json.dumps(config).replace(SECRETS, str(secrets(folder.parent)))
        (folder / "prometheus.yml").write_text(text)

    async def evaluate(self, expression: str) -> Any:
        """Whatever it answers; AssertionError if it cannot."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/query", params={"query": expression}) as response,
        ):
            answer = await response.json()
        assert answer["status"] == "success", (expression, answer)
        return answer["data"]["result"]


@dataclass
class Kit:
    """Everything that runs."""

    client: Client
    pipeline: Client
    told: Vendors
    prometheus: Shipped
    shop: Shop

    async def open_services(self) -> list[str]:
        """Whose incidents are open, but for the one that tells of the deployment."""
        found = await self.client.incidents(state="open")
        return [incident["service"] for incident in found if incident["service"] != "deployments"]


def daemon_config(folder: Path, port: int, alertmanager: str, told: Vendors) -> Path:
    """deploy/incidentd/incidentd.yaml, here, with vendors to tell."""
    config = read(runnable("incidentd.yaml", folder))
    config["server"] |= {"host": "127.0.0.1", "port": port}
    config["database"]["url"] = f"sqlite+aiosqlite:///{folder}/incidentd.db"
    config["sources"]["main"]["alertmanagers"] = [alertmanager]
    config |= {"channels": told.channels(), "route": {"notify": EVERYBODY, "routes": [INFO]}}
    return write(folder / "incidentd.yaml", config)


@asynccontextmanager
async def at_port(config: Path, port: int) -> AsyncIterator[Process]:
    """A daemon whose address the Alertmanager knows before it starts, as the daemon knows Alertmanager's."""
    process = Process(config)
    process._port = port
    try:
        await process.start()
        yield process
    finally:
        await process.cleanup()


@asynccontextmanager
async def kit(folder: Path) -> AsyncIterator[Kit]:
    port = free_port()
    daemon = f"127.0.0.1:{port}"
    member = Alertmanager(folder / "am", alertmanager_config(folder, f"http://{daemon}"))
    async with vendors() as told, Shop() as shop, am.started(member):
        file = daemon_config(folder, port, member.url, told)
        prometheus = Shipped(folder / "prom", member.url.removeprefix("http://"), daemon, shop.address)
        async with (
            at_port(file, port) as process,
            client_of(process, token("oncall")) as client,
            client_of(process, token("pipelines")) as pipeline,
            prom.started(prometheus),
        ):
            yield Kit(client, pipeline, told, prometheus, shop)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    am.binary()
    prom.binary()
    return tmp_path


async def test_a_target_that_goes_down_is_an_incident_until_it_is_back(folder: Path) -> None:
    async with kit(folder) as here:
        await until(lambda: sees(here, 'up{job="services"}', 1), "Prometheus to scrape the shop")
        await deploy(here.pipeline)
        here.shop.up = False
        await until(lambda: is_open(here, ["shop"]), "an incident of the shop")
        [incident] = await here.client.incidents(state="open", service="shop")
        [alert] = (await here.client.incident(incident["id"]))["alerts"]
        assert (incident["severity"], incident["labels"]["alertname"]) == ("critical", "ServiceDown")
        # What tells replicas of Prometheus apart is gone, what tells clusters apart is there.
        assert {"cluster": "main", "instance": here.shop.address, "job": "services"}.items() <= alert[
            "labels"
        ].items()
        assert "replica" not in alert["labels"]
        assert alert["annotations"]["runbook_url"].endswith("/deploy/runbooks.md#servicedown")
        await until(lambda: sees(here, OPEN, 1), "Prometheus to see it in our metrics")
        here.shop.up = True
        await until(lambda: is_open(here, []), "the incident to be over")
        await until(lambda: sees(here, RESOLVED, 1), "Prometheus to see its time to resolve")
        await until(lambda: len(here.told.pager.events) == 2, "PagerDuty to be told of both")
        [over] = await here.client.incidents(service="shop")
        assert (over["state"], over["resolved_by"]) == ("resolved", "source")
        await check_the_figures(here)
        await check_what_else(here)
    assert [action for action, _ in here.told.pages()] == ["trigger", "resolve"]
    assert here.told.violations == []


OPEN = 'sum(incidentd_incidents_open{job="incidentd", severity="critical"})'
RESOLVED = 'sum(mttr_seconds_count{job="incidentd", incident_type="critical"})'


async def check_the_figures(here: Kit) -> None:
    """Those of the report, and those that Prometheus has, are the ones that come out by hand."""
    for expression, value in asked_of_prometheus(await check_the_report(here.client)).items():
        await until(partial(comes_to, here, expression, value), f"{expression} to be {value}")


async def comes_to(here: Kit, expression: str, value: float) -> bool:
    found = await here.prometheus.value(expression)
    return found is not None and math.isclose(found, value, abs_tol=1e-6)


async def check_what_else(here: Kit) -> None:
    """The heartbeat came, the deployment is told of, nothing else fires, and the dashboards get all they ask for."""
    firing = await here.prometheus.evaluate('ALERTS{alertstate="firing", alertname!~"Incidentd.*"}')
    assert {each["metric"]["alertname"] for each in firing} == {"Watchdog", "NewDeployment"}
    await until(lambda: beats(here), "Prometheus to see that the heartbeat came")
    assert await here.prometheus.value("max(incidentd_heartbeat_missing)") == 0
    for path in DASHBOARDS:
        for expression in expressions(path):
            await here.prometheus.evaluate(expression)


async def beats(here: Kit) -> bool:
    return bool(await here.prometheus.value('sum(incidentd_alerts_sighted_total{sighting="heartbeat"})'))


async def is_open(here: Kit, services: list[str]) -> bool:
    return await here.open_services() == services


async def sees(here: Kit, expression: str, value: float) -> bool:
    return await here.prometheus.value(expression) == value
