"""`incidentd lint-rules` over files: its lines, its JSON and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main

CONFIG = {
    "channels": {"console": {"kind": "console"}},
    "route": {"notify": ["console"], "routes": [{"matchers": ['team="db"'], "notify": ["console"]}]},
    "grouping": {"by": ["alertname"]},
}
GOOD = {
    "alert": "DiskFull",
    "expr": "disk > 0.9",
    "labels": {"severity": "critical", "team": "db"},
    "annotations": {"runbook_url": "https://runbooks.example/disk"},
}
STRAY = {**GOOD, "alert": "Stray", "labels": {"severity": "critical", "team": "web"}}
BARE = {**GOOD, "alert": "Bare", "annotations": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "incidentd.yaml").write_text(json.dumps(CONFIG))
    for name, rule in (("good", GOOD), ("stray", STRAY), ("bare", BARE)):
        (tmp_path / f"{name}.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    return tmp_path


def lint(folder: Path, *args: str) -> Result:
    names = [str(folder / arg) if arg.endswith(".yml") else arg for arg in args]
    return CliRunner().invoke(main, ["lint-rules", "--config", str(folder / "incidentd.yaml"), *names])


def test_good_rules_exit_0(folder: Path) -> None:
    result = lint(folder, "good.yml")
    assert (result.exit_code, result.output) == (0, "1 alerting rules: 0 errors, 0 warnings, 0 infos\n")


def test_an_error_is_a_line_with_its_place_and_exits_1(folder: Path) -> None:
    result = lint(folder, "good.yml", "stray.yml")
    assert result.exit_code == 1
    assert f"{folder / 'stray.yml'}:1 Stray: has no route of its own" in result.output
    assert "(error: no_route); add a route" in result.output


def test_a_warning_exits_0_unless_strict(folder: Path) -> None:
    assert lint(folder, "bare.yml").exit_code == 0
    result = lint(folder, "bare.yml", "--strict")
    assert (result.exit_code, "(warning: no_runbook)" in result.output) == (1, True)


def test_a_runbook_of_the_folder_is_as_good_as_a_link_and_a_broken_one_is_told(folder: Path) -> None:
    books = folder / "books"
    books.mkdir()
    (books / "bare.md").write_text("---\nmatch: [alertname=Bare]\n---\n## Steps\n1. x\n")
    (books / "bad.md").write_text("x")
    (folder / "incidentd.yaml").write_text(json.dumps({**CONFIG, "runbooks": {"path": str(books)}}))
    result = lint(folder, "bare.yml", "--strict")
    assert (result.exit_code, result.stdout) == (0, "1 alerting rules: 0 errors, 0 warnings, 0 infos\n")
    assert result.stderr.startswith(f"warning: {books}/bad.md:1: ")


def test_infos_are_counted_and_shown_when_asked_for(folder: Path) -> None:
    hidden, shown = lint(folder, "stray.yml"), lint(folder, "stray.yml", "--info")
    assert "1 infos (--info shows them)" in hidden.output
    assert "(info: dead_route)" not in hidden.output
    assert "(info: dead_route)" in shown.output


def test_json_holds_every_finding(folder: Path) -> None:
    document: dict[str, Any] = json.loads(lint(folder, "*.yml", "--json").stdout)
    assert (document["rules"], document["errors"], document["warnings"]) == (3, 1, 1)
    [error] = [finding for finding in document["findings"] if finding["level"] == "error"]
    assert (error["code"], error["alert"], error["line"], error["group"]) == ("no_route", "Stray", 1, "g")


def test_the_operator_s_words_count(folder: Path) -> None:
    assert lint(folder, "good.yml", "--owner-label", "squad", "--strict").exit_code == 1
    named = lint(folder, "good.yml", "--owner-label", "squad", "--label", "squad=x", "--strict")
    assert named.exit_code == 0


def test_a_broken_file_is_an_error_and_hides_no_other(folder: Path) -> None:
    (folder / "broken.yml").write_text("groups: [\n")
    result = lint(folder, "broken.yml", "stray.yml")
    assert result.exit_code == 1
    assert f"{folder / 'broken.yml'}:2: is not YAML" in result.output
    assert "no_route" in result.output


def test_a_schedule_with_a_gap_is_a_warning(folder: Path) -> None:
    layer = {"name": "days", "users": ["alice"], "start": "2026-01-05", "hours": "09:00-17:00"}
    plan = {"time_zone": "Etc/UTC", "layers": [{**layer, "rotation": "weekly"}]}
    config = {**CONFIG, "users": {"alice": {"name": "Alice"}}, "schedules": {"primary": plan}}
    (folder / "incidentd.yaml").write_text(json.dumps(config))
    result = lint(folder, "good.yml")
    assert "schedules.primary: nobody is on duty from" in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "nothing to read"),
        (["missing.yml"], "there is no such file"),
        (["--label", "x", "good.yml"], "is not NAME=VALUE"),
        (["--prometheus", "ftp://x"], "is not an address"),
        (["--prometheus", "http://127.0.0.1:1", "--header", "secret"], "accepted are headers"),
        (["."], "is a folder"),
    ],
)
def test_wrong_usage_exits_2(folder: Path, args: list[str], said: str) -> None:
    result = lint(folder, *args)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_no_prometheus_exits_3(folder: Path) -> None:
    result = lint(folder, "--prometheus", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "cannot reach http://127.0.0.1:1: Connection refused" in result.output
