"""What machines do in steps, over HTTP and from Slack: runs, drawings, the switch, the button."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from incidentd.automation.base import Result
from incidentd.config.automation import Automation
from incidentd.domain.automation import RunState
from incidentd.domain.runbook_match import Shelf
from incidentd.runbooks.read import read_runbook
from incidentd.web.automation_answers import RunDetail, RunList, SwitchAnswer
from incidentd.web.runbook_answers import IncidentRunbook
from incidentd.workflows.automation_course import claim
from incidentd.workflows.automation_results import settle
from tests.automation.world import USER
from tests.web.conftest import Daemon, Start, alert
from tests.web.slack_world import Workspace, workspace

BOOK = b"""---
match: ['alertname=~".+"']
---
# Down

## Steps

1. How bad is it?

   ```yaml step promql
   query: up
   run: auto
   range: 1h
   ```
2. Restart <b>it</b>

   ```yaml step command
   command: restart
   run: approve
   ```
3. Tell people
"""
SECTION: dict[str, Any] = {
    "enabled": True,
    "user": USER,
    "prometheus": {"main": {"url": "http://127.0.0.1:9090"}},
    "commands": {"restart": {"argv": ["/bin/false"]}},
}
COURSE = {"series": [{"name": 'up{a="<b>"}', "value": "2", "points": [[1, "1"], [2, "2"]]}]}
STEPS = "/api/v1/incidents/1/runbook/steps"
RUNS = "/api/v1/incidents/1/runbook/runs"


def armed(daemon: Daemon, **more: object) -> None:
    """Let it have the runbook, and automation."""
    policy = replace(Automation.model_validate(SECTION).policy, **more)  # type: ignore[arg-type]
    shelf = Shelf((read_runbook(BOOK, "down.md", "down"),))
    daemon.context.rules = replace(daemon.context.rules, runbooks=shelf, automation=policy)


async def work(daemon: Daemon, state: RunState = RunState.SUCCEEDED, summary: str = "up: 2 <i>") -> None:
    """Do what is queued, as the job would."""
    rules, now = daemon.context.rules, daemon.clock.now()
    result = Result(state, summary, "line one\nline <two>\n", COURSE)
    claimed, _ = await daemon.store.write(lambda tx: claim(tx, rules, now))
    for each in claimed:
        await daemon.store.write(lambda tx, each=each: settle(tx, each, result, rules, now))  # type: ignore[misc]


@pytest.fixture
async def daemon(start: Start) -> AsyncIterator[Daemon]:
    """A server with one incident whose first look is done."""
    async with start(automation=SECTION) as started:
        armed(started)
        await started.alert(alert("Down"))
        await work(started)
        yield started


async def test_a_run_is_shown_with_its_step_in_lists_and_with_its_output(daemon: Daemon) -> None:
    _, book = await daemon.get("/api/v1/incidents/1/runbook")
    IncidentRunbook.model_validate(book)
    look, restart, tell = book["steps"]
    assert (look["state"], look["run"]["state"], look["run"]["summary"]) == ("done", "succeeded", "up: 2 <i>")
    assert (restart["run"]["state"], restart["run"]["changes"], tell["run"]) == ("offered", True, None)
    _, listed = await daemon.get(RUNS)
    RunList.model_validate(listed)
    assert [run["number"] for run in listed["items"]] == [2, 1]
    _, one = await daemon.get(f"{RUNS}/{look['run']['id']}")
    RunDetail.model_validate(one)
    assert (one["output"], one["asked_by"]) == ("line one\nline <two>\n", None)
    for path in (f"{RUNS}/99", f"{RUNS}/x", "/api/v1/incidents/2/runbook/runs/1"):
        assert (await daemon.get(path))[0].status == 404


async def test_runs_come_in_pages_and_of_one_step(daemon: Daemon) -> None:
    _, page = await daemon.get(f"{RUNS}?limit=1")
    _, rest = await daemon.get(f"{RUNS}?limit=1&cursor={page['next_cursor']}")
    assert [run["number"] for run in (*page["items"], *rest["items"])] == [2, 1]
    assert rest["next_cursor"] is None
    _, page = await daemon.get(f"{RUNS}?number=1")
    assert [run["number"] for run in page["items"]] == [1]
    for wrong in ("limit=0", "limit=501", "number=0", "number=x", "cursor=x", "step=1"):
        assert (await daemon.get(f"{RUNS}?{wrong}"))[0].status == 400


async def test_the_course_is_a_drawing_of_its_own_and_on_the_page(daemon: Daemon) -> None:
    answer, data = await daemon.get(f"{RUNS}/1/chart.svg")
    drawn = data.decode()
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert ("<polyline" in drawn, "<b>" in drawn) == (True, False)
    assert (await daemon.get(f"{RUNS}/2/chart.svg"))[0].status == 404
    _, data = await daemon.get("/api/v1/incidents/1/runbook", headers={"Accept": "text/html"})
    page = data.decode()
    assert "<svg" in page
    assert "succeeded: up: 2 &lt;i&gt;" in page
    assert "<i>" not in page


async def test_a_person_who_may_respond_has_it_run_and_nobody_sends_what_runs(daemon: Daemon) -> None:
    answer, book = await daemon.post(f"{STEPS}/2", {"state": "running", "comment": "go"})
    IncidentRunbook.model_validate(book)
    assert (answer.status, book["steps"][1]["run"]["state"], book["steps"][1]["run"]["asked_by"]) == (
        200,
        "queued",
        "responder",
    )
    for extra in ({"argv": ["x"]}, {"command": "x"}, {"timeout": "1h"}, {"dry_run": "yes"}):
        assert (await daemon.post(f"{STEPS}/2", {"state": "running", **extra}))[0].status == 422
    assert (await daemon.post(f"{STEPS}/2", {"state": "running"}, "read"))[0].status == 403
    answer, problem = await daemon.post(f"{STEPS}/3", {"state": "running"})
    assert (answer.status, problem["reason"]) == (409, "automation")
    _, book = await daemon.post(f"{STEPS}/2", {"state": "stopped"})
    assert book["steps"][1]["run"]["state"] == "withdrawn"
    assert (await daemon.post(f"{STEPS}/2", {"state": "stopped"}))[0].status == 200


async def test_whoever_may_respond_stops_everything_and_an_administrator_lets_it_go_on(
    daemon: Daemon,
) -> None:
    _, found = await daemon.get("/api/v1/automation")
    SwitchAnswer.model_validate(found)
    assert (found["enabled"], found["stopped"], found["commands"]) == (True, False, ["restart"])
    assert found["unfit"] == []
    armed(daemon, commands={})
    _, found = await daemon.get("/api/v1/automation")
    assert found["unfit"] == ["down, step 2: automation.commands has no restart"]
    armed(daemon)
    answer, found = await daemon.post("/api/v1/automation", {"stopped": True, "comment": "worse"})
    SwitchAnswer.model_validate(found)
    assert (answer.status, found["stopped_by"], found["comment"]) == (200, "responder", "worse")
    answer, problem = await daemon.post(f"{STEPS}/2", {"state": "running"})
    assert (answer.status, "stopped by responder: worse" in problem["detail"]) == (409, True)
    assert (await daemon.post("/api/v1/automation", {"stopped": False}))[0].status == 403
    answer, found = await daemon.post("/api/v1/automation", {"stopped": False}, "admin")
    assert (answer.status, found["stopped"]) == (200, False)


@pytest.fixture
async def office(start: Start) -> AsyncIterator[Workspace]:
    """Slack, with an incident whose runbook offers a restart."""
    async with workspace(start) as opened:
        armed(opened.daemon)
        await opened.fires()
        yield opened


async def test_the_button_runs_the_step_that_it_names_and_a_second_click_changes_nothing(
    office: Workspace,
) -> None:
    await office.click("run_step", "1/2")
    assert await office.said() == "Step 2 of INC-1 is set going. Its timeline tells what comes of it."
    await office.click("run_step", "1/2")
    assert await office.said(2) == "Step 2 of INC-1 is queued already. Nothing was changed."
    assert await office.timeline() == ["triggered source", "run_approved alice"]
    await work(office.daemon)
    await office.click("run_step", "1/2")
    assert await office.said(3) == "Step 2 of INC-1 is done already. Nothing was changed."
    assert office.counted("run", "done") == 1


async def test_two_people_agree_in_slack(office: Workspace) -> None:
    armed(office.daemon, two_people=True)
    assert await office.command("run 1 2 it hangs") == "Step 2 of INC-1 waits for a second person to agree."
    assert await office.command("run 1 2") == "Step 2 of INC-1 waits for a second person to agree."
    answer = await office.command("run INC-1 2", "U0BOB")
    assert answer == "Step 2 of INC-1 is set going. Its timeline tells what comes of it."


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1", "that button names no incident"),
        ("1/2/3", "that button names no incident"),
        ("1/x", "that button names no incident"),
        ("9/2", "There is no incident INC-9. Nothing was changed."),
        ("1/9", "The runbook of INC-1 has steps 1 to 3. Nothing was changed."),
        ("1/3", "step 3 is for a person: there is nothing to run. Nothing was changed."),
    ],
)
async def test_a_button_that_names_nothing_runs_nothing(office: Workspace, value: str, said: str) -> None:
    await office.click("run_step", value)
    assert said in await office.said()
    assert await office.timeline() == ["triggered source"]


async def test_words_that_name_no_step_and_strangers_run_nothing(office: Workspace) -> None:
    assert "run needs the number of a step" in await office.command("run 1")
    assert "You are no user of incidentd" in await office.command("run 1 2", "U0STRANGER")
    assert await office.timeline() == ["triggered source"]
