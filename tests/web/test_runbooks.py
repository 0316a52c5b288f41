"""Runbooks over HTTP: the folder, the one of an incident, its steps, and pages for people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.config.people import Runbooks
from incidentd.runbooks.library import Library
from incidentd.web.answers import IncidentDetail
from incidentd.web.runbook_answers import IncidentRunbook, RunbookList
from tests.web.conftest import Daemon, alert, config_of, running

DOWN = """---
match: [alertname=Down]
severity: [critical, warning]
owner: team-a
version: "1.10"
tested: 2026-11-01
---
# The API is <b>down</b>

## Steps

1. Look

   ```yaml step promql
   query: up{job="$job"}
   run: auto
   ```
2. Restart
3. Tell people

<script>alert(1)</script> [x](javascript:alert(1))
"""
RUNBOOK = "/api/v1/incidents/1/runbook"


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    """A server with one good runbook and one that is broken."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "down.md").write_text(DOWN, encoding="utf-8")
    (folder / "odd.md").write_text("---\nmatch: ['=']\n---\n## Steps\n1. x\n", encoding="utf-8")
    async with running(config_of(tmp_path)) as started:
        context = started.context
        library = Library(context.metrics, lambda: Runbooks(path=str(folder)))
        await library.refresh()
        context.library = library
        context.rules = replace(context.rules, runbooks=library.shelf)
        yield started


async def test_the_folder_is_listed_with_what_is_wrong(daemon: Daemon) -> None:
    answer, listed = await daemon.get("/api/v1/runbooks")
    RunbookList.model_validate(listed)
    (item,) = listed["items"]
    assert (answer.status, item["name"], item["match"]) == (200, "down", ['alertname="Down"'])
    assert (item["steps"], item["automated"], item["tested"]) == (3, 1, "2026-11-01")
    assert (item["owner"], item["version"], item["severity"]) == ("team-a", "1.10", ["critical", "warning"])
    (fault,) = listed["problems"]
    assert fault["file"].endswith("odd.md")
    assert (fault["line"], "expected a label name" in fault["detail"]) == (2, True)


async def test_health_names_the_broken_file_and_stays_ready(daemon: Daemon) -> None:
    answer, health = await daemon.get("/health/detailed")
    (check,) = [check for check in health["checks"] if check["name"] == "runbooks"]
    assert (answer.status, check["status"]) == (200, "degraded")
    assert "odd.md:2: match.0: " in check["detail"]
    assert daemon.sample("incidentd_runbook_errors") == 1


async def test_an_incident_shows_its_runbook_in_lists_details_and_actions(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"), alert("Other", service="web"))
    _, detail = await daemon.get("/api/v1/incidents/1")
    IncidentDetail.model_validate(detail)
    assert detail["runbook"].items() >= {"name": "down", "steps_done": 0, "steps_total": 3}.items()
    assert detail["runbook"]["url"] == "https://runbooks.example/down"
    _, found = await daemon.get("/api/v1/incidents")
    assert [item["runbook"]["name"] for item in found["items"]] == [None, "down"]
    _, acted = await daemon.post("/api/v1/incidents/1/acknowledge", {})
    assert acted["runbook"] == detail["runbook"]
    _, declared = await daemon.post("/api/v1/incidents", {"title": "x", "severity": "info"})
    assert declared["runbook"] is None


async def test_the_runbook_of_an_incident_is_the_one_of_its_opening(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"))
    answer, book = await daemon.get(RUNBOOK)
    IncidentRunbook.model_validate(book)
    assert (answer.status, book["title"], book["reason"]) == (
        200,
        "The API is <b>down</b>",
        "only_match: 1 equal, 1 regex",
    )
    assert book["text"] == DOWN
    first, second, _ = book["steps"]
    assert (first["text"], first["state"], first["actor"]) == ("Look", "pending", None)
    assert first["action"] == {
        "kind": "promql",
        "run": "auto",
        "timeout": "1m",
        "when": [],
        "retries": 0,
        "stop_on_resolve": False,
        "attributes": {"query": 'up{job="$job"}', "source": None, "range": None},
    }
    assert second["action"] is None


async def test_a_step_is_done_by_who_may_respond(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"))
    body = {"state": "done", "comment": "two pods"}
    answer, book = await daemon.post(f"{RUNBOOK}/steps/2", body)
    IncidentRunbook.model_validate(book)
    assert (answer.status, book["steps_done"], book["steps"][1]["state"]) == (200, 1, "done")
    assert (book["steps"][1]["actor"], book["steps"][1]["comment"]) == ("responder", "two pods")
    assert [change.entry.kind for change in daemon.changes if change.entry][-1] == "step_done"
    count = len(daemon.changes)
    assert (await daemon.post(f"{RUNBOOK}/steps/2", body))[1] == book
    assert len(daemon.changes) == count
    _, timeline = await daemon.get("/api/v1/incidents/1/timeline")
    assert timeline["items"][-1]["text"] == "step 2 done: Restart: two pods"
    _, book = await daemon.post(f"{RUNBOOK}/steps/2", {"state": "pending"})
    assert book["steps_done"] == 0
    assert (await daemon.post(f"{RUNBOOK}/steps/2", body, "read"))[0].status == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{RUNBOOK}/steps/4", {"state": "done"}, 404),
        (f"{RUNBOOK}/steps/0", {"state": "done"}, 404),
        (f"{RUNBOOK}/steps/99999", {"state": "done"}, 404),
        (f"{RUNBOOK}/steps/one", {"state": "done"}, 404),
        ("/api/v1/incidents/2/runbook/steps/1", {"state": "done"}, 404),
        ("/api/v1/incidents/9/runbook/steps/1", {"state": "done"}, 404),
        (f"{RUNBOOK}/steps/1", {"state": "running"}, 409),
        (f"{RUNBOOK}/steps/1", {"state": "failed"}, 422),
        (f"{RUNBOOK}/steps/1", {}, 422),
        (f"{RUNBOOK}/steps/1", {"state": "done", "argv": ["x"]}, 422),
        (f"{RUNBOOK}/steps/1", {"state": "done", "comment": 7}, 422),
    ],
)
async def test_what_is_not_there_or_not_understood_changes_nothing(
    daemon: Daemon, path: str, body: dict[str, object], status: int
) -> None:
    await daemon.alert(alert("Down"), alert("Other", service="web"))
    answer, problem = await daemon.post(path, body)
    assert (answer.status, "incident" in str(problem) or bool(problem)) == (status, True)
    assert (await daemon.get(RUNBOOK))[1]["steps_done"] == 0


async def test_an_incident_with_a_link_alone_shows_it_and_one_with_nothing_is_404(daemon: Daemon) -> None:
    await daemon.alert(alert("Other"))
    answer, book = await daemon.get(RUNBOOK)
    IncidentRunbook.model_validate(book)
    assert (answer.status, book["url"], book["name"]) == (200, "https://runbooks.example/down", None)
    assert (book["steps"], book["text"]) == ([], None)
    await daemon.post("/api/v1/incidents", {"title": "x", "severity": "info"})
    answer, problem = await daemon.get("/api/v1/incidents/2/runbook")
    assert (answer.status, "INC-2 has no runbook" in problem["detail"]) == (404, True)
    assert (await daemon.get("/api/v1/incidents/77/runbook"))[0].status == 404


async def test_people_get_a_page_on_which_nothing_acts(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"))
    await daemon.post(f"{RUNBOOK}/steps/2", {"state": "skipped", "comment": "<i>no</i>"})
    for path in (RUNBOOK, "/runbooks/down"):
        answer, data = await daemon.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        page = data.decode()
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<script" not in page
        assert 'href="javascript' not in page
        assert "<b>down" not in page
        assert "Tell people" in page
    assert "&lt;i&gt;no&lt;/i&gt;" in (await daemon.get(RUNBOOK, headers={"Accept": "text/html"}))[1].decode()


async def test_the_page_finds_its_style_and_needs_the_scope_to_read(daemon: Daemon) -> None:
    _, data = await daemon.get("/runbooks/down", headers={"Accept": "text/html"})
    assert 'href="../ack.css"' in data.decode()
    assert (await daemon.get("/runbooks/down", None))[0].status == 401
    assert (await daemon.get("/runbooks/none"))[0].status == 404
    assert (await daemon.get("/runbooks/..%2f..%2fetc%2fpasswd"))[0].status == 404
    await daemon.alert(alert("Down"))
    _, data = await daemon.get(RUNBOOK, headers={"Accept": "text/html"})
    assert 'href="../../../../ack.css"' in data.decode()


async def test_who_accepts_json_gets_json(daemon: Daemon) -> None:
    await daemon.alert(alert("Down"))
    for accept in ("*/*", "application/json", "application/json, text/html"):
        answer, _ = await daemon.get(RUNBOOK, headers={"Accept": accept})
        assert answer.content_type == "application/json"
