"""Nothing internal becomes public: canaries in every label, annotation, name and reason, looked for in every byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.web.routes import OPS
from tests.web.conftest import Daemon, alert, config_of, running
from tests.web.status_world import PUBLIC, drafted, look, summary

CANARY = "CaNaRy7"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
LABELS = st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), TEXT, max_size=4)


def marked(values: dict[str, str]) -> dict[str, str]:
    """The same, a canary in each name and value; never a label that decides something."""
    return {f"x_{CANARY}_{key}": f"{CANARY}{value}" for key, value in values.items()}


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
    own = {"instance": f"{CANARY}.example:9100", **marked(labels)}
    down = alert(f"{CANARY}Down", service="search", **own)
    down["annotations"] |= {"summary": CANARY, "runbook_url": f"https://{CANARY}", **marked(annotations)}
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
            assert CANARY.lower().encode() not in (await told(daemon, labels, notes)).lower()


def examples(count: int) -> list[tuple[dict[str, str], dict[str, str]]]:
    """So many draws: Hypothesis runs plain functions, and these are awaited."""
    drawn: list[tuple[dict[str, str], dict[str, str]]] = []

    @settings(max_examples=count, deadline=None, database=None)
    @given(LABELS, LABELS)
    def draw(labels: dict[str, str], annotations: dict[str, str]) -> None:
        drawn.append((labels, annotations))

    draw()
    return drawn


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
