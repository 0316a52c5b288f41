"""Running one program under the supervisor: within its limits, and gone with all that it began when it must be."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import functools
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
_PR_SET_DUMPABLE = 4


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
        raise NoUserError(
            f"automation.user is {user}, and only a daemon that runs as root can run commands as somebody else:"
            " start it as root, or leave automation.user out and they run as the daemon's own user"
        )
    return found.pw_uid, found.pw_gid


@functools.cache
def hide_from_own_user() -> None:
    """Keep programs of our own user out of our memory and environment from now on; no core is dumped either.

    Linux gives /proc/PID/environ, mem and fd of such a process to root alone, and lets nobody else trace it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


async def run(program: Program, stop: asyncio.Event) -> Ended:
    """Run it to its end, within its seconds and 2 more; sooner if `stop` is set. Raises `NoUserError`, OSError."""
    owner = owner_of(program.user)
    if owner is None:
        hide_from_own_user()
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
        ended = await _told(process, spec, program.seconds, stop)
        if ended.why == "lost":
            await asyncio.to_thread(_sweep, folder)
        return ended
    finally:
        if process.returncode is None:
            # Its guard, which is in a session of its own, then ends everything under it.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _sweep(folder: str) -> None:
    """End what is left of a command that has ended its supervisor, and perhaps the guard too: known by its folder."""
    mark, passes = f"TMPDIR={folder}".encode(), 5
    # Again, for what was begun while we looked.
    while passes and (left := [pid for pid in _numbers() if _of(pid, mark, folder)]):
        passes -= 1
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _numbers() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return []


def _of(pid: int, mark: bytes, folder: str) -> bool:
    with contextlib.suppress(OSError):  # it is gone, or nobody's that is ours
        there = Path(f"/proc/{pid}")
        return mark in (there / "environ").read_bytes().split(b"\0") or str(
            (there / "cwd").readlink()
        ).startswith(folder)
    return False


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
        ended = answering.result()
        # It may not have been far enough yet to be told to stop, and just ended.
        return Ended("stopped") if ended.why == "lost" and stop.is_set() else ended
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
