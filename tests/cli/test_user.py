"""Accounts and tokens at the command line: asked for, printed once, told plainly, and in the audit log."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main

GOOD = "correct horse battery staple\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "incidentd.yaml"
    path.write_text(
        f"database: {{url: 'sqlite+aiosqlite:///{tmp_path}/incidentd.db'}}\n"
        "auth: {teams: {pay: {matchers: ['team=\"pay\"']}}}\n",
        encoding="utf-8",
    )
    return path


def run(config: Path, *args: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, [*args, "--config", str(config)], input=typed)


def test_an_account_is_made_listed_changed_and_disabled(config: Path) -> None:
    made = run(config, "user", "add", "alice", "--role", "responder", "--team", "pay", typed=GOOD)
    assert (made.exit_code, made.stdout) == (0, "")
    assert "alice can sign in as responder at http://127.0.0.1:8650/login" in made.stderr
    assert run(config, "user", "list").stdout == "alice\tresponder of pay\tnever signed in\n"
    assert run(config, "user", "role", "alice", "--role", "manager").exit_code == 0
    assert run(config, "user", "passwd", "alice", typed=GOOD).exit_code == 0
    assert run(config, "user", "disable", "alice").exit_code == 0
    assert "alice\tmanager\tdisabled 2" in run(config, "user", "list").stdout
    assert run(config, "user", "enable", "alice").exit_code == 0
    assert run(config, "user", "sign-out", "alice").stdout == "0 sessions of alice ended\n"


def test_a_generated_password_is_printed_and_another_each_time(config: Path) -> None:
    first = run(config, "user", "add", "alice", "--role", "viewer", "--generate").stdout
    second = run(config, "user", "passwd", "alice", "--generate").stdout
    assert len(first.strip()) == len(second.strip()) == 24
    assert first != second


@pytest.mark.parametrize(
    ("args", "typed", "code", "said"),
    [
        (("add", "alice", "--role", "viewer"), "short\n", 1, "too short; accepted: at least 15 characters"),
        (("add", "alice", "--role", "viewer"), "", 1, "too short"),
        (("add", "Alice", "--role", "viewer"), GOOD, 2, "accepted: "),
        (("add", "incidentd", "--role", "viewer"), GOOD, 2, "reserved for the daemon itself"),
        (("add", "alice", "--role", "boss"), GOOD, 2, "responder"),
        (("add", "alice", "--role", "viewer", "--team", "x"), GOOD, 1, "configured: pay"),
        (("add", "alice", "--role", "admin", "--team", "pay"), GOOD, 1, "cannot hold for an admin"),
        (("passwd", "nobody"), GOOD, 1, "there is no account named nobody"),
        (("disable", "nobody"), "", 1, "there is no account named nobody"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_accepted(
    config: Path, args: tuple[str, ...], typed: str, code: int, said: str
) -> None:
    result = run(config, "user", *args, typed=typed)
    assert result.exit_code == code
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_name_is_taken_once(config: Path) -> None:
    assert run(config, "user", "add", "alice", "--role", "viewer", typed=GOOD).exit_code == 0
    again = run(config, "user", "add", "alice", "--role", "viewer", typed=GOOD)
    assert (again.exit_code, "exists" in again.output) == (1, True)


def test_a_token_is_rotated_under_its_name_and_the_overlap_is_said(config: Path) -> None:
    first = run(config, "token", "create", "am", "--scope", "read", "--team", "pay").stdout
    second = run(config, "token", "rotate", "am", "--overlap", "1h")
    assert second.exit_code == 0
    assert second.stdout != first
    listed = run(config, "token", "list").stdout
    assert "rotated: the one before works until" in listed
    assert "teams pay" in listed
    assert run(config, "token", "rotate", "nobody").exit_code == 1
    assert run(config, "token", "rotate", "am", "--overlap", "soon").exit_code == 2
    assert run(config, "token", "create", "b", "--scope", "ingest", "--team", "pay").exit_code == 1
    assert run(config, "token", "create", "b", "--scope", "read", "--team", "x").exit_code == 1
