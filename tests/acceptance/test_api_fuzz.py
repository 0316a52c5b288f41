"""The API against its own description: nothing makes it fail, answer what is not declared, or tell a stranger.

Schemathesis makes the requests; it knows nothing of incidentd but its OpenAPI document.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from incidentd.config import Scope
from incidentd.web.op import Op
from incidentd.web.routes import OPS
from tests.acceptance.harness import ALICE, World, world

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)
"""Not `positive_data_acceptance`: what a schema allows may name an incident or a user that there is none of. Not
`negative_data_rejection`: a query may spell a number in more ways than a schema of numbers allows."""

EXAMPLES = "100" if os.environ.get("INCIDENTD_EXPLORE") else "6"
"""Requests for each operation of one kind; a hundred are 10,000 in all, and take minutes."""


async def fuzz(here: World, folder: Path, *more: str) -> Path:
    """Run it; what it sent and got. Fails with what it found."""
    har = folder / "requests.har"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{here.daemon.url}/api/v1/openapi.json",
        *("--checks", CHECKS, "--phases", "fuzzing", "--seed", "1", "--max-examples", EXAMPLES),
        *(
            "--exclude-path",
            "/api/v1/events",
            "--generation-database",
            "none",
            "--no-color",
            "--workers",
            "2",
        ),
        *("--report", "har", "--report-har-path", str(har), *more),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode(errors="replace")[-6000:]
    return har


def seen(har: Path) -> list[tuple[str, str, int]]:
    """What was asked, by method and path, and how it was answered."""
    entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"]
    return [
        (e["request"]["method"], urlsplit(e["request"]["url"]).path, e["response"]["status"]) for e in entries
    ]


def pattern(op: Op) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(op.path)))


async def test_with_every_right_nothing_fails_and_nothing_is_undeclared(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database) as here:
        har = await fuzz(here, tmp_path, "--header", f"Authorization: Bearer {ALICE}")
        asked = seen(har)
        assert len(asked) > 500
        assert not [each for each in asked if each[2] >= 500]


async def test_without_credentials_nobody_is_told_anything(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/incidentd.db"
    async with world(tmp_path, database) as here:
        asked = seen(
            await fuzz(
                here, tmp_path, "--include-path-regex", "^/(api/v1|webhooks|-|runbooks|metrics|health)"
            )
        )
        guarded = [(op.methods, pattern(op)) for op in OPS if isinstance(op.access, Scope)]
        found = {
            (method, path, status)
            for method, path, status in asked
            for methods, wanted in guarded
            if method in methods and wanted.fullmatch(path)
        }
        assert len(found) > 100
        # 404: a path that is no path at all, such as one with a slash in an id.
        assert {status for _, _, status in found} <= {401, 404}
