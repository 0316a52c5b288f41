"""A backup made as docs/operations.md says, of a daemon at work, is whole, and another daemon goes on with it."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.bodies import alert, webhook
from tests.acceptance.client import Client
from tests.acceptance.harness import write
from tests.acceptance.process import Process, client_of, run, running
from tests.shape import ROOT

DOCUMENT = ROOT / "docs/operations.md"


def config(folder: Path, database: Path) -> Path:
    return write(
        folder / f"{database.stem}.yaml",
        {
            "server": {"port": 0},
            "database": {"url": f"sqlite+aiosqlite:///{database}"},
            "channels": {"console": {"kind": "console"}},
        },
    )


def documented(folder: Path) -> list[str]:
    """The command of the document, about the files of this test."""
    [line] = re.findall(r"^python3 -c .*VACUUM INTO.*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    _, *arguments = shlex.split(line.replace("/data/", f"{folder}/"))
    return [sys.executable, *arguments]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Process]:
    async with running(config(tmp_path, tmp_path / "incidentd.db")) as process:
        yield process


async def known(client: Client) -> list[tuple[int, str, str]]:
    return [(each["id"], each["title"], each["state"]) for each in await client.incidents()]


async def test_a_backup_of_a_daemon_at_work_is_whole_and_another_goes_on_with_it(
    daemon: Process, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    async with client_of(daemon) as client:
        body = webhook(alert("ShopDown", now, service="shop"), alert("DiskFull", now, service="host"))
        assert (await client.post(body)).status == 200
        await client.act("incidents/1/acknowledge")
        before = await known(client)
        await asyncio.to_thread(subprocess.run, documented(tmp_path), timeout=30, check=True)
        # What comes after it is not in it.
        assert (await client.post(webhook(alert("Later", now, service="shop")))).status == 200
    await daemon.end()
    restored = config(tmp_path, tmp_path / "backup.db")
    assert await run("check-database", "--config", str(restored), cwd=tmp_path) == (
        0,
        f"{tmp_path}/backup.db: no damage found\n",
    )
    async with running(restored, "restored") as other, client_of(other) as client:
        assert len(before) == 2
        assert await known(client) == before
        assert (await client.post(webhook(alert("ShopDown", now, now, service="shop")))).status == 200
        assert ("resolved" in {state for _, _, state in await known(client)}) is True
