"""Grafana's dashboards: made from their description, well formed, and all they ask for is PromQL."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.deploy.shipped import DASHBOARDS, DEPLOY, PROMTOOL, expressions

GENERATOR = DEPLOY / "generate_dashboards.py"
GRID = 24


def board(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.stem


def test_there_is_one_for_each_subject() -> None:
    assert {path.stem for path in DASHBOARDS} == {"delivery", "dora", "incidents", "security", "slo"}


def test_they_are_what_their_description_says() -> None:
    done = subprocess.run(
        [sys.executable, GENERATOR, "--check"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dashboard_that_was_changed_by_hand_is_found_and_made_anew(tmp_path: Path) -> None:
    for name in (GENERATOR.name, "dashboards.toml"):
        (tmp_path / name).write_bytes((DEPLOY / name).read_bytes())
    (tmp_path / "dashboards").mkdir()
    for path in DASHBOARDS:
        (tmp_path / "dashboards" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "dashboards/slo.json").write_text("{}", encoding="utf-8")
    (tmp_path / "dashboards/old.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, str(tmp_path / GENERATOR.name)]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode == 1
    assert {Path(line.split()[0]).name for line in checked.stderr.splitlines()} == {"slo.json", "old.json"}
    subprocess.run(command, timeout=30, check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "dashboards").iterdir()}
    assert made == {path.name: path.read_bytes() for path in DASHBOARDS}


def test_no_two_dashboards_have_one_uid_or_one_title() -> None:
    boards = [board(path) for path in DASHBOARDS]
    assert len({each["uid"] for each in boards}) == len({each["title"] for each in boards}) == len(boards)
    # Grafana's limit.
    assert all(len(each["uid"]) <= 40 for each in boards)


@pytest.mark.parametrize("path", DASHBOARDS, ids=named)
def test_panels_have_ids_of_their_own_and_do_not_overlap(path: Path) -> None:
    panels = board(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= GRID for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("path", DASHBOARDS, ids=named)
def test_every_panel_asks_the_prometheus_and_the_jobs_that_were_chosen(path: Path) -> None:
    content = board(path)
    variables = {each["name"] for each in content["templating"]["list"]}
    assert variables == {"datasource", "job", *(["environment"] if path.stem == "dora" else [])}
    panels = [panel for panel in content["panels"] if panel["type"] != "row"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    assert all(panel["title"] and panel["targets"] for panel in panels)
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert [each for each in asked if "$job" not in each and "alertmanager_" not in each] == []
    for panel in panels:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_promtool_understands_everything_that_they_ask_for(tmp_path: Path) -> None:
    asked = [expression for path in DASHBOARDS for expression in expressions(path)]
    rules = [{"record": f"asked:{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "asked.yml"
    file.write_bytes(orjson.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert f"{len(asked)} rules found" in PROMTOOL.judge("check", "rules", file)
    assert not any("$" in each for each in asked)
