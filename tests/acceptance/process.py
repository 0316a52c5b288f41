"""incidentd as a process of its own: started, killed, stopped and started again like a real one."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance import nursery
from tests.acceptance.client import Client

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = "from incidentd.cli.main import main; main()"
_READY = re.compile(r"accepts alerts on (http://\S+)")
_START_SECONDS = 30


def command(*arguments: str) -> list[str]:
    """The command line of `incidentd ARGUMENTS` with this interpreter, whether or not it is installed."""
    return [sys.executable, "-c", _COMMAND, *arguments]


def environment() -> dict[str, str]:
    """Our own environment, in which the package is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


class Process:
    """One daemon. After the first start it keeps its port, so that senders find it again."""

    def __init__(self, config: Path, name: str = "incidentd") -> None:
        self.config = config
        self.log = config.with_name(f"{name}.log")
        """Its log and its standard error: every line of every life."""
        self.console: list[str] = []
        """Its standard output without the log, line by line."""
        self.url = ""
        self._port = 0
        self._process: nursery.Child | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int:
        """Of the life that runs now."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Return when it says that it accepts alerts; AssertionError with its log if it does not."""
        self._ready.clear()
        arguments = ("serve", "--config", str(self.config), "--port", str(self._port))
        with self.log.open("ab") as log:
            self._process = await nursery.start(arguments, self.config.parent, environment(), log)
        self._reader = asyncio.create_task(self._read(self._process))
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait(
            {waiting, self._reader}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not waiting.done():
            waiting.cancel()
            await self.kill9()
            raise AssertionError(f"incidentd did not start:\n{self.tail()}")

    async def _read(self, process: nursery.Child) -> None:
        async for raw in process.stdout:
            line = raw.decode().rstrip("\n")
            if line.startswith("{"):
                with self.log.open("ab") as log:
                    log.write(raw)
                continue
            self.console.append(line)
            if found := _READY.search(line):
                self.url = found[1]
                self._port = int(self.url.rpartition(":")[2])
                self._ready.set()

    async def kill9(self) -> None:
        """End it at once, as a power cut of the machine would end the process."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal and wait for the end; the exit status. TimeoutError if it does not end."""
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(seconds):
            status = await self._process.wait()
            await self._reader
        return status

    @property
    def running(self) -> bool:
        """True from a start to the next end."""
        return self._process is not None and self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def cleanup(self) -> None:
        """Make sure that nothing stays behind."""
        if self._process is not None:
            await self.kill9()


@asynccontextmanager
async def running(config: Path, name: str = "incidentd") -> AsyncIterator[Process]:
    """A started daemon, gone at the end."""
    process = Process(config, name)
    try:
        await process.start()
        yield process
    finally:
        await process.cleanup()


@asynccontextmanager
async def client_of(process: Process, token: str = "") -> AsyncIterator[Client]:
    """A client of a running daemon."""
    client = Client(process.url, token)
    try:
        yield client
    finally:
        await client.close()


async def run(*arguments: str, cwd: Path, seconds: float = 30) -> tuple[int, str]:
    """Run `incidentd ARGUMENTS` to its end: exit status, and standard output and error together."""
    process = await nursery.start(arguments, cwd, environment(), None)
    try:
        async with asyncio.timeout(seconds):
            said = await process.stdout.read()
            status = await process.wait()
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        said = await process.stdout.read()
        raise AssertionError(f"it did not end by itself:\n{said.decode()}") from None
    return status, said.decode()
