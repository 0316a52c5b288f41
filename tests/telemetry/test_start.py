"""Telemetry begins with what is configured, and with nothing else."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
import structlog.testing

from incidentd import __version__
from incidentd.config import Config, Database
from incidentd.config.telemetry import need
from incidentd.lifecycle import StartError
from incidentd.restart_needed import with_kept
from incidentd.telemetry.start import Running
from tests.acceptance.process import ROOT, environment

SLOW = ("opentelemetry", "sentry_sdk", "requests", "urllib3", "google.protobuf")


def configured(**telemetry: Any) -> Config:
    return Config.model_validate({"telemetry": telemetry})


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_imported_that_nobody_asked_for() -> None:
    """Neither is needed then: the extras may be missing."""
    code = (
        "import sys\n"
        "for name in ('opentelemetry', 'sentry_sdk'): sys.modules[name] = None\n"
        "import incidentd.app, incidentd.cli.serve\n"
        "from incidentd.telemetry.start import Running, catch_the_rest\n"
        "from incidentd.config import Config\n"
        "Running(Config()); catch_the_rest()\n"
        "print(sorted(name for name, module in sys.modules.items() if module))"
    )
    loaded = run(code)
    assert [name for name in SLOW if re.search(rf"'{re.escape(name)}[.']", loaded)] == []


@pytest.mark.parametrize(
    ("section", "module", "extra"),
    [
        ({"traces": {"endpoint": "http://127.0.0.1:4318"}}, "opentelemetry", "otel"),
        ({"sentry": {"dsn": "https://key@sentry.example.com/1"}}, "sentry_sdk", "sentry"),
    ],
)
def test_a_missing_extra_is_said_with_how_to_get_it(section: dict[str, Any], module: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from incidentd.config import Telemetry\n"
        f"try: Telemetry.model_validate({section!r})\n"
        "except Exception as error: print(error)"
    )
    said = run(code)
    assert next(iter(section)) in said
    assert f"needs an extra: pip install 'incidentd[{extra}]', or leave this section out" in said
    with pytest.raises(ValueError, match="needs an extra"):
        need("no_such_package.part", "x")


async def test_the_file_takes_what_the_stream_takes_with_service_version_and_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logs" / "incidentd.log"
    running = Running(configured(environment="test", service="pager", log_file={"path": str(file)}))
    structlog.get_logger().warning("by_us", incident=12)
    logging.getLogger("library").critical("by a library")
    assert [carrier.trouble for carrier in running.carriers()] == [""]
    await running.close()
    said = capsys.readouterr()
    assert (said.out, said.err) == (file.read_text(), "")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("warn", "by_us"),
        ("error", "by a library"),
    ]
    for line in lines:
        assert (line["service"], line["version"], line["environment"]) == ("pager", __version__, "test")


async def test_the_log_can_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    await Running(configured(log_output="stderr")).close()
    structlog.get_logger().info("said")
    said = capsys.readouterr()
    assert said.out == ""
    assert "environment" not in json.loads(said.err)


def test_a_log_file_that_cannot_be_written_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StartError, match=r"telemetry\.log_file\.path: cannot write .*: let the daemon's user"
    ):
        Running(configured(log_file={"path": str(tmp_path / "file" / "x.log")}))


async def test_all_of_it_starts_and_ends_even_if_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    running = Running(
        configured(
            traces={"endpoint": "http://127.0.0.1:1"}, sentry={"dsn": "http://canary-key@127.0.0.1:1/42"}
        )
    )
    assert running.telemetry.tracer is not None
    assert {carrier.name for carrier in running.telemetry.carriers()} == {"traces", "sentry"}
    structlog.get_logger().error("it failed")
    async with asyncio.timeout(8):
        await running.close()
    assert "canary" not in capsys.readouterr().out


def test_what_needs_a_restart_stays_and_is_named() -> None:
    running = configured(environment="test")
    running = running.model_copy(update={"server": running.server.at("0.0.0.0", 9000)})
    with structlog.testing.capture_logs() as said:
        kept = with_kept(running, configured(environment="test"))
    assert (said, kept.server.port) == ([], 9000)
    changed = configured(environment="other").model_copy(
        update={"database": Database(url="sqlite+aiosqlite:///x")}
    )
    with structlog.testing.capture_logs() as said:
        kept = with_kept(running, changed)
    assert said == [
        {"event": "config_needs_restart", "sections": ["database", "telemetry"], "log_level": "warning"}
    ]
    assert (kept.telemetry, kept.database, kept.server) == (
        running.telemetry,
        running.database,
        running.server,
    )
