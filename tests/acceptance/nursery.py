"""Processes of incidentd by fork: one has imported everything, and each of its children is `incidentd ARGUMENTS`.

Importing takes a second of a core, and the suite starts some hundred daemons. A child differs from a program that was
started by a shell in nothing else: it has a memory, files and signals of its own, and it ends as any process does.
Other tests start the installed program itself.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
_LARGEST = 1 << 20


@cache
def _orders() -> socket.socket:
    """Where this process tells its nursery what to start. The nursery ends with us, and ends its children."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.nursery", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    atexit.register(nursery.wait)
    atexit.register(ours.close)
    return ours


class Child:
    """A process of incidentd; what tests use of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, told: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        """None while it runs; minus the number of the signal that ended it."""
        self._end = asyncio.create_task(self._ended(told))

    async def _ended(self, told: asyncio.StreamReader) -> int:
        # To its end, for that closes the pipe.
        self.returncode = int(await told.read())
        return self.returncode

    async def wait(self) -> int:
        """How it ended."""
        return await asyncio.shield(self._end)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def start(
    arguments: tuple[str, ...], cwd: Path, env: dict[str, str], stderr: IO[bytes] | None
) -> Child:
    """Start `incidentd ARGUMENTS`. Without `stderr` its errors go to its standard output."""
    order = json.dumps({"argv": ["incidentd", *arguments], "cwd": str(cwd), "env": env}).encode()
    out, out_end = os.pipe()
    told, told_end = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    errors = out_end if stderr is None else stderr.fileno()
    socket.send_fds(_orders(), [order], [nothing, out_end, errors, told_end])
    for fd in (nothing, out_end, told_end):
        os.close(fd)
    reader = await _reader(told)
    return Child(int(await reader.readline()), await _reader(out), reader)


async def _reader(fd: int) -> asyncio.StreamReader:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=_LARGEST)
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    return reader


def _import_everything() -> None:
    package = importlib.import_module("incidentd")
    for module in pkgutil.walk_packages(package.__path__, "incidentd."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for module_name in ("sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.dialects.postgresql.asyncpg"):
        importlib.import_module(module_name)
    # Children share what is never looked at by the collector.
    gc.freeze()


def _nurse(orders: socket.socket) -> None:
    """Start what is ordered, until there is nobody to order; return in each child, with its order in force."""
    woken, wake = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    children: dict[int, int] = {}
    selector = selectors.DefaultSelector()
    selector.register(orders, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if woken in ready:
            woken.recv(4096)
            _bury(children)
        if orders not in ready:
            continue
        order, fds, _, _ = socket.recv_fds(orders, _LARGEST, 4)
        if not order:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            sys.exit()
        pid = os.fork()
        if pid == 0:
            _become(json.loads(order), fds)
            return
        os.write(fds[3], f"{pid}\n".encode())
        for fd in fds[:3]:
            os.close(fd)
        children[pid] = fds[3]


def _bury(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        told = children.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(told)


def _become(order: dict[str, Any], fds: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
    os.closerange(3, max(fds) + 64)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.argv = order["argv"]


if __name__ == "__main__":
    _import_everything()
    _nurse(socket.socket(fileno=int(sys.argv[1])))
    from incidentd.cli.main import main

    # Not inside the loop above: it ends as a program does, with all that Python does at the end.
    main()
