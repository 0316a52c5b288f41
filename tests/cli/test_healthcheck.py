"""`incidentd healthcheck` finds the daemon by the configuration that the daemon runs with."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli.main import main


class Ready(http.server.BaseHTTPRequestHandler):
    """A daemon that is ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a daemon on 127.0.0.1."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path, port: int) -> Path:
    """A configuration whose secrets are not to be had here."""
    path = tmp_path / "incidentd.yaml"
    path.write_text(
        f"server: {{host: 0.0.0.0, port: {port}}}\n"
        'auth: {tokens: [{name: a, token: "${NOT_SET_HERE}", scopes: [read]}]}\n',
        encoding="utf-8",
    )
    return path


def check(*args: str, **env: str) -> Result:
    given = {"INCIDENTD_URL": None, "INCIDENTD_CONFIG": None} | env
    return CliRunner().invoke(main, ["healthcheck", *args], env=given)


def test_the_address_is_the_configurations_and_its_secrets_are_not_needed(file: Path) -> None:
    for result in (check("--config", str(file)), check(INCIDENTD_CONFIG=str(file))):
        assert (result.exit_code, result.output) == (0, "ready (200)\n")


def test_a_given_address_comes_before_the_configuration(file: Path, port: int) -> None:
    file.write_text("server: {port: 1}\n", encoding="utf-8")
    there = f"http://127.0.0.1:{port}"
    assert check("--config", str(file), INCIDENTD_URL=there).exit_code == 0
    assert check("--url", there, INCIDENTD_CONFIG=str(file)).exit_code == 0
    assert check("--config", str(file)).exit_code == 1


def test_without_any_file_the_default_address_is_asked(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        result = check()
    assert "http://127.0.0.1:8650" in result.output or result.exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server: {port: 0}", "only the daemon knows its port"),
        ("server: {port: many}", "server.port is wrong"),
        ("server: [", "is not YAML"),
        ("- a", "is not a mapping"),
    ],
)
def test_a_configuration_without_an_address_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "incidentd.yaml"
    path.write_text(f"{text}\n", encoding="utf-8")
    result = check("--config", str(path))
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    result = check("--config", str(tmp_path / "missing.yaml"))
    assert result.exit_code == 1
    assert "cannot be read" in result.output
