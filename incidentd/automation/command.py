"""`command` steps: a name of the configuration, run without a shell; labels are data for it and never more."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from incidentd.automation import process
from incidentd.automation.base import Result, Task, last_line, one_line, readable, refused, shown
from incidentd.automation.process import Ended, NoUserError, Program
from incidentd.config.automation import Automation, Command, label_in
from incidentd.domain.automation import RunState, subject_of
from incidentd.domain.matcher import Matcher
from incidentd.masking import hide_named

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE_BYTES = 4096
_LABELS = 100
_STATES = {"timeout": RunState.TIMED_OUT, "stopped": RunState.STOPPED, "not_started": RunState.REFUSED}
_WORDS = {
    "flood": "it said more than 64 MiB, and was ended",
    "processes": "it began too many processes, and was ended",
    "stopped": "stopped",
}


class LabelError(Exception):
    """A label cannot be an argument of this command."""


@dataclass(frozen=True, slots=True)
class CommandExecutor:
    """Runs the commands of the configuration in force."""

    config: Callable[[], Automation]

    async def run(self, task: Task, timeout: timedelta, stop: asyncio.Event) -> Result:  # noqa: ASYNC109 - see Executor
        """Run it."""
        config = self.config()
        command = config.commands.get(subject_of(task.action))
        if command is None:
            return refused(f"automation.commands has no {subject_of(task.action)}")
        try:
            argv = filled(command, task.labels)
        except LabelError as wrong:
            return refused(str(wrong))
        allowed = min(timeout, command.timeout)
        program = Program(
            argv, environment(command, task), _limits(config, allowed), config.user, allowed.total_seconds()
        )
        try:
            ended = await process.run(program, stop)
        except NoUserError as wrong:
            return refused(str(wrong))
        except OSError as error:
            return refused(f"no process can be started: {error.strerror or error}")
        return _result(argv, ended, allowed)

    def plan(self, task: Task) -> Result:
        """Say what would run."""
        command = self.config().commands.get(subject_of(task.action))
        if command is None:
            return refused(f"automation.commands has no {subject_of(task.action)}")
        try:
            argv = filled(command, task.labels)
        except LabelError as wrong:
            return refused(str(wrong))
        said = shown(argv)
        return Result(RunState.SUCCEEDED, one_line(f"would run {shlex.join(said)}"), data={"argv": said})


def why_none(config: Automation) -> str:
    """Why no command of this configuration can run in this process; empty if they can, or none is wanted."""
    if not (config.enabled and config.commands):
        return ""
    try:
        process.owner_of(config.user)
    except NoUserError as wrong:
        return str(wrong)
    return ""


def filled(command: Command, labels: Mapping[str, str]) -> list[str]:
    """The argument list, each label a whole argument of its own. Raises `LabelError`."""
    return [_argument(command, each, labels) for each in command.argv]


def _argument(command: Command, written: str, labels: Mapping[str, str]) -> str:
    name = label_in(written)
    if name is None:
        return written
    value = labels.get(name, "")
    if not value:
        raise LabelError(f"the incident has no label {name}")
    allowed = Matcher(name, "=~", command.labels[name])
    if value.startswith("-") or "\0" in value or not _encodable(value) or not allowed.matches({name: value}):
        raise LabelError(f"the label {name} is not {command.labels[name]}, so it is no argument")
    return value


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def environment(command: Command, task: Task) -> dict[str, str]:
    """Everything the command finds in its environment: a path, its incident, and what the configuration passes on."""
    found = {name: os.environ[name] for name in command.environment if name in os.environ}
    # Before it can say them: what it prints is kept.
    hide_named(found)
    found |= {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "INC_ID": str(task.incident_id),
        "INC_REF": f"INC-{task.incident_id}",
        "INC_TITLE": _value(task.title),
        "INC_SEVERITY": task.severity,
        "INC_SERVICE": _value(task.service),
    }
    plain = [name for name in sorted(task.labels) if _NAME.fullmatch(name)]
    return found | {f"INC_LABEL_{name}": _value(task.labels[name]) for name in plain[:_LABELS]}


def _value(text: str) -> str:
    # A NUL would end it, and half a surrogate pair is no text; everything else is only ever data here.
    data = text.replace("\0", "\ufffd").encode(errors="replace")[:_VALUE_BYTES]
    return data.decode(errors="ignore")


def _limits(config: Automation, allowed: timedelta) -> dict[str, int]:
    limits = config.limits
    seconds = min(limits.cpu, allowed).total_seconds()
    return {
        "cpu": max(int(seconds), 1) + 1,
        "memory": limits.memory,
        "files": limits.files,
        "file_size": limits.file_size,
        "processes": limits.processes,
    }


def _result(argv: list[str], ended: Ended, allowed: timedelta) -> Result:
    output = readable(ended.tail, ended.total - len(ended.tail))
    data = {"argv": shown(argv), "exit_code": ended.code, "signal": ended.signal, "bytes": ended.total}
    if ended.why == "exited" and ended.code == 0:
        return Result(RunState.SUCCEEDED, last_line(output) or "exit code 0", output, data)
    said = last_line(output)
    words = one_line(_words(ended, allowed) + (f": {said}" if said else ""))
    return Result(_STATES.get(ended.why, RunState.FAILED), words, output, data)


def _words(ended: Ended, allowed: timedelta) -> str:
    if ended.why == "timeout":
        return f"not over after {allowed.total_seconds():g} s, and was ended"
    if ended.why in {"not_started", "lost"}:
        return f"could not be run: {ended.problem}" if ended.why == "not_started" else ended.problem
    if ended.why in _WORDS:
        return _WORDS[ended.why]
    if ended.signal is None:
        return f"exit code {ended.code}"
    try:
        return f"ended by {signal.Signals(ended.signal).name}"
    except ValueError:
        return f"ended by signal {ended.signal}"
