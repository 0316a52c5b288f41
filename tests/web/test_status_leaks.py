"""Nothing internal becomes public: canaries in every label, annotation, name and reason, looked for in every byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from incidentd.web.routes import OPS
from tests.public.canaries import CANARY, examples, traces
from tests.web.conftest import Daemon, alert, config_of, running
from tests.web.status_world import PUBLIC, drafted, look, summary


async def public_bytes(daemon: Daemon, code: str) -> bytes:
    """Headers and body of every public answer, errors too."""
    paths = [op.path for op in OPS if op.access == "public" and not op.path.startswith(("/health", "/ack"))]
    paths += [f"/incidents/{code}", f"/badge/{code}.svg", "/api/v2/nope.json", "/nothing", "/incidents/INC-1"]
    paths += [
        "/history/2026-11",
        "/pages/nothing",
        f"/pages/main/incidents/{code}",
        f"/maintenance/{code}.ics",
    ]
    found: list[bytes] = []
    for path in paths:
        answer, body = await daemon.get(path, None)
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        found += [str(answer.headers).encode(), raw]
    return b"".join(found)


async def told(daemon: Daemon, labels: dict[str, str], annotations: dict[str, str]) -> bytes:
    """Everything the public can read while an incident with these is drafted, and after it is published."""
    down = alert(f"{CANARY}Down", service="search", **labels)
    down["annotations"] |= annotations
    await daemon.alert(down)
    draft = await drafted(daemon)
    before = await public_bytes(daemon, draft["id"])
    reason: dict[str, Any] = {"component": "Blog", "status": "partial_outage", "reason": CANARY, "for": "1h"}
    await daemon.post("/api/v1/status/overrides", reason)
    await daemon.post("/api/v1/incidents/1/notes", {"text": CANARY})
    await daemon.post(f"{PUBLIC}/{draft['id']}/publish", {})
    await summary(daemon, lambda s: s["incidents"])
    during = await public_bytes(daemon, draft["id"])
    assert draft["id"].encode() not in before.replace(f"/incidents/{draft['id']}".encode(), b"")
    assert b"Search: major outage" in during
    await daemon.alert(down | {"status": "resolved", "endsAt": "2026-11-20T17:05:00Z"})
    await look(daemon)
    await summary(daemon, lambda s: s["incidents"][0]["status"] == "monitoring")
    return before + during + await public_bytes(daemon, draft["id"])


async def test_no_label_annotation_name_or_reason_gets_into_a_public_byte(tmp_path: Path) -> None:
    for number, (labels, notes) in enumerate(examples(8)):
        (folder := tmp_path / str(number)).mkdir()
        users = {"alice": {"name": f"Alice {CANARY}"}}
        async with running(config_of(folder, users=users)) as daemon:
            assert traces(await told(daemon, labels, notes)) == []


async def test_only_exposed_values_of_a_label_are_read_by_the_public(tmp_path: Path) -> None:
    page = {
        "name": "Acme",
        "components": [{"name": "Search", "match": ['service="search"'], "publish": "auto"}],
        "expose": {"region": {"eu-1": "Europe"}},
        "texts": {"title": "{components} in {region}"},
    }
    for value, title in (("eu-1", "Search in Europe"), (f"{CANARY}-2", "Search in ")):
        (folder := tmp_path / title).mkdir()
        async with running(config_of(folder, status_page=page)) as daemon:
            await daemon.alert(alert("Down", service="search", region=value))
            await look(daemon)
            found = await summary(daemon, lambda s: s["incidents"])
            assert found["incidents"][0]["name"] == title
