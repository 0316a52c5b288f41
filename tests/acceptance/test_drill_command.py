"""`incidentctl drill` against a running daemon: over its webhook, and through a real Alertmanager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.ctl import cli
from tests.acceptance import alertmanager as am
from tests.acceptance.alertmanager import Alertmanager
from tests.acceptance.harness import ALICE
from tests.acceptance.stage import Stage, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as opened:
        yield opened


async def drill(stage: Stage, *args: str) -> Result:
    command = ["drill", "--url", stage.daemon.url, *args]
    runner = CliRunner(env={"INCIDENTD_TOKEN": ALICE, "INCIDENTD_INGEST_TOKEN": None})
    return await asyncio.to_thread(runner.invoke, cli, command)


async def test_a_drill_over_the_webhook_shows_each_hop_and_ends(stage: Stage) -> None:
    result = await drill(stage, "--channel", "pager", "--channel", "hook")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert ": passed" in lines[0]
    assert any("received, INC-1 opened" in line for line in lines)
    for channel in ("pager", "hook"):
        [row] = [line for line in lines if line.startswith(channel)]
        assert "accepted" in row
        assert row.count("+") == 2
    [incident] = await stage.client.incidents()
    assert (incident["state"], incident["drill"]) == ("resolved", True)


async def test_a_drill_through_a_real_alertmanager_takes_its_way_and_ends(stage: Stage) -> None:
    alertmanager = Alertmanager(stage.folder / "am", stage.config)
    async with am.started(alertmanager):
        result = await drill(stage, "--through-alertmanager", alertmanager.url, "--json", "--service", "shop")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["state"], found["reasons"]) == ("passed", [])
    assert found["registered_at"] < found["received_at"] < found["resolved_at"] <= found["finished_at"]
    assert {page["channel"] for page in found["pages"]} == {"console", "slack", "pager", "mail", "hook"}
    assert all(
        page["queued_at"] <= page["first_attempt_at"] <= page["accepted_at"] for page in found["pages"]
    )
    [incident] = await stage.client.incidents()
    assert (incident["resolved_by"], incident["service"]) == ("source", "shop")


async def test_an_alertmanager_that_is_not_there_exits_3_and_nobody_is_paged(stage: Stage) -> None:
    result = await drill(stage, "--through-alertmanager", f"http://127.0.0.1:{am.free_port()}")
    assert (result.exit_code, "cannot reach http://127.0.0.1" in result.output) == (3, True)
    assert await stage.client.incidents() == []


async def test_a_page_that_is_not_accepted_exits_1_with_the_reason(stage: Stage) -> None:
    stage.vendors.pager.routing_keys.clear()
    result = await drill(stage, "--channel", "pager", "--wait", "8s")
    assert result.exit_code == 1
    assert ": failed" in result.output.splitlines()[0]
    assert "pager (" in result.output


@pytest.mark.parametrize("wait", ["0s", "2h", "1d"])
async def test_a_wait_that_is_none_is_wrong_usage(stage: Stage, wait: str) -> None:
    result = await drill(stage, "--wait", wait)
    assert (result.exit_code, await stage.client.incidents()) == (2, [])
