"""A process of its own between the daemon and one command: it starts it within limits and ends all that comes of it.

Run as a script with nothing but the standard library: it reads what to do as JSON from standard input, and writes
what came of it as JSON to standard output. On Linux it adopts whatever the command leaves behind, so that nothing
gets away by forking twice or by a session of its own, and it ends everything if the daemon ends first. Between it and
the command stands a guard that adopts as well: whichever of the two a command kills, the other ends all of it.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

_GRACE = 1.0
"""Seconds between asking to end and ending."""
_LAST = 0.7
"""Seconds in which everything must be gone after that."""
_LOOK = 0.1
"""Seconds between two counts of its processes."""
_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_NOT_STARTED = 127


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _processes() -> dict[int, tuple[int, int, int, int]]:
    """Process -> parent, group, user and threads, of those not dead yet; empty where there is no /proc."""
    found: dict[int, tuple[int, int, int, int]] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - as below
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                path = f"/proc/{name}"
                with open(f"{path}/stat", "rb") as file:  # noqa: PTH123 - quick, and before pathlib is loaded
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] not in {b"Z", b"X"}:
                    owner = os.stat(path).st_uid  # noqa: PTH116 - as above
                    found[int(name)] = (int(fields[1]), int(fields[2]), owner, int(fields[17]))
    return found


def _descendants() -> dict[int, int]:
    """Process -> its group, of all that descend from this one."""
    known, ours = _processes(), {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, *_) in known.items() if parent in ours and pid not in ours}
        grown = bool(more)
        ours |= more
    return {pid: known[pid][1] for pid in ours - {os.getpid()}}


def _end(number: int, group: int = 0, spared: int = 0) -> bool:
    """Send the signal to `group` and everything below but `spared`, groups as a whole; False if nothing is there."""
    left = {pid: its for pid, its in _descendants().items() if pid != spared}
    for each in {group, *left.values()} - {0, os.getpgrp(), spared}:
        with contextlib.suppress(OSError):
            os.killpg(each, number)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    return bool(left)


def _bereft(*_: object) -> NoReturn:
    """The guard has lost the supervisor: all of the command ends, and then it."""
    deadline = time.monotonic() + _LAST
    while _end(signal.SIGKILL) and time.monotonic() < deadline:
        pass
    os._exit(_NOT_STARTED)


class Supervisor:
    """One command, from its start to the end of its last process."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self._output, self._into = os.pipe()
        self._failed, self._failing = os.pipe()  # closed by a start that went well
        self._awake, self._waking = os.pipe()
        self._tail = bytearray()
        self._total = 0
        self._why = "exited"
        self._status: int | None = None
        self._none_left = False
        self._child = 0

    def run(self) -> dict[str, Any]:
        """Start it, watch it, and say what came of it."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for end in (self._awake, self._waking, self._output):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._waking)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_why", "stopped"))
        if os.getppid() != self._spec["parent"]:
            self._why = "stopped"  # the daemon went before it could be told of
            return self._report("")
        us, self._child = os.getpid(), os.fork()
        if self._child == 0:
            self._guard(us) if _LINUX else self._become()
        os.close(self._into)
        os.close(self._failing)
        problem = os.read(self._failed, 500).decode(errors="replace")
        if problem:
            self._why = "not_started"
        self._watch(time.monotonic() + self._spec["timeout"])
        self._end_all()
        while self._take() and self._total <= self._spec["most"]:
            pass
        return self._report(problem)

    # -- between it and us ------------------------------------------------------------------------------------
    def _guard(self, above: int) -> NoReturn:
        """Be the command's parent, and end as it does. If we above are ended, end all of it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, _bereft)
        os.setsid()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != above:
            _bereft()
        try:
            command = os.fork()
        except OSError as error:
            os.write(self._failing, str(error).encode())
            os._exit(_NOT_STARTED)
        if command == 0:
            self._become()
        for end in (self._into, self._failing, 0, 1):
            os.close(end)
        while (found := os.wait())[0] != command:
            pass
        status = os.waitstatus_to_exitcode(found[1])
        if status < 0:
            with contextlib.suppress(OSError):  # SIGKILL has no other handling
                signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
        os._exit(status)

    # -- the command itself -----------------------------------------------------------------------------------
    def _become(self) -> NoReturn:
        try:
            os.setsid()
            self._limit()
            if self._spec["uid"] is not None:
                os.setgroups([])
                os.setresgid(*[self._spec["gid"]] * 3)
                os.setresuid(*[self._spec["uid"]] * 3)
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for old, new in ((nothing, 0), (self._into, 1), (self._into, 2)):
                os.dup2(old, new)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.umask(0o077)
            os.chdir(self._spec["folder"])
            os.closerange(3, self._failing)
            os.closerange(self._failing + 1, 4096)
            os.execve(self._spec["argv"][0], self._spec["argv"], self._spec["env"])  # noqa: S606 - no shell: that is the point
        except BaseException as error:  # noqa: BLE001 - whatever it was, this copy of us must end here
            os.write(self._failing, str(error).encode(errors="replace")[:400] or b"unknown")
        os._exit(_NOT_STARTED)

    def _limit(self) -> None:
        limits = self._spec["limits"]
        uid = self._spec["uid"] if self._spec["uid"] is not None else os.getuid()
        # The system counts processes for each user, so those that it has already are let through.
        own = sum(threads for _, _, user, threads in _processes().values() if user == uid)
        for kind, most in (
            (resource.RLIMIT_CPU, limits["cpu"]),
            (resource.RLIMIT_AS, limits["memory"]),
            (resource.RLIMIT_NOFILE, limits["files"]),
            (resource.RLIMIT_FSIZE, limits["file_size"]),
            (resource.RLIMIT_NPROC, own + limits["processes"]),
        ):
            hard = resource.getrlimit(kind)[1]
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (allowed, allowed))

    # -- watching it ------------------------------------------------------------------------------------------
    def _watch(self, deadline: float) -> None:
        """Return when it has ended, or must."""
        looked = 0.0
        while self._why == "exited" and not self._reaped():
            now = time.monotonic()
            if now >= deadline:
                self._why = "timeout"
            elif now - looked >= _LOOK:
                looked = now
                if len(_descendants()) - 1 > self._spec["limits"]["processes"]:
                    self._why = "processes"
            self._read(min(deadline - now, _LOOK))

    def _read(self, seconds: float) -> None:
        ready, _, _ = select.select([self._output, self._awake], [], [], max(seconds, 0))
        if self._awake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._awake, 4096)
        if self._output in ready and not self._take():
            # Nobody holds the other end any more: only its end is left to wait for.
            select.select([self._awake], [], [], max(min(seconds, 0.02), 0))

    def _take(self) -> int:
        try:
            piece = os.read(self._output, 65536)
        except BlockingIOError:
            return 0
        keep = self._spec["keep"]
        self._total += len(piece)
        self._tail += piece
        if len(self._tail) > 4 * keep:
            del self._tail[:-keep]
        if self._total > self._spec["most"] and self._why == "exited":
            self._why = "flood"
        return len(piece)

    def _reaped(self) -> bool:
        """Collect who has ended; True if the command itself has."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._child:
                    self._status = status
        except ChildProcessError:
            self._none_left = True
        return self._status is not None

    # -- ending it --------------------------------------------------------------------------------------------
    def _end_all(self) -> None:
        guard, group = (self._child, 0) if _LINUX else (0, self._child)
        if self._status is None:
            _end(signal.SIGTERM, group, spared=guard)
            self._until_gone(time.monotonic() + _GRACE)
        deadline = time.monotonic() + _LAST
        # Again and again: what forks while it is looked for is found by the next look.
        while self._left() and time.monotonic() < deadline:
            _end(signal.SIGKILL, group)
            self._until_gone(min(deadline, time.monotonic() + 0.05))
        self._reaped()

    def _until_gone(self, deadline: float) -> None:
        while self._left() and time.monotonic() < deadline:
            self._read(0.02)

    def _left(self) -> bool:
        # Whoever loses its parent becomes our child, so without children nothing is left; /proc could miss one that
        # loses it while we look.
        self._reaped()
        return not self._none_left

    def _report(self, problem: str) -> dict[str, Any]:
        status = None if self._status is None else os.waitstatus_to_exitcode(self._status)
        return {
            "why": self._why,
            "code": status if status is not None and status >= 0 else None,
            "signal": -status if status is not None and status < 0 else None,
            "problem": problem,
            "total": self._total,
            "tail": base64.b64encode(bytes(self._tail[-self._spec["keep"] :])).decode(),
        }


def main() -> None:
    """Do what standard input says."""
    spec = json.loads(sys.stdin.buffer.read())
    try:
        sys.stdout.write(json.dumps(Supervisor(spec).run()))
        # First what came of it: much that a command left behind must not cost its result.
        sys.stdout.close()
    finally:
        # Here and not by the daemon alone, which may be gone.
        shutil.rmtree(spec["folder"], ignore_errors=True)


if __name__ == "__main__":
    main()
