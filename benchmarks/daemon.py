"""Servers under test: each one a real process on a database file of its own, started and ended by `with`."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.load import TOKEN
from benchmarks.report import BenchError

ROOT = Path(__file__).parent.parent
_READY = re.compile(rb"http://127\.0\.0\.1:(\d+)")
_START_SECONDS = 60
_STOP_SECONDS = 30
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """One server process. Inside `with` it is up and takes posts on `port`."""

    def __init__(self, command: Sequence[str], folder: Path, database: Path) -> None:
        """`folder` keeps its output; `database` is the SQLite file it writes."""
        self.command = list(command)
        self.folder = folder
        self.database = database
        self.port = 0
        self.ready_seconds = 0.0
        """From the start of the process until it said that it takes posts."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # Files, not pipes: nobody has to read along while the clock runs.
        output, errors = self.folder / "stdout", self.folder / "stderr"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("INCIDENTD_")}
        environment["PYTHONPATH"] = str(ROOT)
        with output.open("wb") as out, errors.open("wb") as err:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                self.command, stdout=out, stderr=err, cwd=self.folder, env=environment
            )
        while not (ready := _READY.search(output.read_bytes())):
            if self._process.poll() is not None or time.perf_counter() - began > _START_SECONDS:
                self.kill()
                raise BenchError(f"the server did not start:\n{errors.read_text()[-2000:]}")
            time.sleep(0.002)
        self.ready_seconds = time.perf_counter() - began
        self.port = int(ready[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: what is not in the database by now is lost, which is what the check afterwards wants to know."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished its work."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def post(self, body: bytes) -> float:
        """Post one webhook body; seconds until the answer was read. Raises `BenchError` if that is not 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.connect()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            began = time.perf_counter()
            connection.request("POST", "/webhooks/alertmanager", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            seconds = time.perf_counter() - began
        if answer.status != 200:
            raise BenchError(f"answered {answer.status}: {text[:300]!r}")
        return seconds

    def memory_mb(self) -> tuple[float, float]:
        """Resident memory now and at its highest, in units of 1,000,000 bytes. Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        values = {
            key: int(kb) * 1024 / 1e6
            for key, kb in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", status, re.MULTILINE)
        }
        return values["VmRSS"], values["VmHWM"]

    def cpu_seconds(self) -> float:
        """Processor time used so far. Linux only."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def check_stored(database: Path, answered: Iterable[str]) -> int:
    """How many distinct alerts were answered 200, after looking that each of them is in `database`.

    Raises `BenchError` if one is missing: a fast intake that loses alerts has no speed worth telling.
    """
    wanted = set(answered)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        stored = {fingerprint for (fingerprint,) in connection.execute("SELECT fingerprint FROM alerts")}
    if missing := wanted - stored:
        raise BenchError(f"{len(missing)} of {len(wanted)} alerts that were answered 200 are not stored")
    return len(wanted)


def _folder(parent: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=parent))


def daemon(  # noqa: PLR0913 - each measurement changes one thing of the same daemon
    parent: Path,
    *,
    own_incidents: bool = False,
    channels: str = "{console: {kind: console}}",
    notify: str = "[console]",
    database: Path | None = None,
    more: str = "",
    sections: str = "",
    scopes: str = "[ingest]",
) -> Server:
    """The daemon as a team runs it, with a token and a fresh SQLite file below `parent`, or with `database`.

    `own_incidents`: every alert opens an incident of its own, instead of one per alertname, cluster and service.
    `more`: further sections, of which `escalation.bench` is everybody's policy. `sections`: others.
    """
    folder = _folder(parent)
    file = database or folder / "incidentd.db"
    by = "['...']" if own_incidents else "[alertname, cluster, service]"
    config = folder / "incidentd.yaml"
    config.write_text(
        "server: {log_level: warning}\n"
        f'database: {{url: "sqlite+aiosqlite:///{file}"}}\n'
        f"auth: {{tokens: [{{name: alertmanager, token: {TOKEN}, scopes: {scopes}}}]}}\n"
        "sources: {main: {heartbeats: []}}\n"
        f"grouping: {{by: {by}}}\n"
        f"channels: {channels}\n"
        f"route: {{notify: {notify}{', escalation: bench' if more else ''}}}\n"
        f"{more}{sections}"
        # Housekeeping must not clear away the past that a benchmark has made up.
        "retention: {incidents: 50y, deliveries: 50y}\n"
    )
    run = "from incidentd.cli.main import main; main()"
    return Server([sys.executable, "-c", run, "serve", "--config", str(config), "--port", "0"], folder, file)


def ceiling(parent: Path) -> Server:
    """The bare server of `benchmarks.ceiling`, with a fresh SQLite file below `parent`."""
    folder = _folder(parent)
    file = folder / "ceiling.db"
    return Server([sys.executable, "-m", "benchmarks.ceiling", str(file)], folder, file)
