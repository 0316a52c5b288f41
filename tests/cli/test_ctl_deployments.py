"""`incidentctl deployments`."""

from __future__ import annotations

import json

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer

ITEM = {
    "id": "pipeline-7",
    "source": "main",
    "service": "shop",
    "environment": "production",
    "version": "1.2",
    "status": None,
    "commit_time": None,
    "started_at": "2026-11-21T08:00:00Z",
    "finished_at": None,
}


def test_deployments_are_listed_with_how_they_ended(run: Run, server: FakeServer) -> None:
    done = ITEM | {"id": "pipeline-8", "status": "rolled_back", "finished_at": "2026-11-21T08:03:00Z"}
    server.answers["/api/v1/deployments"] = server.page([done, ITEM])
    rows = run("deployments", "--service", "shop", "--environment", "production").stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["ID", "pipeline-8", "pipeline-7"]
    assert "rolled_back" in rows[1]
    assert "running" in rows[2]
    assert server.requests[0][1] == "/api/v1/deployments?service=shop&environment=production"


def test_json_is_what_the_api_answered_and_no_match_is_no_error(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/deployments"] = server.page([])
    assert json.loads(run("deployments", "--json").stdout) == {"items": [], "next_cursor": None}
    empty = run("deployments")
    assert (empty.exit_code, empty.stdout) == (0, "no deployments match\n")
