"""`incidentctl slo`, and `incidentctl report` in its other forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, incident, problem
from tests.rendering.test_formats import report

BUDGET: dict[str, Any] = {
    "name": "shop-availability",
    "service": "shop",
    "target": 99.9,
    "window": "30d",
    "state": "red",
    "budget_left": 0.15,
    "burn_rates": [{"window": name, "rate": 2.5} for name in ("1h", "6h", "3d")],
    "error": None,
}
DETAIL = BUDGET | {
    "debits": [{"incident_id": 12, "ref": "INC-12", "seconds": 720.0, "share": 0.28}],
    "burn_down": [{"at": f"2026-11-{day}T00:00:00Z", "left": left} for day, left in ((20, 1.0), (21, 0.15))],
}


def document() -> web.Response:
    return web.json_response(report(), dumps=lambda value: json.dumps(value, default=str))


def test_objectives_are_listed_with_what_is_left_and_how_fast_it_goes(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/slo"] = server.page([BUDGET, BUDGET | {"state": None, "error": "HTTP 503"}])
    lines = run("slo").stdout.splitlines()
    assert lines[1].split() == [
        "shop-availability",
        "shop",
        "99.9%",
        "30d",
        "red",
        "15.0%",
        "2.50",
        "2.50",
        "2.50",
    ]
    assert "unknown: HTTP 503" in lines[2]
    server.answers["/api/v1/slo"] = server.page([])
    assert run("slo").stdout == "no objectives are configured (slo)\n"


def test_one_objective_shows_who_spent_it_and_is_drawn(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.answers["/api/v1/slo/shop-availability"] = lambda: web.json_response(DETAIL)
    file = tmp_path / "burn-down.svg"
    said = run("slo", "shop-availability", "--svg", str(file)).stdout
    assert said.splitlines()[-1].split() == ["INC-12", "12", "min", "28.0%"]
    assert ET.fromstring(file.read_text()).tag.endswith("svg")  # noqa: S314 - our own
    assert run("slo", "--svg", str(file)).exit_code == 2
    server.answers["/api/v1/slo/other"] = lambda: problem(404, "Not Found")
    assert run("slo", "other").exit_code == 5


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("csv", "section,name,figure,value"),
        ("md", "# Incidents, "),
        ("html", "<!DOCTYPE html>"),
        ("json", "{"),
    ],
)
def test_a_report_is_printed_in_every_form(run: Run, server: FakeServer, form: str, begins: str) -> None:
    server.answers["/api/v1/report"] = document
    assert run("report", "--format", form).stdout.startswith(begins)


def test_dora_alone_says_when_there_is_nothing_to_say(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/report"] = document
    assert "no deployment to the counted environments" in run("report", "--dora").stdout
    assert run("report", "--dora", "--format", "md").exit_code == 2
    every = run("report").stdout
    assert "Took longer than 2 h: 1" in every


def test_an_incident_shows_what_it_took_from_each_budget(run: Run, server: FakeServer) -> None:
    debits = [{"slo": "shop-availability", "seconds": 720.0, "share": 0.0278}]
    server.incidents[12] = incident(budget_debits=debits)
    assert "12 min of shop-availability, 2.8% of its budget" in run("show", "12").stdout
