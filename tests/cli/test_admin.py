"""Commands of the daemon: what is wrong is one line that says what is accepted, never a traceback."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from click import Group
from click.testing import CliRunner, Result

from incidentd.cli.ctl import cli
from incidentd.cli.main import main
from incidentd.cli.serve import _announce
from incidentd.config import load

if TYPE_CHECKING:
    from incidentd.app import Daemon


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "incidentd.yaml"
    path.write_text(f"database: {{url: 'sqlite+aiosqlite:///{tmp_path}/incidentd.db'}}\n", encoding="utf-8")
    return path


def _run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(main, [*args, "--config", str(config)])


@pytest.mark.parametrize("name", ["source", "incidentd", "reconcile", "Alice", "a b", "-", "x" * 64, ""])
def test_a_token_has_a_name_that_is_a_slug_and_not_reserved(config: Path, name: str) -> None:
    result = CliRunner().invoke(
        main, ["token", "create", "--scope", "read", "--config", str(config), "--", name]
    )
    assert result.exit_code == 2
    assert "accepted: " in result.output


def test_a_token_with_a_good_name_is_printed(config: Path) -> None:
    result = _run(config, "token", "create", "alice", "--scope", "read")
    assert result.exit_code == 0
    assert result.stdout.startswith("inc_")


@pytest.mark.parametrize("host", ["http://x", "x:80", ""])
def test_a_host_that_is_none_is_a_usage_error(config: Path, host: str) -> None:
    result = _run(config, "serve", "--host", host)
    assert result.exit_code == 2
    assert "is not a host; accepted: an address or a name, without scheme and port" in " ".join(
        result.output.split()
    )
    assert "pydantic" not in result.output


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_the_wrong_folder_names_the_remedy(tmp_path: Path, command: str) -> None:
    result = _run(tmp_path / "incidentd.yaml", command)
    assert result.exit_code == 1
    assert "name the file with --config or INCIDENTD_CONFIG" in result.output


def test_check_config_says_which_calendars_it_could_not_count(config: Path) -> None:
    leave = "{url: 'https://cal.example/s3cret/alice.ics'}"
    config.write_text(f"users: {{alice: {{name: Alice, leave: {leave}}}}}\n", encoding="utf-8")
    result = _run(config, "check-config")
    assert result.exit_code == 0
    assert (
        "info: users.alice.leave.url: is not asked here, so gaps are judged without the leave of alice"
        in (result.output)
    )
    assert "s3cret" not in result.output


def test_the_ready_line_shows_no_password_of_the_database(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql+asyncpg://me@db.example/incidentd?password=hunter2"
    config.write_text(f"database: {{url: '{url}'}}\n", encoding="utf-8")
    daemon = SimpleNamespace(config=load(config).config, url="http://127.0.0.1:8650", protected=True)
    _announce(cast("Daemon", daemon))
    line = capsys.readouterr().out
    assert (
        " accepts alerts on http://127.0.0.1:8650 (postgresql+asyncpg://me@db.example/incidentd?...)" in line
    )
    assert "hunter2" not in line


def test_channels_show_whom_they_reach_and_the_lasting_generated_secret(config: Path) -> None:
    hook = "{kind: webhook, url: 'https://hook.example/in'%s}"
    signed = hook % ", secret: whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0"
    text = f"channels: {{console: {{kind: console}}, hook: {hook % ''}, signed: {signed}}}\n"
    config.write_text(config.read_text(encoding="utf-8") + text, encoding="utf-8")
    result = _run(config, "channels")
    assert result.exit_code == 0, result.output
    console, plain, own = [line.split("\t") for line in result.stdout.splitlines()]
    assert console[:2] == ["console", "console"]
    assert plain[:2] == ["hook", "webhook"]
    assert "hook.example" in plain[2]
    assert plain[3].startswith("generated secret whsec_")
    assert len(own) == 3
    assert "whsec_QUJD" not in result.output
    assert _run(config, "channels").stdout == result.stdout


@pytest.mark.parametrize(("group", "typed", "meant"), [(main, "serv", "serve"), (cli, "ak", "ack")])
def test_a_misspelt_command_gets_the_nearest_one(group: Group, typed: str, meant: str) -> None:
    result = CliRunner().invoke(group, [typed])
    assert (result.exit_code, f"'{meant}'" in result.output) == (2, True)
