"""A page moves in: read over HTTP from another server, configured, its history taken over, and readable at once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from incidentd.cli.ctl import cli
from incidentd.cli.main import main
from tests.acceptance.harness import ALICE
from tests.acceptance.process import ROOT, command, environment
from tests.acceptance.publicly import Public, public
from tests.acceptance.test_status_export import eventful
from tests.acceptance.waiting import until
from tests.fakes.status_hook import StatusHook
from tests.statuspage_conformance import failures

SAVED = ROOT / "tests" / "importing" / "data" / "statuspage"
_CTL = "from incidentd.cli.ctl import main; main()"


async def run(*line: str, **more: str) -> tuple[int, str]:
    """A command in a process of its own: its exit code and all it printed."""
    process = await asyncio.create_subprocess_exec(
        *line,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environment(), **more},
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def moved(source: str, folder: Path) -> tuple[dict[str, Any], str]:
    """The section that became of a page, and the report."""
    given = ("--output", str(folder), "--history", str(folder), "--report", str(folder / "report.txt"))
    code, said = await run(*command("import", "statuspage", source, *given))
    assert code == 0, said
    section = YAML(typ="safe", pure=True).load((folder / "statuspage.yaml").read_text(encoding="utf-8"))
    return dict(section["status_page"]), (folder / "report.txt").read_text(encoding="utf-8")


async def taken_over(here: Public, folder: Path) -> str:
    """What `incidentctl status import` says."""
    told = {
        "INCIDENTD_URL": here.world.daemon.url,
        "INCIDENTD_TOKEN": ALICE,
        "HOME": os.environ.get("HOME", "/"),
    }
    code, said = await run(
        sys.executable, "-c", _CTL, "status", "import", str(folder / "history.json"), **told
    )
    assert code == 0, said
    return said


async def test_a_page_that_was_saved_moves_in_with_its_addresses_and_nobody_is_told(tmp_path: Path) -> None:
    (folder := tmp_path / "out").mkdir()
    section, report = await moved(str(SAVED), folder)
    assert "Statuspage import: 12 objects" in report
    subscribers = {"email": "mail", "private_addresses": True}
    given = {**section, "subscribers": subscribers, "url": "https://status.example.com"}
    async with public(tmp_path, **given) as here, StatusHook() as hook:
        await here.subscribed("bob@example.org")
        await here.world.client.act("status/subscribers", endpoint=hook.url)
        assert await taken_over(here, folder) == "6 taken over, 0 were there already\n"
        assert await taken_over(here, folder) == "0 taken over, 6 were there already\n"
        await here.leave()
        live = here.world.daemon.url
        await until(lambda: _shows(here, "Elevated errors"), "the history to be public")
        assert await asyncio.to_thread(failures, live) == []
        answer = await here.ask("GET", "/incidents/p31zjtct2jer")
        assert (answer.status, "A disk was full." in answer.text) == (200, True)
        summary = (await here.ask("GET", "/api/v2/summary.json")).json
        assert [i["name"] for i in summary["incidents"]] == ["Mail is slow"]
        statuses = {c["name"]: c["status"] for c in summary["components"]}
        assert statuses["E-mail"] == "degraded_performance"
        assert (len(here.mails("bob@example.org")), hook.told) == (1, [])


async def _shows(here: Public, name: str) -> bool:
    return name in (await here.ask("GET", "/api/v2/incidents.json")).text


async def test_a_page_of_incidentd_itself_can_be_read_over_http_and_comes_out_the_same(
    tmp_path: Path,
) -> None:
    (folder := tmp_path / "out").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with public(tmp_path / "a") as old:
        await eventful(old)
        await until(lambda: _shows(old, "API is down"), "the page to be made")
        section, _ = await moved(old.world.daemon.url, folder)
        before = (await old.ask("GET", "/api/v2/incidents.json")).json["incidents"]
    async with public(tmp_path / "b", **section) as new:
        await taken_over(new, folder)
        await until(lambda: _shows(new, "API is down"), "the page to be made")
        after = (await new.ask("GET", "/api/v2/incidents.json")).json["incidents"]
    names = ("id", "name", "status", "impact", "created_at", "resolved_at", "started_at")
    assert [{n: i[n] for n in names} for i in after] == [{n: i[n] for n in names} for i in before]
    texts = [[u["body"] for u in i["incident_updates"]] for i in after]
    assert texts == [[u["body"] for u in i["incident_updates"]] for i in before]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{here}", "summary.json: line 1: is not JSON"),
        ("{here}/nothing", "is no folder"),
        ("http://127.0.0.1:9/", "cannot reach"),
    ],
)
def test_what_is_no_page_is_refused_in_words_and_nothing_is_written(
    tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "summary.json").write_text("<html>")
    output = tmp_path / "page.yaml"
    line = ["import", "statuspage", source.format(here=tmp_path), "--output", str(output)]
    found = CliRunner().invoke(main, line)
    assert (found.exit_code, said in found.output, output.exists()) == (1, True, False), found.output


def test_a_history_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    history = tmp_path / "bad.json"
    history.write_text(json.dumps({"incidents": 3}))
    found = CliRunner().invoke(cli, ["status", "import", str(history)])
    assert (found.exit_code, "was not made by" in found.output) == (2, True)
