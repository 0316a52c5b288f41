"""`incidentctl` as a process: start-up, exit codes, pipes, a terminal, completion."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys

import click
import pytest

from incidentd.cli.ctl import COMMANDS, cli
from tests.cli.conftest import Spawn
from tests.cli.fake_server import FakeServer, incident

HEAVY = {
    "aiohttp",
    "asyncio",
    "httpx",
    "pydantic",
    "rich",
    "sqlalchemy",
    "structlog",
    "ssl",
    "urllib.request",
}


def test_help_imports_nothing_heavy_and_no_command(spawn: Spawn) -> None:
    code = "import json, sys\nsys.argv = ['incidentctl', '--help']\nfrom incidentd.cli.ctl import main\n"
    code += "try: main()\nexcept SystemExit: pass\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    result = spawn(command=code)
    modules = set(json.loads(result.stderr))
    assert "declare" in result.stdout
    assert modules & HEAVY == set()
    assert not {name for name in modules if name.startswith("incidentd.cli.ctl_")} - {
        "incidentd.cli.ctl_common"
    }


def test_a_plain_list_does_without_rich(spawn: Spawn) -> None:
    code = "import sys\nsys.argv = ['incidentctl', 'list']\nfrom incidentd.cli.ctl import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print({'rich', 'httpx', 'aiohttp'} & set(sys.modules), file=sys.stderr)"
    result = spawn(command=code)
    assert "INC-12" in result.stdout
    assert result.stderr == "set()\n"


def test_exit_codes_tell_scripts_what_happened(spawn: Spawn, server: FakeServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
        codes = [
            spawn(*args).returncode for args in (["list"], ["ack"], ["show", "99"], ["list", "--url", closed])
        ]
        assert codes == [0, 2, 5, 3]
        lost = spawn("list", "--url", closed).stderr
    assert f"cannot reach {closed}: Connection refused" in lost
    server.token = "other"
    assert spawn("list").returncode == 4


def test_a_closed_pipe_is_not_an_error(spawn: Spawn, server: FakeServer) -> None:
    server.incidents = {number: incident(number, title="x" * 500) for number in range(1, 400)}
    program = f"{sys.executable} -m incidentd.cli.ctl list"
    shell = f"{program} | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_gets_coloured_columns_with_markup_left_alone(
    server: FakeServer, env: dict[str, str]
) -> None:
    server.incidents[12] = incident(title="[bold]disk[/bold] :fire: \x1b[31m")
    command = [sys.executable, "-m", "incidentd.cli.ctl", "list", "--url", server.url]
    shown = _on_terminal(command)
    assert "[bold]disk[/bold] :fire:" in shown
    assert "\x1b[1;31mcritical" in shown
    assert "\x1b[31m" not in shown


def test_json_on_a_terminal_is_the_same_document_without_live_controls(
    server: FakeServer, env: dict[str, str]
) -> None:
    server.incidents[12] = incident(title="\x9b31m \u202eevil\x1b[31m")
    shown = _on_terminal([sys.executable, "-m", "incidentd.cli.ctl", "list", "--json", "--url", server.url])
    assert "\x9b" not in shown
    assert "\x1b" not in shown
    assert json.loads(shown)["items"][0]["title"] == "\x9b31m \u202eevil\x1b[31m"


def _on_terminal(command: list[str]) -> str:
    """Run `command` with its output on a terminal 200 columns wide."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "200", "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        chunks = list(_read(ours))
        assert process.wait(20) == 0
    os.close(ours)
    return b"".join(chunks).decode()


def _read(terminal: int) -> list[bytes]:
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports the other side's end as EIO
            return chunks
        if not chunk:
            return chunks
        chunks.append(chunk)


def test_the_overview_says_what_each_command_says_and_all_have_examples() -> None:
    context = click.Context(cli)
    for name, (_, _, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.name, command.short_help) == (name, line)
        assert f"incidentctl {name}" in (command.help or "") or name == "config"
    assert cli.get_command(context, "no-such-command") is None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(spawn: Spawn, shell: str) -> None:
    assert "_INCIDENTCTL_COMPLETE" in spawn("completion", shell).stdout


def test_completion_completes_commands(spawn: Spawn) -> None:
    settings = {"_INCIDENTCTL_COMPLETE": "bash_complete", "COMP_WORDS": "incidentctl time", "COMP_CWORD": "1"}
    code = "import sys\nsys.argv = ['incidentctl']\nfrom incidentd.cli.ctl import main\nmain()"
    assert spawn(command=code, **settings).stdout == "plain,timeline\n"
