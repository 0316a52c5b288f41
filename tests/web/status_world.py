"""A server with a status page whose clockwork the test runs by hand, and the documents' schemas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from incidentd.jobs.status_pages import StatusPages
from tests.web.conftest import Daemon

SCHEMAS = Path(__file__).parent.parent / "data" / "statuspage"
DOCUMENTS = {
    "summary": "summary.json",
    "status": "status.json",
    "components": "components.json",
    "incidents": "incidents.json",
    "incidents-unresolved": "incidents/unresolved.json",
    "scheduled-maintenances": "scheduled-maintenances.json",
    "scheduled-maintenances-upcoming": "scheduled-maintenances/upcoming.json",
    "scheduled-maintenances-active": "scheduled-maintenances/active.json",
}
PUBLIC = "/api/v1/status/publications"


@cache
def validator(name: str) -> Draft202012Validator:
    """Of one document."""
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))


def faults(name: str, document: Any) -> list[str]:
    """Where a document differs from its schema."""
    return [
        f"{name} {list(e.absolute_path)}: {e.message[:200]}" for e in validator(name).iter_errors(document)
    ]


def jobs(daemon: Daemon) -> StatusPages:
    """The page's clockwork of this server."""

    def changed(changes: Any) -> None:
        daemon.context.changed(changes)
        daemon.context.noted.ring()

    context = daemon.context
    return StatusPages(context.store, context.clock, lambda: context.rules, changed, lambda: False)


async def look(daemon: Daemon) -> None:
    """Let the clockwork look once."""
    await jobs(daemon).look()
    await jobs(daemon).count()


async def summary(daemon: Daemon, wanted: Callable[[Any], object] = bool) -> Any:
    """The summary once it is as `wanted`, at most five seconds later."""
    return await document(daemon, "/api/v2/summary.json", wanted)


async def document(daemon: Daemon, path: str, wanted: Callable[[Any], object]) -> Any:
    """What stands under `path` once it is as `wanted`, at most five seconds later."""
    async with asyncio.timeout(5):
        while True:
            _, found = await daemon.get(path, None)
            if wanted(found):
                return found


async def drafted(daemon: Daemon) -> dict[str, Any]:
    """The newest draft, after a look."""
    await look(daemon)
    _, found = await daemon.get(f"{PUBLIC}?state=draft")
    first: dict[str, Any] = found["items"][0]
    return first


def states(found: Any) -> dict[str, str]:
    """Component -> status, groups left out."""
    return {row["name"]: row["status"] for row in found["components"] if not row["group"]}
