"""`incidentd conformance`: what it prints, and its exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main
from tests.conformance.test_suite import shim
from tests.conformance.toy import Mistake, running
from tests.fakes.http import Answer, HttpFake, Received

QUICK = ("--settle", "0", "--patience", "0.2")


def conformance(*args: str) -> Result:
    return CliRunner(env={"INCIDENTD_TOKEN": ""}).invoke(main, ["conformance", *args])


async def against_a_toy(mistake: Mistake | None, *args: str) -> Result:
    """The command against a toy behind the shim, which is as quick as it says."""
    async with running(mistake) as toy:
        with shim(toy.url) as adapter:
            return await asyncio.to_thread(
                conformance, "--target", f"{toy.url}/hook", "--adapter", adapter, *QUICK, *args
            )


class Door(HttpFake):
    """Answers every request with one status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    async def answer(self, received: Received) -> Answer:
        return Answer(self.status, {"info": {"title": "something else"}})


async def test_all_passed_is_0_and_one_line_each() -> None:
    result = await against_a_toy(None, "--only", "retry", "--only", "put")
    assert result.exit_code == 0, result.output
    first, second, last = result.stdout.splitlines()
    assert first.startswith("passed   retry ")
    assert second.startswith("passed   put ")
    assert last == "ticket pager: 2 of 2 passed"


async def test_a_failure_is_1_and_says_what_why_and_where() -> None:
    result = await against_a_toy(Mistake.HASTY, "--only", "stale-firing")
    assert result.exit_code == 1
    assert "failed   stale-firing" in result.stdout
    for word in (
        "expected  nobody is told anew",
        "seen      told once",
        "matters   a healthy pair sends this",
    ):
        assert word in result.stdout
    assert "see       https://github.com/prometheus/alertmanager/issues/4008" in result.stdout
    assert "0 of 1 passed" in result.stdout


async def test_json_holds_all_of_it_and_nothing_else_is_on_standard_output() -> None:
    result = await against_a_toy(Mistake.HASTY, "--only", "stale-firing", "--only", "credentials", "--json")
    document = json.loads(result.stdout)
    assert (document["passed"], document["failed"], document["skipped"]) == (0, 1, 1)
    stale, skipped = document["cases"]
    assert (stale["name"], stale["seen"]) == ("stale-firing", "told once")
    assert skipped["skipped_because"] == "no token was given"
    assert "failed   stale-firing" in result.stderr


async def test_labels_and_severity_are_on_every_alert() -> None:
    async with running() as toy:
        with shim(toy.url) as adapter:
            options = ("--only", "retry", "--severity", "page", "--label", "team=sandbox", *QUICK)
            await asyncio.to_thread(
                conformance, "--target", f"{toy.url}/hook", "--adapter", adapter, *options
            )
        assert {(t.labels["severity"], t.labels["team"]) for t in toy.tickets} == {("page", "sandbox")}


@pytest.mark.parametrize("command", ["exit 3", "kill -9 $$"])
async def test_a_restart_command_that_fails_stops_the_run_with_3(command: str) -> None:
    result = await against_a_toy(None, "--only", "kill", "--restart-command", command)
    assert result.exit_code == 3
    assert "--restart-command ended with" in result.stderr


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 5), (405, 5), (200, 3)])
async def test_a_target_that_cannot_be_used_has_its_exit_code(status: int, code: int) -> None:
    async with Door(status) as door:
        result = await asyncio.to_thread(conformance, "--target", door.url)
    assert result.exit_code == code, result.output


@pytest.mark.parametrize(("status", "code"), [(401, 4), (500, 3), (200, 3)])
async def test_an_adapter_that_cannot_be_used_has_its_exit_code(status: int, code: int) -> None:
    async with running() as toy, Door(status) as door:
        result = await asyncio.to_thread(conformance, "--target", f"{toy.url}/hook", "--adapter", door.url)
    assert result.exit_code == code, result.output
    assert "capabilities" in result.stderr


@pytest.mark.parametrize("given", ["", "/", "/webhooks/alertmanager", "/webhooks/alertmanager/"])
async def test_incidentd_is_found_by_its_address_or_that_of_its_webhook(given: str) -> None:
    async with Door(200) as door:
        await asyncio.to_thread(conformance, "--target", door.url + given)
    assert [request.path for request in door.requests] == ["/webhooks/alertmanager", "/api/v1/openapi.json"]


def test_nobody_there_is_3() -> None:
    result = conformance("--target", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "cannot reach" in result.stderr


async def test_a_token_goes_to_no_adapter_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    async with running() as toy, Door(200) as door:
        options = ("--adapter", door.url, "--token-file", str(tmp_path / "token"))
        await asyncio.to_thread(conformance, "--target", f"{toy.url}/hook", *options)
        assert door.requests
        assert not any("authorization" in request.headers for request in door.requests)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "name it with --target URL"),
        (("--target", "pager.example.com"), "is no address"),
        (("--target", "http://127.0.0.1:1", "--only", "nothing"), "is no case; --list shows them"),
        (("--target", "http://127.0.0.1:1", "--label", "team"), "is not NAME=VALUE"),
        (("--target", "http://127.0.0.1:1", "--adapter", "alerta"), "is no address"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_accepted(args: tuple[str, ...], said: str) -> None:
    result = conformance(*args)
    assert result.exit_code == 2, result.output
    assert said in result.stderr


def test_list_shows_the_cases_without_a_target() -> None:
    result = conformance("--list")
    assert result.exit_code == 0
    assert "stale-firing           lifecycle   firing after its resolve, with the old start" in result.stdout
    assert conformance("--list", "--markdown", "--only", "nul").stdout.startswith("| case |")


def test_the_schema_is_printed() -> None:
    assert {"Capabilities", "View"} <= set(json.loads(conformance("--adapter-schema").stdout)["$defs"])
