"""What is no export is refused with its place and a remedy, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main
from incidentd.importing import ImportRefused, read
from tests.importing.support import DATA, shift, team

GOOD = shift("single_event", "2027-01-01T00:00:00", 1, users=["A"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1, column 1: is not JSON"),
        (b'{"users": [', "is not JSON"),
        (b"[]", "the file is no JSON object"),
        (b"{}", "the file holds nothing of Grafana OnCall"),
        (b'{"users": {"detail": "Invalid token."}}', 'users: is no list (the API answered "Invalid token.")'),
        (b'{"users": [1]}', "users[0]: is no object"),
        (b'{"users": {"results": [], "next": "https://oncall/?page=2"}}', "fetch pages until next is null"),
        (b'{"users": [{"id": "U1"}]}', "users[0] (U1): has no username"),
        (b'{"format_version": "1.0"}', "values.root_module: is missing"),
        (b'{"final_shifts": {"S1": {"detail": "Not found."}}}', "final_shifts.S1: is no list"),
    ],
)
def test_what_is_no_export_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read(data)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("start", "yesterday", "on_call_shifts[0] (O1).start: is no time"),
        ("start", None, "on_call_shifts[0] (O1): has no start"),
        ("start", "0001-01-01T00:00:00", "is no time between 1970 and 2189"),
        ("duration", -1, "(O1).duration: is no whole number"),
        ("duration", "3h", "(O1).duration: is no whole number"),
        ("duration", True, "(O1).duration: is no whole number"),
        ("duration", 1e300, "(O1).duration: is no whole number"),
        ("interval", 0, "(O1).interval: is no whole number from 1"),
        ("frequency", "yearly", "is none of hourly, daily, weekly, monthly"),
        ("by_day", ["1MO"], "(O1).by_day: is none of MO"),
        ("by_day", "MO", "(O1).by_day: is no list"),
        ("week_start", "monday", "is none of MO"),
        ("time_zone", "Mars/Base", "is no time zone; accepted: a name of the IANA database"),
        ("time_zone", "../../etc/passwd", "is no time zone"),
        ("rolling_users", ["A"], "(O1).rolling_users: is no list"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_with_its_place(field: str, value: Any, said: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read(
            json.dumps(
                team({**GOOD, field: value}, zone="UTC") if field != "rolling_users" else _with(field, value)
            ).encode()
        )
    assert said in str(refused.value)


def _with(field: str, value: Any) -> dict[str, Any]:
    export = team(GOOD)
    export["on_call_shifts"][0] = {**GOOD, field: value}
    return export


def test_all_problems_are_told_at_once_and_not_without_end() -> None:
    with pytest.raises(ImportRefused) as refused:
        read(json.dumps({"users": [{"id": f"U{n}"} for n in range(50)]}).encode())
    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 30 more problems"


def _run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["import", "grafana-oncall", *map(str, args)])


def test_a_refused_file_writes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"users": [{"id": "U1"}]}')
    result = _run(bad, "--output", tmp_path / "o.yaml", "--report", tmp_path / "r.txt")
    assert result.exit_code == 1
    assert f"{bad}: users[0] (U1): has no username; accepted: " in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]


def test_the_configuration_goes_to_stdout_and_the_report_to_stderr() -> None:
    result = _run(DATA / "terraform_show.json")
    assert result.exit_code == 0
    assert result.stdout.startswith("# Imported from Grafana OnCall")
    assert result.stderr.startswith("Grafana OnCall import: 19 objects")


def test_a_folder_gets_a_file_and_the_report_may_be_json(tmp_path: Path) -> None:
    result = _run(DATA / "api_team.json", "--output", tmp_path, "--report", tmp_path / "r.json", "--json")
    assert (result.exit_code, result.output) == (0, "")
    assert "schedules:" in (tmp_path / "oncall.yaml").read_text()
    assert set(json.loads((tmp_path / "r.json").read_text())["summary"]) == {
        "mapped",
        "approximated",
        "dropped",
    }


def test_a_file_that_is_there_is_only_written_over_with_force(tmp_path: Path) -> None:
    there = tmp_path / "oncall.yaml"
    there.write_text("mine")
    refused = _run(DATA / "api_team.json", "--output", there)
    assert refused.exit_code == 1
    assert "is there; name another file, or say --force" in refused.output
    assert there.read_text() == "mine"
    assert _run(DATA / "api_team.json", "--output", there, "--force").exit_code == 0
    assert there.read_text() != "mine"


@pytest.mark.parametrize("given", ["slack", "=x", "slack="])
def test_a_channel_is_given_as_old_and_name(given: str) -> None:
    result = _run(DATA / "api_team.json", "--channel", given)
    assert result.exit_code == 2
    assert "is not OLD=NAME" in " ".join(result.output.split())


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = _run(tmp_path / "none.json")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "cannot be read: No such file or directory" in result.output


def test_a_state_file_of_terraform_is_read_like_what_it_shows(tmp_path: Path) -> None:
    shown = json.loads((DATA / "terraform_show.json").read_text())
    root = shown["values"]["root_module"]
    every = [*root["resources"], *root["child_modules"][0]["resources"]]
    resources = [{**each, "instances": [{"attributes": each["values"]}]} for each in every]
    state = tmp_path / "terraform.tfstate"
    state.write_text(json.dumps({"version": 4, "terraform_version": "1.9.8", "resources": resources}))
    assert _run(state).stdout == _run(DATA / "terraform_show.json").stdout
