"""Commands in real processes: what they are given, what ends them, and that nothing of them stays behind."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from incidentd.automation import process
from incidentd.automation.base import KEPT_BYTES, shown
from incidentd.automation.command import CommandExecutor, why_none
from incidentd.domain.automation import RunState
from incidentd.domain.runbook import Kind
from tests.acceptance.waiting import until
from tests.automation.world import alive, command, configured, python, task_of

NASTY = (
    "; rm -rf /",
    "$(id)",
    "`id`",
    "a\nb\r\nc",
    "nul\0byte",
    "-rf",
    "--help",
    "\ud83d",
    "*",
    "\u202e x",
    "a" * 9000,
)
SLACK = 2.0
"""Seconds after its time in which everything must be over and recorded."""


@pytest.mark.parametrize("value", NASTY)
async def test_a_label_is_a_whole_variable_and_never_anything_else(value: str) -> None:
    told = await command(*python("import os; print(ascii(os.environ['INC_LABEL_x']))"), labels={"x": value})
    expected = value.replace("\0", "\ufffd").encode(errors="replace")[:4096].decode()
    assert (told.state, told.output) == (RunState.SUCCEEDED, f"{expected!a}\n")


@pytest.mark.parametrize("value", NASTY)
async def test_a_label_that_its_expression_does_not_fit_is_no_argument(value: str) -> None:
    told = await command("/bin/echo", "{label.x}", labels={"x": value}, allowed={"x": "[a-z0-9.:-]{1,20}"})
    assert (told.state, told.output) == (RunState.REFUSED, "")


async def test_a_label_is_one_argument_even_where_everything_is_allowed() -> None:
    show = python("import sys; print(sys.argv[1:])")
    value = "a b; $(id) 'c"
    told = await command(*show, "{label.x}", "end", labels={"x": value}, allowed={"x": "(?s).*"})
    assert told.output == f"{[value, 'end']}\n"
    told = await command(*show, "{label.x}", labels={"x": "-rf"}, allowed={"x": "(?s).*"})
    assert told.state is RunState.REFUSED
    told = await command(*show, "{label.x}", allowed={"x": "(?s).*"})
    assert (told.state, told.summary) == (RunState.REFUSED, "the incident has no label x")


async def test_it_inherits_no_secret_no_file_and_no_folder() -> None:
    os.environ["INCIDENTD_TEST_SECRET"] = "hunter2"
    os.environ["INCIDENTD_TEST_PASSED"] = "yes"
    code = (
        "import os; print(sorted(os.environ))\n"
        "print(os.listdir('.'), sorted(os.listdir('/proc/self/fd')), os.getcwd())"
    )
    try:
        told = await command(*python(code), environment=("INCIDENTD_TEST_PASSED", "INCIDENTD_TEST_ABSENT"))
    finally:
        del os.environ["INCIDENTD_TEST_SECRET"], os.environ["INCIDENTD_TEST_PASSED"]
    names, rest = told.output.splitlines()
    assert "SECRET" not in names
    assert "'INCIDENTD_TEST_PASSED'" in names
    assert set(eval(names)) - {"LC_CTYPE", "INCIDENTD_TEST_PASSED"} == {  # noqa: S307 - printed by the line above
        "HOME", "INC_ID", "INC_REF", "INC_SERVICE", "INC_SEVERITY", "INC_TITLE", "LANG", "PATH", "TMPDIR",
    }  # fmt: skip
    # The fourth is the one that lists them.
    assert rest.startswith("[] ['0', '1', '2', '3'] ")
    assert not Path(rest.rpartition(" ")[2]).exists()  # noqa: ASYNC240 - one look


async def test_a_secret_that_it_was_given_and_says_is_not_kept() -> None:
    os.environ["INCIDENTD_TEST_TOKEN"], os.environ["INCIDENTD_TEST_PLACE"] = "correct-horse", "/opt/incidentd"
    code = "import os; print('said', os.environ['INCIDENTD_TEST_TOKEN'], os.environ['INCIDENTD_TEST_PLACE'])"
    try:
        told = await command(*python(code), environment=("INCIDENTD_TEST_TOKEN", "INCIDENTD_TEST_PLACE"))
    finally:
        del os.environ["INCIDENTD_TEST_TOKEN"], os.environ["INCIDENTD_TEST_PLACE"]
    assert told.output == "said [secret] /opt/incidentd\n"


async def test_it_runs_as_somebody_else_who_cannot_become_more() -> None:
    code = (
        "import os; status = open('/proc/self/status').read()\n"
        "print(os.getresuid(), os.getgroups(), status.split('NoNewPrivs:')[1][:2])"
    )
    told = await command(*python(code))
    if os.geteuid() == 0:
        assert told.output.startswith("(65534, 65534, 65534) []")
    assert told.output.rstrip().endswith("1")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the refusal is about it")
async def test_a_daemon_that_is_root_runs_nothing_as_root() -> None:
    for user, said in (
        (None, "set automation.user"),
        ("root", "automation.user is root"),
        ("nobody-here", "no user nobody-here"),
    ):
        section = configured(it={"argv": ["/bin/true"]}).model_copy(update={"user": user})
        told = await CommandExecutor(lambda section=section: section).run(  # type: ignore[misc]
            task_of(Kind.COMMAND, command="it"), section.agree_within, asyncio.Event()
        )
        assert (told.state, said in told.summary) == (RunState.REFUSED, True)
        assert said in why_none(section)
    assert why_none(configured()) == ""


async def test_exit_codes_signals_and_what_cannot_start_are_told() -> None:
    told = await command(*python("import sys; print('half done'); sys.exit(3)"))
    assert (told.state, told.summary) == (RunState.FAILED, "exit code 3: half done")
    assert (told.data["exit_code"], told.data["argv"][0]) == (3, "/usr/bin/python3")
    told = await command(*python("import os; os.kill(os.getpid(), 11)"))
    assert (told.state, told.summary) == (RunState.FAILED, "ended by SIGSEGV")
    told = await command("/nowhere/to/be/found")
    assert (told.state, "No such file" in told.summary) == (RunState.REFUSED, True)
    told = await command("/etc/passwd")
    assert (told.state, "Permission denied" in told.summary) == (RunState.REFUSED, True)


async def test_of_an_endless_output_the_end_is_kept_and_it_is_ended() -> None:
    since = time.monotonic()
    told = await command("/usr/bin/yes", "y" * 200, seconds=20)
    assert (told.state, told.summary.startswith("it said more than 64 MiB")) == (RunState.FAILED, True)
    assert len(told.output.encode()) <= KEPT_BYTES + 40
    assert told.output.splitlines()[0].endswith(" bytes left out]")
    assert time.monotonic() - since < 10
    assert told.sha256 == hashlib.sha256(told.output.encode()).hexdigest()


async def test_output_that_is_no_text_and_secrets_in_it_are_made_harmless() -> None:
    said = "\\xff\\x00\\x1b[31m Authorization: Bearer abcdefghijklmnop xoxb-123456789012"
    code = f"import sys; sys.stdout.buffer.write(b'{said}')"
    told = await command(*python(code))
    assert told.output == "\ufffd\ufffd\ufffd[31m Authorization: [secret]"


async def test_what_hangs_ignores_sigterm_and_hides_its_children_is_gone_in_time() -> None:
    mark = "hidden-child-7c1f"
    code = (
        "import os, signal, subprocess, time; signal.signal(15, signal.SIG_IGN)\n"
        "deaf = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(99)'\n"
        f"subprocess.Popen(['/usr/bin/python3', '-c', deaf, '{mark}'], start_new_session=True)\n"
        "print('began', flush=True); time.sleep(99)"
    )
    since = time.monotonic()
    told = await command(*python(code), seconds=1)
    assert time.monotonic() - since < 1 + SLACK
    assert (told.state, told.summary) == (RunState.TIMED_OUT, "not over after 1 s, and was ended: began")
    assert alive(mark) == []


async def test_what_a_command_leaves_behind_ends_with_it() -> None:
    mark = "left-behind-5b2e"
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(99)\n  os._exit(0)\n"
        f"print('gone', '{mark}')"
    )
    told = await command(*python(code), seconds=5)
    assert (told.state, told.summary) == (RunState.SUCCEEDED, f"gone {mark}")
    assert alive(mark) == []


async def test_a_fork_bomb_stays_small_and_is_gone_in_time() -> None:
    mark = "bomb-91d3"
    code = f"import os\nm = '{mark}'\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    since = time.monotonic()
    told = await command(*python(code), seconds=1)
    assert time.monotonic() - since < 1 + SLACK
    assert told.state in {RunState.TIMED_OUT, RunState.FAILED}
    assert alive(mark) == []


async def test_memory_and_files_are_limited_and_zombies_are_collected() -> None:
    told = await command(*python("x = bytearray(3 << 30)"))
    assert (told.state, "MemoryError" in told.output) == (RunState.FAILED, True)
    told = await command(*python("open('big', 'wb').write(b'x' * (4 << 20))"))
    assert told.state is RunState.FAILED
    zombies = (
        "import os, time\nfor _ in range(20):\n  if os.fork() == 0: os._exit(0)\n"
        "time.sleep(0.2); print('all forked')"
    )
    told = await command(*python(zombies))
    assert (told.state, told.summary) == (RunState.SUCCEEDED, "all forked")


@pytest.mark.parametrize("whom", ["parent", "grandparent", "both"])
async def test_a_command_that_kills_what_watches_it_ends_with_all_it_began(whom: str, tmp_path: Path) -> None:
    mark = f"freed-{whom}-4d0c"
    above = {"parent": "[guard]", "grandparent": "[supervisor]", "both": "[supervisor, guard]"}[whom]
    code = (
        "import os, subprocess, time\n"
        f"child = ['/usr/bin/python3', '-c', 'import time; time.sleep(99)', '{mark}']\n"
        "for _ in range(3): subprocess.Popen(child, start_new_session=True)\n"
        "guard = os.getppid()\n"
        "supervisor = int(open(f'/proc/{guard}/stat').read().rpartition(')')[2].split()[1])\n"
        f"print('began', flush=True); [os.kill(pid, 9) for pid in {above}]; time.sleep(99)"
    )
    limits = {"cpu": 5, "memory": 1 << 30, "processes": 40, "files": 64, "file_size": 1 << 20}
    program = process.Program(python(code), {"PATH": os.defpath}, limits, None, 50)
    since = time.monotonic()
    # As the user that the daemon itself is: only then may it.
    ended = await process._supervised(program, None, str(tmp_path), asyncio.Event())
    assert time.monotonic() - since < SLACK
    assert (ended.why, ended.signal) == (("exited", 9) if whom == "parent" else ("lost", None))
    assert ended.tail == (b"began\n" if whom == "parent" else b"")
    await until(lambda: not alive(mark), "its children to end", SLACK)


async def test_a_command_of_the_daemons_own_user_cannot_read_the_daemon() -> None:
    """In a process of its own that is not root, for root may read everything."""
    code = (
        "import asyncio, os\n"
        "from incidentd.automation.process import Program, run\n"
        'spy = (\'import os\\nfor what in ("environ", "mem", "fd"):\\n try: open(f"/proc/{%d}/{what}").read(9);\'\n'
        "       ' print(what)\\n except OSError as error: print(type(error).__name__)' % os.getpid())\n"
        "limits = {'cpu': 5, 'memory': 1 << 30, 'processes': 40, 'files': 64, 'file_size': 1 << 20}\n"
        "program = Program(('/usr/bin/python3', '-c', spy), {}, limits, None, 20)\n"
        "print(asyncio.run(run(program, asyncio.Event())).tail.decode())\n"
        "print(len(os.listdir('/proc/self/fd')) > 2, 'Name' in open('/proc/self/status').read())"
    )
    root = os.geteuid() == 0
    if root and sys.version_info[:2] != _version_of("/usr/bin/python3"):
        pytest.skip(
            "nobody may use the interpreter that the suite runs on, and the system's is another version"
        )
    done = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/python3" if root else sys.executable, "-c", code],
        user="nobody" if root else None,
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.decode().split() == ["PermissionError"] * 3 + ["True", "True"], done.stderr


def _version_of(interpreter: str) -> tuple[int, ...]:
    code = "import sys; print(*sys.version_info[:2])"
    said = subprocess.run([interpreter, "-c", code], capture_output=True, check=True).stdout
    return tuple(int(part) for part in said.split())


async def test_it_is_ended_when_it_is_told_to_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    since = time.monotonic()
    told = await command("/bin/sleep", "99", seconds=50, stop=stop)
    assert (told.state, told.summary) == (RunState.STOPPED, "stopped")
    assert time.monotonic() - since < SLACK


async def test_a_run_that_is_cancelled_leaves_nothing() -> None:
    mark = "cancelled-3aa8"
    task = asyncio.create_task(command(*python(f"import time; time.sleep(99)  # {mark}"), seconds=50))
    await until(lambda: any("supervisor" not in line for line in alive(mark)), "its process")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not alive(mark), "its end", SLACK)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("/bin/x", "--password=hunter2hunter2"), ["/bin/x", "--password=[secret]"]),
        (("/bin/x", "--password", "hunter2hunter2", "-n"), ["/bin/x", "--password", "[secret]", "-n"]),
        (("/bin/x", "-c", "sleep 3", "key"), ["/bin/x", "-c", "sleep 3", "key"]),
    ],
)
def test_secrets_among_arguments_are_not_written_down(argv: tuple[str, ...], said: list[str]) -> None:
    assert shown(argv) == said


async def test_a_dry_run_says_what_would_run() -> None:
    section = configured(it={"argv": ["/bin/false", "{label.x}"], "labels": {"x": "[a-z ]+"}})
    executor = CommandExecutor(lambda: section)
    planned = executor.plan(task_of(Kind.COMMAND, {"x": "a b"}, command="it"))
    assert (planned.state, planned.summary) == (RunState.SUCCEEDED, "would run /bin/false 'a b'")
    assert executor.plan(task_of(Kind.COMMAND, {"x": "-x"}, command="it")).state is RunState.REFUSED
    assert executor.plan(task_of(Kind.COMMAND, command="other")).state is RunState.REFUSED
