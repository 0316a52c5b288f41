"""From an incident to the public page over HTTP: drafts, publishing, updates, maintenance, overrides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.web.conftest import Daemon, Start, alert
from tests.web.status_world import DOCUMENTS, PUBLIC, drafted, faults, look, states, summary

DOWN = alert("Down", service="search", instance="db-7.internal:9100")


async def documents(daemon: Daemon) -> dict[str, Any]:
    """Every document, each as its schema wants it."""
    found = {name: (await daemon.get(f"/api/v2/{path}", None))[1] for name, path in DOCUMENTS.items()}
    assert [fault for name, body in found.items() for fault in faults(name, body)] == []
    return found


async def published(daemon: Daemon, **said: Any) -> dict[str, Any]:
    draft = await drafted(daemon)
    answer, made = await daemon.post(f"{PUBLIC}/{draft['id']}/publish", said)
    assert answer.status == 200, made
    return dict(made)


async def test_nothing_is_public_before_somebody_publishes_it(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    draft = await drafted(daemon)
    assert (draft["state"], draft["title"], draft["incident_id"]) == ("draft", "Search: major outage", 1)
    assert (await summary(daemon))["status"]["indicator"] == "none"
    assert (await daemon.get(f"/incidents/{draft['id']}", None))[0].status == 404
    _, told = await daemon.get("/api/v1/incidents/1/timeline")
    assert f"incidentctl status publish {draft['id']}" in told["items"][-1]["text"]


async def test_a_preview_shows_the_difference_and_changes_nothing(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    draft = await drafted(daemon)
    _, shown = await daemon.post(f"{PUBLIC}/INC-1/publish", {"preview": True, "impact": "critical"})
    assert shown["before"]["status"]["indicator"] == "none"
    assert shown["after"]["status"]["indicator"] == "critical"
    body = shown["after"]["incident"]["incident_updates"][0]["body"]
    assert body == "We are investigating a problem with Search."
    assert (shown["before"]["incident"], shown["state"]) == (None, "draft")
    assert (await daemon.get(f"{PUBLIC}/{draft['id']}"))[1]["state"] == "draft"


async def test_an_incident_goes_its_whole_way_and_every_document_keeps_to_its_schema(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    code = (await published(daemon))["id"]
    found = await summary(daemon, lambda s: s["incidents"])
    assert (states(found)["Search"], found["status"]["indicator"]) == ("major_outage", "major")
    await documents(daemon)
    await daemon.post(
        f"{PUBLIC}/{code}/update", {"status": "identified", "components": {"Search": "partial_outage"}}
    )
    found = await summary(daemon, lambda s: s["incidents"][0]["status"] == "identified")
    (affected,) = found["incidents"][0]["incident_updates"][0]["affected_components"]
    assert (affected["name"], affected["old_status"], affected["new_status"]) == (
        "Core - Search", "major_outage", "partial_outage",
    )  # fmt: skip
    await daemon.alert(DOWN | {"status": "resolved", "endsAt": "2026-11-20T17:05:00Z"})
    await look(daemon)
    found = await summary(daemon, lambda s: s["incidents"][0]["status"] == "monitoring")
    assert found["status"]["indicator"] == "major"
    assert states(found)["Search"] == "operational"
    daemon.clock.ahead += timedelta(minutes=10)
    await look(daemon)
    found = await summary(daemon, lambda s: not s["incidents"])
    assert found["status"] == {"indicator": "none", "description": "All Systems Operational"}
    answer, _ = await daemon.post(
        f"{PUBLIC}/{code}/postmortem", {"body": "It was the disk.\nIt is replaced."}
    )
    assert answer.status == 200
    await summary(daemon, lambda s: s["page"]["updated_at"] > found["page"]["updated_at"])
    (event,) = (await documents(daemon))["incidents"]["incidents"]
    assert [u["status"] for u in event["incident_updates"]] == [
        "postmortem", "resolved", "monitoring", "identified", "investigating",
    ]  # fmt: skip
    assert event["incident_updates"][0]["body"] == "It was the disk.<br />It is replaced."
    answer, text = await daemon.get(f"/incidents/{code}", None)
    assert (answer.status, b"It was the disk" in text) == (200, True)


@pytest.mark.parametrize(
    "text",
    ["ask bob@example.com", "10.1.2.3 is down", "see db-7.internal", "on web.svc", "key xoxb-123456789012"],
)
async def test_what_looks_internal_is_refused_unless_somebody_insists(daemon: Daemon, text: str) -> None:
    await daemon.alert(DOWN)
    draft = await drafted(daemon)
    answer, problem = await daemon.post(f"{PUBLIC}/{draft['id']}/publish", {"body": text})
    assert (answer.status, problem["reason"]) == (409, "internal_words")
    answer, made = await daemon.post(f"{PUBLIC}/{draft['id']}/publish", {"body": text, "force": True})
    assert (answer.status, bool(made["updates"][0]["forced"])) == (200, True)


async def test_machines_are_internal_after_their_alerts_ended_and_without_an_incident(daemon: Daemon) -> None:
    node = alert("Down", service="search", instance="search-node-7:9100")
    await daemon.alert(node)
    plan = {"title": "Work", "body": "We replace search-node-7.", "components": ["Search"], "duration": "1h"}
    outage = {"title": "search-node-7 is slow"}
    for path, body in ((PUBLIC, outage), ("/api/v1/status/maintenances", plan)):
        answer, problem = await daemon.post(path, body)
        assert (answer.status, problem["reason"]) == (409, "internal_words")
    made = await published(daemon)
    await daemon.alert(node | {"status": "resolved", "endsAt": "2026-11-20T17:05:00Z"})
    answer, problem = await daemon.post(f"{PUBLIC}/{made['id']}/update", {"body": "search-node-7 is back."})
    assert (answer.status, problem["reason"]) == (409, "internal_words")


async def test_a_postmortem_without_words_is_refused(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    made = await published(daemon)
    await daemon.post(f"{PUBLIC}/{made['id']}/update", {"status": "resolved"})
    answer, problem = await daemon.post(f"{PUBLIC}/{made['id']}/update", {"status": "postmortem"})
    assert (answer.status, problem["reason"]) == (409, "no_text")


async def test_a_correction_is_another_revision_and_both_are_kept_in_the_chain(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    made = await published(daemon, body="Serch is down.")
    update = made["updates"][0]
    body = {"update": update["id"], "body": "Search is down."}
    answer, after = await daemon.post(f"{PUBLIC}/{made['id']}/correct", body)
    assert answer.status == 200
    assert [u["revision"] for u in after["updates"]] == [1, 2]
    assert after["updates"][1]["previous_hash"] == update["hash"]
    found = await summary(daemon, lambda s: "Search" in str(s["incidents"][:1]) and "Serch" not in str(s))
    assert [u["body"] for u in found["incidents"][0]["incident_updates"]] == ["Search is down."]


async def test_a_discarded_draft_stays_away_until_its_incident_comes_back(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    draft = await drafted(daemon)
    assert (await daemon.post(f"{PUBLIC}/{draft['id']}/discard"))[1]["state"] == "discarded"
    await look(daemon)
    assert (await daemon.get(f"{PUBLIC}?state=draft"))[1]["items"] == []
    answer, problem = await daemon.post(f"{PUBLIC}/{draft['id']}/publish", {})
    assert (answer.status, problem["reason"]) == (409, "wrong_state")


async def test_an_incident_is_opened_and_resolved_by_hand(daemon: Daemon) -> None:
    said = {"title": "Mail is slow", "components": {"Blog": "degraded_performance"}, "next_update": "30m"}
    answer, made = await daemon.post(PUBLIC, said)
    assert (answer.status, made["policy"], made["impact"]) == (201, "approve", "minor")
    found = await summary(daemon, lambda s: s["incidents"])
    assert found["status"] == {"indicator": "minor", "description": "Partially Degraded Service"}
    assert (await daemon.post(f"{PUBLIC}/{made['id']}/resolve", {"body": "Over."}))[0].status == 200
    assert (await summary(daemon, lambda s: not s["incidents"]))["status"]["indicator"] == "none"
    await documents(daemon)


async def test_policies_decide_what_becomes_public_by_itself(start: Start) -> None:
    page = {
        "components": [
            {"name": "Auto", "match": ['service="auto"'], "publish": "auto"},
            {"name": "Later", "match": ['service="later"'], "publish": {"critical": "delayed"}},
            {"name": "Never", "match": ['service="never"'], "publish": "never"},
        ]
    }
    async with start(status_page=page) as daemon:
        await daemon.alert(*[alert(name, service=name) for name in ("auto", "later", "never")])
        await look(daemon)
        found = await summary(daemon, lambda s: s["incidents"])
        assert states(found) == {"Auto": "major_outage", "Later": "operational", "Never": "operational"}
        daemon.clock.ahead += timedelta(minutes=5)
        await look(daemon)
        found = await summary(daemon, lambda s: len(s["incidents"]) == 2)
        assert states(found) == {"Auto": "major_outage", "Later": "major_outage", "Never": "operational"}


async def test_people_are_reminded_of_a_critical_draft(daemon: Daemon) -> None:
    await daemon.alert(DOWN)
    await look(daemon)
    daemon.clock.ahead += timedelta(minutes=5)
    await look(daemon)
    await look(daemon)
    _, told = await daemon.get("/api/v1/incidents/1/timeline")
    assert [e["kind"] for e in told["items"]] == ["triggered", "status_draft", "status_reminder"]


async def test_an_override_wins_until_it_ends(daemon: Daemon) -> None:
    path = "/api/v1/status/overrides"
    said = {"component": "Core - Search", "status": "partial_outage", "reason": "known", "for": "10m"}
    answer, made = await daemon.post(path, said)
    assert (answer.status, made["active"], made["author"]) == (201, True, "responder")
    found = await summary(daemon, lambda s: states(s)["Search"] == "partial_outage")
    assert "known" not in str(found)
    daemon.clock.ahead += timedelta(minutes=10)
    await summary(daemon, lambda s: states(s)["Search"] == "operational")
    _, other = await daemon.post(path, said | {"status": "degraded_performance"})
    await summary(daemon, lambda s: states(s)["Search"] == "degraded_performance")
    answer, cleared = await daemon.call("DELETE", f"{path}/{other['id']}", token="respond")
    assert (cleared["active"], cleared["cleared_by"]) == (False, "responder")
    await summary(daemon, lambda s: states(s)["Search"] == "operational")
    endless = {"component": "Search", "status": "operational", "reason": "quiet"}
    assert (await daemon.post(path, endless))[0].status == 409
    assert (await daemon.post(path, said | {"component": "Nothing"}))[0].status == 404
    assert [o["active"] for o in (await daemon.get(path))[1]["items"]] == [False, False]
