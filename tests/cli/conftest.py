"""The fake daemon, an isolated environment, and two ways to run the CLI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.ctl import cli
from incidentd.cli.ctl_common import Session
from tests.cli.fake_server import FakeServer, ServerThread, incident

NOW = datetime(2026, 11, 21, 8, 4, tzinfo=UTC)
Run = Callable[..., Result]
Spawn = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A daemon that knows INC-12."""
    fake = FakeServer(incidents={12: incident()})
    thread = ServerThread(fake)
    thread.start()
    yield fake
    thread.stop()


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment without the developer's own settings, in UTC."""
    for name in list(os.environ):
        if name.startswith("INCIDENTD_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    ours = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "USER": "alice", "TZ": "UTC"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    return ours


@pytest.fixture
def run(server: FakeServer, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the CLI in this process against the fake daemon; time stands at NOW, waiting takes no time."""
    monkeypatch.setenv("INCIDENTD_URL", server.url)

    def invoke(*args: str, stdin: str | None = None, extra: dict[str, str] | None = None) -> Result:
        elapsed = [0.0]

        def sleep(seconds: float) -> None:
            elapsed[0] += seconds

        session = Session(sleep=sleep, monotonic=lambda: elapsed[0], now=lambda: NOW)
        return CliRunner(env=extra).invoke(cli, args, obj=session, input=stdin)

    return invoke


@pytest.fixture
def spawn(server: FakeServer, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Spawn:
    """Run the CLI as a process of its own."""
    monkeypatch.setenv("INCIDENTD_URL", server.url)

    def start(*args: str, command: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        program = ["-c", command] if command else ["-m", "incidentd.cli.ctl", *args]
        return subprocess.run(
            [sys.executable, *program],
            env=os.environ | extra,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return start
