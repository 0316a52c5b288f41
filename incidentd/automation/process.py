"""Running one program under the supervisor: within its limits, and gone with all that it began when it must be."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from incidentd.automation.base import KEPT_BYTES

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_PATIENCE = 1.9
"""Seconds after its time in which the supervisor ends everything; then it is ended itself."""
MOST_BYTES = 64 * 1024 * 1024
"""What says more is ended."""
_MOST_ANSWERED = 1024 * 1024


class NoUserError(Exception):
    """The command cannot run as the user that it should."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and within what."""

    argv: Sequence[str]
    env: Mapping[str, str]
    limits: Mapping[str, int]
    """cpu (seconds), memory, files, file_size, processes."""
    user: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it."""

    why: str
    """exited, timeout, stopped, flood, processes, not_started, lost."""
    code: int | None = None
    signal: int | None = None
    problem: str = ""
    total: int = 0
    """Bytes that it said."""
    tail: bytes = b""


def owner_of(user: str | None) -> tuple[int, int] | None:
    """The user and group to become; None to stay who we are. Raises `NoUserError` saying what to do."""
    us = os.geteuid()
    if user is None:
        if us == 0:
            raise NoUserError("the daemon runs as root: set automation.user to somebody who may do less")
        return None
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise NoUserError(f"this machine has no user {user}: create it, or change automation.user") from None
    if found.pw_uid == 0:
        raise NoUserError("automation.user is root; accepted: somebody who may do less")
    if found.pw_uid == us:
        return None
    if us != 0:
        raise NoUserError(f"only a daemon that runs as root can run commands as {user}")
    return found.pw_uid, found.pw_gid


async def run(program: Program, stop: asyncio.Event) -> Ended:
    """Run it to its end, within its seconds and 2 more; sooner if `stop` is set. Raises `NoUserError`, OSError."""
    owner = owner_of(program.user)
    folder = await asyncio.to_thread(_empty_folder, owner)
    try:
        if stop.is_set():
            return Ended("stopped")
        return await _supervised(program, owner, folder, stop)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _empty_folder(owner: tuple[int, int] | None) -> str:
    folder = tempfile.mkdtemp(prefix="incidentd-step-")
    if owner is not None:
        os.chown(folder, *owner)
    return folder


async def _supervised(
    program: Program, owner: tuple[int, int] | None, folder: str, stop: asyncio.Event
) -> Ended:
    spec = {
        "argv": list(program.argv),
        "env": {**program.env, "HOME": folder, "TMPDIR": folder},
        "folder": folder,
        "uid": owner[0] if owner else None,
        "gid": owner[1] if owner else None,
        "limits": dict(program.limits),
        "timeout": program.seconds,
        "keep": KEPT_BYTES,
        "most": MOST_BYTES,
        "parent": os.getpid(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", str(_SUPERVISOR)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath},
        cwd="/",
        start_new_session=True,
    )
    try:
        return await _told(process, spec, program.seconds, stop)
    finally:
        if process.returncode is None:
            # Everything under it ends with it: its command was told to when it started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _told(
    process: asyncio.subprocess.Process, spec: Mapping[str, Any], seconds: float, stop: asyncio.Event
) -> Ended:
    answering = asyncio.create_task(_talk(process, spec))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait(
            {answering, stopping}, timeout=seconds + _PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        if not answering.done() and stop.is_set():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait({answering}, timeout=_PATIENCE)
        if not answering.done():
            return Ended("stopped" if stop.is_set() else "timeout")
        return answering.result()
    finally:
        for task in (answering, stopping):
            task.cancel()
        await asyncio.gather(answering, stopping, return_exceptions=True)


async def _talk(process: asyncio.subprocess.Process, spec: Mapping[str, Any]) -> Ended:
    assert process.stdin is not None  # noqa: S101 - for the type checker: both are pipes
    assert process.stdout is not None  # noqa: S101 - as above
    with contextlib.suppress(OSError):
        process.stdin.write(orjson.dumps(spec))
        await process.stdin.drain()
    process.stdin.close()
    said = await process.stdout.read(_MOST_ANSWERED)
    while more := await process.stdout.read(_MOST_ANSWERED):
        said = (said + more)[:_MOST_ANSWERED]
    try:
        found = orjson.loads(said)
    except orjson.JSONDecodeError:
        return Ended("lost", problem="its supervisor was ended")
    tail = base64.b64decode(found.pop("tail"))
    return Ended(**found, tail=tail)
