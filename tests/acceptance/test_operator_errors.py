"""What an operator does wrong: each is refused at once, with what is wrong, where, and what to do about it."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.bodies import recorded
from tests.acceptance.client import ALERTS
from tests.acceptance.harness import ALICE, TOKENS, write
from tests.acceptance.process import Process, client_of, run, running
from tests.acceptance.waiting import until

SECRET = "hunter2-hunter2-hunter2"


def plain(folder: Path, **sections: Any) -> Path:
    """A small good configuration, with these sections replaced."""
    whole = {
        "server": {"port": 0},
        "database": {"url": f"sqlite+aiosqlite:///{folder}/incidentd.db"},
        **sections,
    }
    return write(folder / "incidentd.yaml", whole)


async def refused(file: Path, *options: str) -> str:
    """Start with this file; what it said when it refused."""
    status, said = await run("serve", "--config", str(file), *options, cwd=file.parent)
    assert status == 1, said
    assert "Traceback" not in said
    assert "accepts alerts" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"sever": {}}, ["sever:", "server"]),
        ({"server": {"port": 70_000}}, ["server.port:", "65535"]),
        ({"route": {"notify": ["pagerdty"]}}, ["route.notify", "pagerdty", "console"]),
        ({"route": {"routes": [{"matchers": ["severity=~'('"]}]}}, ["route.routes.0.matchers.0:"]),
        (
            {"channels": {"chat": {"kind": "slak"}}},
            ["channels.chat.kind:", 'did you mean "slack"?', "webhook"],
        ),
        ({"channels": {"pd": {"kind": "pagerduty"}}}, ["channels.pd", "routing_key"]),
        ({"database": {"url": f"mysql://root:{SECRET}@db/x"}}, ["database.url:", "postgresql+asyncpg://"]),
        ({"grouping": {"reopen_window": "10 minutes"}}, ["grouping.reopen_window:", "1h30m"]),
        (
            {"auth": {"tokens": [{"name": "am", "token": "${NOT_SET_ANYWHERE}", "scopes": ["ingest"]}]}},
            ["auth.tokens.0.token:", "NOT_SET_ANYWHERE"],
        ),
        (
            {"auth": {"tokens": [{"name": "am", "token": {"file": "no/such/file"}, "scopes": ["ingest"]}]}},
            ["auth.tokens.0.token:", "no/such/file"],
        ),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, dict) else "",
)
async def test_a_bad_configuration_is_refused_with_the_place_and_what_is_accepted(
    tmp_path: Path, sections: dict[str, Any], words: list[str]
) -> None:
    said = await refused(plain(tmp_path, **sections))
    for word in words:
        assert word in said
    # check-config says the same without starting anything.
    status, checked = await run("check-config", str(tmp_path / "incidentd.yaml"), cwd=tmp_path)
    assert (status, checked) == (1, said)
    assert not (tmp_path / "incidentd.db").exists()


async def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    said = await refused(plain(tmp_path, server={"prot": 1, "log_level": "loud"}, retention={"incidents": 3}))
    for place in ("server.prot:", "server.log_level:", "retention.incidents:"):
        assert place in said


async def test_text_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text("server:\n  port: 0\n bad indent: [\n", encoding="utf-8")
    assert "incidentd.yaml:3" in await refused(file)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    said = await refused(tmp_path / "absent.yaml")
    assert "absent.yaml" in said


async def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = await refused(plain(tmp_path), "--port", str(port))
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


async def test_two_daemons_on_one_database_file_are_refused_with_the_others_number(tmp_path: Path) -> None:
    file = plain(tmp_path)
    async with running(file) as daemon:
        said = await refused(file)
        assert str(daemon.pid) in said
        assert "database.url" in said
        async with client_of(daemon) as client:
            assert (await client.call("GET", "/health/ready")).status == 200


def sealed(folder: Path) -> Path:
    """A folder in which we cannot make files. Root can everywhere but in the kernel's own."""
    if os.geteuid() == 0:
        return Path("/sys")
    inside = folder / "sealed"
    inside.mkdir(mode=0o500)
    return inside


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    said = await refused(plain(tmp_path, database={"url": f"sqlite+aiosqlite:///{folder}/incidentd.db"}))
    assert f"{folder}/incidentd.db" in said
    assert "database.url" in said


async def test_a_database_below_something_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite+aiosqlite:///{tmp_path}/file/incidentd.db"
    said = await refused(plain(tmp_path, database={"url": url}))
    assert str(tmp_path / "file") in said
    assert "database.url" in said


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.db"
    file.write_bytes(b"a letter to my grandmother\n" * 100)
    said = await refused(plain(tmp_path))
    assert str(file) in said
    assert "database.url" in said
    assert file.read_bytes().startswith(b"a letter")


async def test_a_postgresql_that_does_not_answer_is_said_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://incidentd:{SECRET}@127.0.0.1:9/incidentd"
    said = await refused(plain(tmp_path, database={"url": url}))
    assert "127.0.0.1:9" in said
    assert "Connect call failed" in said


async def test_serving_others_without_tokens_is_refused_with_a_way_out(tmp_path: Path) -> None:
    said = await refused(plain(tmp_path), "--host", "0.0.0.0")
    for word in ("0.0.0.0", "auth.tokens", "incidentd token create", "127.0.0.1"):
        assert word in said


async def test_without_tokens_no_web_page_and_no_proxy_can_act(tmp_path: Path) -> None:
    async with running(plain(tmp_path)) as daemon, client_of(daemon) as client:
        body = recorded("single_firing")
        await until(lambda: "no API token" in daemon.tail(), "the warning")
        for headers in (
            {"Host": "rebound.example.com"},
            {"Origin": "https://evil.example.com"},
            {"Sec-Fetch-Site": "cross-site"},
            {"X-Forwarded-For": "203.0.113.7"},
        ):
            answer = await client.call("POST", ALERTS, body, {"Content-Type": "application/json", **headers})
            assert answer.status == 403, headers
            assert "auth.tokens" in answer.text or "cross-site" in answer.text
        assert await client.incidents() == []
        answer = await client.post(body)
        assert answer.status == 200, answer.text
        assert len(await client.incidents()) == 1


BAD_EDITS = {
    "no yaml": "server: [",
    "unknown channel": json.dumps({"route": {"notify": ["nobody"]}}),
    "missing secret file": json.dumps(
        {"channels": {"chat": {"kind": "slack", "token": {"file": "gone"}, "channel": "C1"}}}
    ),
}


@pytest.mark.parametrize("edit", BAD_EDITS)
async def test_a_bad_reload_is_refused_and_the_running_configuration_stays(tmp_path: Path, edit: str) -> None:
    file = plain(tmp_path, auth={"tokens": TOKENS})
    async with running(file) as daemon, client_of(daemon, ALICE) as client:
        file.write_text(BAD_EDITS[edit], encoding="utf-8")
        daemon.signal(signal.SIGHUP)
        await until(lambda: "config_refused" in daemon.tail(), "the reload to be refused")
        answer = await client.call("POST", "/-/reload")
        assert 400 <= answer.status < 500, answer.text
        assert await client.metric("incidentd_config_reloads_total", outcome="refused") == 2
        accepted = await client.post(recorded("single_firing"))
        assert accepted.status == 200, "the old token holds"
        await until(lambda: told(daemon), "the old channel to be used")


async def test_a_good_reload_takes_effect(tmp_path: Path) -> None:
    file = plain(tmp_path, auth={"tokens": TOKENS}, route={"notify": []})
    async with running(file) as daemon, client_of(daemon, ALICE) as client:
        await client.post(recorded("single_firing"))
        plain(tmp_path, auth={"tokens": TOKENS}, route={"notify": ["console"]})
        daemon.signal(signal.SIGHUP)
        await until(lambda: "config_reloaded" in daemon.tail(), "the reload")
        assert not told(daemon), "who is told of an incident was settled when it opened"
        await client.post(recorded("prom_critical_firing"))
        await until(lambda: told(daemon), "the new route to be used")


def told(daemon: Process) -> bool:
    """True if the console channel spoke."""
    return any(" TRIGGERED " in line for line in daemon.console)
