"""A step to run, a configuration to run it under, and a user who may do little."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from incidentd.automation.base import Result, Task
from incidentd.automation.command import CommandExecutor
from incidentd.config.automation import Automation
from incidentd.domain.runbook import Action, Kind

USER = "nobody" if os.geteuid() == 0 else None
"""Whom commands run as: a daemon that runs as root needs somebody."""
LIMITS = {"cpu": "5s", "memory": "1GiB", "processes": 40, "files": 64, "file_size": "1MiB"}


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that commands may write into, whoever they run as: pytest closes its own to others again and again."""
    with tempfile.TemporaryDirectory(prefix="incidentd-test-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def configured(**commands: Mapping[str, Any]) -> Automation:
    """An automation with these commands."""
    return Automation.model_validate({"enabled": True, "user": USER, "limits": LIMITS, "commands": commands})


def task_of(kind: Kind, labels: Mapping[str, str] | None = None, **attributes: object) -> Task:
    """A step of this kind, of an incident with these labels."""
    return Task(Action(kind, attributes=attributes), 12, "API is down", "api", "critical", labels or {})


async def command(
    *argv: str,
    seconds: float = 10,
    labels: Mapping[str, str] | None = None,
    allowed: Mapping[str, str] | None = None,
    stop: asyncio.Event | None = None,
    environment: tuple[str, ...] = (),
) -> Result:
    """Run one command; its result."""
    section = {"argv": list(argv), "labels": dict(allowed or {}), "environment": list(environment)}
    executor = CommandExecutor(lambda: configured(it=section))
    task = task_of(Kind.COMMAND, labels, command="it")
    return await executor.run(task, timedelta(seconds=seconds), stop or asyncio.Event())


def python(code: str) -> tuple[str, ...]:
    """The arguments that run a piece of Python with the machine's own interpreter, which anybody may read."""
    return ("/usr/bin/python3", "-c", code)


def alive(mark: str) -> list[str]:
    """Command lines that hold `mark`, of processes that run now."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found += [line] if mark in line else []
    return found
