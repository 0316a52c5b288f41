"""`route-test`, `replay` and `journal export` as CI runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main
from incidentd.replay.file import write
from tests.replay.story import kept, recording
from tests.workflows.world import fires

PHONE = {"kind": "webhook", "url": "http://127.0.0.1:9/x"}
PEOPLE = {name: {"name": name, "contact": [{"channel": "phone"}]} for name in ("alice", "bob")}
LAYER = {"name": "days", "users": ["alice", "bob"], "rotation": "daily", "start": "2026-03-01"}
CRITICAL = {"matchers": ['severity="critical"'], "escalation": "primary"}
AT = "2026-03-02T12:00:00Z"


def configured(folder: Path, name: str, **sections: Any) -> str:
    steps = [{"after": "1m", "notify": ["schedule:duty"]}, {"after": "5m", "notify": ["user:alice"]}]
    config = {
        "database": {"url": f"sqlite+aiosqlite:///{folder}/incidentd.db"},
        "channels": {"chat": {"kind": "console"}, "phone": PHONE},
        "route": {"notify": ["chat"], "routes": [CRITICAL]},
        "users": PEOPLE,
        "schedules": {"duty": {"time_zone": "Etc/UTC", "layers": [LAYER]}},
        "escalation": {"primary": {"steps": steps}},
        **sections,
    }
    file = folder / name
    file.write_text(json.dumps(config), encoding="utf-8")
    return str(file)


def run(*args: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, args, input=stdin)


@pytest.fixture
def body(tmp_path: Path) -> str:
    file = tmp_path / "body.json"
    file.write_bytes(
        kept(0, fires("a", 0, "critical"), fires("b", 0, "critical"), fires("c", 0, "info")).body
    )
    return str(file)


def test_a_dry_run_says_route_incident_whom_and_when(tmp_path: Path, body: str) -> None:
    config = configured(tmp_path, "c.yaml", grouping={"by": ["severity"]})
    result = run("route-test", body, "--config", config, "--at", AT, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [(a["alert"], a["does"], a["incident"], a["escalation"]) for a in told["alerts"]] == [
        ("a", "opens", 1, "primary"),
        ("b", "joins", 1, "primary"),
        ("c", "opens", 2, None),
    ]
    assert told["alerts"][0]["route"] == '{severity="critical"}'
    assert told["alerts"][2]["reason"] == "root_catches_all"
    first = [(page["after"], page["who"], page["channel"]) for page in told["incidents"][0]["told"]]
    assert first == [
        ("+0m00s", "channel chat", "chat"),
        ("+1m00s", "bob", "phone"),
        ("+6m00s", "alice", "phone"),
    ]


def test_a_dry_run_for_people_is_the_same_every_time_and_reads_standard_input(
    tmp_path: Path, body: str
) -> None:
    config = configured(tmp_path, "c.yaml")
    first = run("route-test", body, "--config", config, "--at", AT)
    again = run("route-test", "-", "--config", config, "--at", AT, stdin=Path(body).read_bytes())
    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout
    assert "escalated to bob (schedule duty), step 1 of 2" in first.stdout
    assert not (tmp_path / "incidentd.db").exists()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--at", "noon"], 2, "accepted: RFC 3339"),
        (["--source", "other"], 1, 'there is no source "other"; accepted: main'),
    ],
)
def test_bad_options_of_a_dry_run_are_told(
    tmp_path: Path, body: str, args: list[str], code: int, said: str
) -> None:
    result = run("route-test", body, "--config", configured(tmp_path, "c.yaml"), *args)
    assert result.exit_code == code
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(("content", "said"), [(b"[]", "JSON list"), (None, "cannot read")])
def test_a_file_that_is_no_body_is_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    result = run("route-test", str(file), "--config", configured(tmp_path, "c.yaml"))
    assert (result.exit_code, said in result.output) == (1, True)


@pytest.fixture
def journal(tmp_path: Path) -> str:
    file = tmp_path / "journal.gz"
    write(file, recording(kept(0, fires("a", 0, "critical"))))
    return str(file)


def test_no_difference_is_exit_code_0(tmp_path: Path, journal: str) -> None:
    same = configured(tmp_path, "c.yaml")
    result = run("replay", "--config", same, "--config-old", same, "--journal", journal)
    assert result.exit_code == 0, result.output
    assert "no difference" in result.stdout
    assert not (tmp_path / "incidentd.db").exists()


def test_a_difference_is_exit_code_6_and_the_same_bytes_every_time(tmp_path: Path, journal: str) -> None:
    old = configured(tmp_path, "old.yaml")
    new = configured(tmp_path, "new.yaml", route={"notify": ["chat"]})
    args = ("replay", "--config", new, "--config-old", old, "--journal", journal)
    result = run(*args)
    assert result.exit_code == 6, result.output
    assert [line.split()[1:3] for line in result.stdout.splitlines() if "main:{" in line] == [
        ["user:alice", "less"]
    ]
    first, again = run(*args, "--json"), run(*args, "--json")
    assert first.stdout == again.stdout
    assert json.loads(first.stdout)["totals"][1] == {
        "who": "user:alice",
        "before": 2,
        "after": 0,
        "more": 0,
        "less": 1,
        "earlier": 0,
        "later": 0,
    }


@pytest.mark.parametrize(("name", "said"), [("no.gz", "cannot read"), ("old.yaml", "no exported journal")])
def test_a_journal_that_cannot_be_read_is_exit_code_1(tmp_path: Path, name: str, said: str) -> None:
    old = configured(tmp_path, "old.yaml")
    result = run("replay", "--config", old, "--config-old", old, "--journal", str(tmp_path / name))
    assert (result.exit_code, said in result.output) == (1, True)


def test_since_takes_the_end_of_an_exported_journal_alone(tmp_path: Path, journal: str) -> None:
    same = configured(tmp_path, "c.yaml")
    common = ("replay", "--config", same, "--config-old", same, "--journal", journal)
    assert "\n0 bodies" in run(*common, "--since", "1h").stdout
    assert run(*common, "--since", "soon").exit_code == 2
