"""incidentd passes its own suite, a kill included, and the score in the README is what the command prints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.acceptance.harness import write
from tests.acceptance.process import ROOT, Process, run
from tests.acceptance.waiting import until

TOKEN = "token-of-the-conformance-run-0123456789"
SECONDS = 240


def note(daemon: Process, pid: Path) -> None:
    """Write down which process it is now."""
    pid.write_text(str(daemon.pid))


async def keep_running(daemon: Process, pid: Path) -> None:
    """As systemd would: whenever it ends, start it again."""
    while True:
        note(daemon, pid)
        await until(lambda: not daemon.running, "its end", SECONDS)
        await daemon.start()


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[tuple[Process, Path]]:
    """A daemon in a process of its own that comes back, and the file with its process id."""
    scopes = ["ingest", "read", "respond"]
    config = {
        "server": {"port": 0},
        "database": {"url": f"sqlite+aiosqlite:///{folder}/incidentd.db"},
        "auth": {"tokens": [{"name": "conformance", "token": TOKEN, "scopes": scopes}]},
        "channels": {"console": {"kind": "console"}},
        "route": {"notify": ["console"]},
    }
    daemon = Process(write(folder / "incidentd.yaml", config))
    await daemon.start()
    keeper = asyncio.create_task(keep_running(daemon, folder / "pid"))
    try:
        yield daemon, folder / "pid"
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await daemon.cleanup()


async def test_the_score_in_the_readme_is_what_the_command_prints(tmp_path: Path) -> None:
    """To mend it: put what it prints between the markers of README.md."""
    (tmp_path / "token").write_text(TOKEN)
    async with supervised(tmp_path) as (daemon, pid):
        # The file may name the life before for a moment: then there is nothing to kill yet.
        kill = f"until kill -9 $(cat {pid}) 2>/dev/null; do sleep 0.05; done"
        options = ["--token-file", str(tmp_path / "token"), "--restart-command", kill, "--markdown"]
        status, said = await run(
            "conformance", "--target", daemon.url, *options, cwd=tmp_path, seconds=SECONDS
        )
    assert status == 0, said
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.partition("<!-- conformance -->\n")[2].partition("<!-- /conformance -->")[0] == said
