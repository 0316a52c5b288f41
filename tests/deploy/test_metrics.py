"""Every metric that a rule or a dashboard names is one that a running program shows, with the labels it is asked by."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from incidentd.metrics import Metrics
from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager, free_port
from tests.acceptance.client import Client
from tests.acceptance.harness import write
from tests.acceptance.process import running
from tests.acceptance.waiting import until
from tests.deploy.shipped import (
    DASHBOARDS,
    expressions,
    groupings,
    label_names,
    legends,
    metric_names,
    rules,
)
from tests.programs import require

ASKED = [*(rule["expr"] for rule in rules()), *(each for path in DASHBOARDS for each in expressions(path))]
NAMES = set().union(*(metric_names(expression) for expression in ASKED))
OF_PROMETHEUS = {"up"}
"""Prometheus makes it for each target."""
OF_POSTGRES_EXPORTER = {"pg_up", "pg_stat_activity_count", "pg_settings_max_connections"}
"""A program that this suite does not run: it needs a database with its own user."""
LABELS: Mapping[str, set[str]] = {
    name: set(getattr(collector, "_labelnames", ()))
    for name, collector in Metrics().registry._names_to_collectors.items()
}
"""Of every metric of the daemon."""
FROM_ANY = {"job", "instance", "le", "service", "cluster"}
"""Labels that Prometheus, or the shape of the metric, adds."""


def families(exposition: str) -> set[str]:
    """The names of the series that an exposition declares, whether or not one has a value yet."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE):
        found.add(name)
        if kind == "histogram":
            found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return found


def test_names_are_found_in_promql() -> None:
    asked = 'sum by (job) (rate(a_total{b="c(d)"}[5m] offset 1h)) / 2e3 or vector(1) unless x:y > 0.5'
    assert metric_names(asked) == {"a_total", "x:y"}
    assert label_names(asked) == {("a_total", "b")}
    assert groupings(asked) == {("a_total", "job")}


async def test_a_running_daemon_shows_everything_that_is_asked_of_it(tmp_path: Path) -> None:
    config = {
        "server": {"port": 0},
        "database": {"url": f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"},
        "channels": {"console": {"kind": "console"}},
    }
    async with running(write(tmp_path / "incidentd.yaml", config)) as daemon:
        client = Client(daemon.url)
        try:
            shown = families((await client.call("GET", "/metrics")).text)
        finally:
            await client.close()
    elsewhere = ("alertmanager_", "node_")
    ours = {name for name in NAMES - OF_PROMETHEUS - OF_POSTGRES_EXPORTER if not name.startswith(elsewhere)}
    assert len(ours) > 30
    assert ours - shown == set()


def test_it_is_asked_by_labels_that_it_has() -> None:
    asked = {pair for expression in ASKED for pair in label_names(expression) if pair[0] in LABELS}
    assert len(asked) > 30
    assert {(name, label) for name, label in asked if label not in LABELS[name] | FROM_ANY} == set()


def test_it_is_grouped_by_labels_that_it_has() -> None:
    asked = {pair for expression in ASKED for pair in groupings(expression) if pair[0] in LABELS}
    assert len(asked) > 50
    assert {(name, label) for name, label in asked if label not in LABELS[name] | FROM_ANY} == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_legend_names_labels_that_its_answers_have(path: Path) -> None:
    for expression, named in legends(path):
        grouped = {label for _, label in groupings(expression)}
        own = [LABELS[name] for name in metric_names(expression) if name in LABELS]
        assert named <= (grouped or set().union({"instance", "job"}, *own)), expression


async def test_a_running_alertmanager_shows_what_is_asked_of_it(tmp_path: Path) -> None:
    am.binary()
    member = Alertmanager(tmp_path / "am", am.config("http://127.0.0.1:9/"))
    async with am.started(member):
        shown = families(await member._get("/metrics"))
    asked = {name for name in NAMES if name.startswith("alertmanager_")}
    assert asked
    assert asked - shown == set()


@asynccontextmanager
async def node_exporter(folder: Path) -> AsyncIterator[str]:
    """A real one; its address."""
    program = require("prometheus-node-exporter", "apt-get install prometheus-node-exporter", "node_exporter")
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--web.listen-address={address}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield address
    finally:
        process.kill()
        await process.wait()


async def test_a_running_node_exporter_shows_what_is_asked_of_it(tmp_path: Path) -> None:
    asked = {name for name in NAMES if name.startswith("node_")}
    assert asked
    async with node_exporter(tmp_path) as address, aiohttp.ClientSession() as session:

        async def shows() -> bool:
            try:
                async with session.get(f"http://{address}/metrics") as response:
                    return asked <= families(await response.text())
            except aiohttp.ClientConnectionError:
                return False

        await until(shows, f"node_exporter to show {sorted(asked)}")


@pytest.mark.parametrize("name", sorted(OF_PROMETHEUS | OF_POSTGRES_EXPORTER))
def test_what_is_let_through_unseen_is_asked_for(name: str) -> None:
    assert name in NAMES
