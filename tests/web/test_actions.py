"""Action items over HTTP: what is refused, what is changed, who may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Daemon, alert


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("incidents/1/actions", {"title": " "}, 422),
        ("incidents/1/actions", {"title": "x", "due": "tomorrow"}, 422),
        ("incidents/1/actions", {"title": "x", "due": 1}, 422),
        ("incidents/1/actions", {"title": "x", "due": "1999-12-31"}, 422),
        ("incidents/1/actions", {"title": "x", "who": "alice"}, 422),
        ("incidents/1/actions", {"title": "x", "owner": "a" * 101}, 422),
        ("incidents/7/actions", {"title": "x"}, 404),
        ("actions/1/edit", {}, 422),
        ("actions/7/done", {}, 404),
        ("actions/x/done", {}, 404),
        ("actions/1/edit", {"title": None}, 422),
    ],
)
async def test_what_is_not_understood_is_refused(
    daemon: Daemon, path: str, body: dict[str, Any], status: int
) -> None:
    await daemon.alert(alert())
    await daemon.post("/api/v1/incidents/1/actions", {"title": "first"})
    answer, _ = await daemon.post(f"/api/v1/{path}", body)
    assert answer.status == status


async def test_an_edit_changes_what_it_names_and_null_takes_away(daemon: Daemon) -> None:
    await daemon.alert(alert())
    first = {"title": "first", "owner": "alice", "due": "2026-12-24"}
    _, made = await daemon.post("/api/v1/incidents/1/actions", first)
    assert (made["owner"], made["due"], made["created_by"]) == ("alice", "2026-12-24", "responder")
    _, edited = await daemon.post("/api/v1/actions/1/edit", {"title": "second"})
    assert edited == made | {"title": "second"}
    _, bare = await daemon.post("/api/v1/actions/1/edit", {"owner": None, "due": None})
    assert bare == edited | {"owner": None, "due": None}
    _, read = await daemon.get("/api/v1/actions/1")
    assert read == bare


async def test_one_that_was_closed_can_be_opened_again(daemon: Daemon) -> None:
    await daemon.alert(alert())
    await daemon.post("/api/v1/incidents/1/actions", {"title": "first"})
    _, dropped = await daemon.post("/api/v1/actions/1/drop", {"comment": "no need"})
    assert (dropped["state"], dropped["closed_by"], dropped["comment"]) == ("dropped", "responder", "no need")
    _, again = await daemon.post("/api/v1/actions/1/reopen", {})
    assert (again["state"], again["closed_by"], again["closed_at"]) == ("open", None, None)


async def test_items_are_found_by_owner_state_and_incident_page_by_page(daemon: Daemon) -> None:
    await daemon.alert(alert("A"), alert("B"))
    for incident, owner in ((1, "alice"), (2, "bob"), (1, "bob")):
        await daemon.post(f"/api/v1/incidents/{incident}/actions", {"title": "x", "owner": owner})
    await daemon.post("/api/v1/actions/3/done", {})
    for query, ids in (("owner=bob", [3, 2]), ("state=open", [2, 1]), ("incident=INC-1", [3, 1])):
        _, page = await daemon.get(f"/api/v1/actions?{query}")
        assert [item["id"] for item in page["items"]] == ids
    _, first = await daemon.get("/api/v1/actions?limit=2")
    _, rest = await daemon.get(f"/api/v1/actions?limit=2&cursor={first['next_cursor']}")
    assert [item["id"] for page in (first, rest) for item in page["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None


async def test_reading_needs_read_and_changing_needs_respond(daemon: Daemon) -> None:
    await daemon.alert(alert())
    answer, _ = await daemon.post("/api/v1/incidents/1/actions", {"title": "x"}, "read")
    assert answer.status == 403
    answer, _ = await daemon.get("/api/v1/actions", "ingest")
    assert answer.status == 403
