"""Incidents over HTTP: finding them, acting on them, and how a refusal reads."""

from datetime import timedelta

import pytest

from incidentd.web import answers
from tests.web.conftest import Daemon, Start, alert

DECLARED = {"title": "checkout is slow", "severity": "warning"}


async def test_a_declared_incident_is_201_with_its_place_and_is_told(daemon: Daemon) -> None:
    body = DECLARED | {"service": "checkout", "description": "seen by three customers"}
    answer, made = await daemon.post("/api/v1/incidents", body)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/incidents/{made['id']}"
    incident = answers.Incident.model_validate(made)
    assert (incident.ref, incident.state, incident.service) == (f"INC-{incident.id}", "triggered", "checkout")
    assert [change.incident.id for change in daemon.changes] == [incident.id]
    _, told = await daemon.get(f"/api/v1/incidents/{incident.id}/timeline")
    assert told["items"][0]["actor"] == "responder"


async def test_the_detail_holds_alerts_deliveries_runbook_and_route(daemon: Daemon) -> None:
    (number,) = (await daemon.alert(alert(service="checkout")))["incidents"]
    _, shown = await daemon.get(f"/api/v1/incidents/{number}")
    answers.IncidentDetail.model_validate(shown)
    for reference in (f"INC-{number}", f"inc-{number}"):
        assert (await daemon.get(f"/api/v1/incidents/{reference}"))[1] == shown
    runbook = {"url": "https://runbooks.example/down", "name": None, "hash": None}
    assert shown["runbook"] == {**runbook, "steps_done": None, "steps_total": None}
    assert shown["url"] == f"http://127.0.0.1:8650/api/v1/incidents/{number}"
    assert [a["incident_id"] for a in shown["alerts"]] == [number]
    assert [(d["channel"], d["class"], d["state"]) for d in shown["deliveries"]] == [
        ("console", "page", "pending")
    ]
    assert shown["notify"] == ["console"]
    assert shown["opened_at"].endswith("Z")


@pytest.mark.parametrize("reference", ["99", "INC-99", "x", "INC-", "-1", "1.0", "9" * 40, "%00", "\u0661"])
async def test_an_incident_that_is_not_there_is_404(daemon: Daemon, reference: str) -> None:
    for answer, _ in (
        await daemon.get(f"/api/v1/incidents/{reference}"),
        await daemon.get(f"/api/v1/incidents/{reference}/timeline"),
        await daemon.post(f"/api/v1/incidents/{reference}/acknowledge"),
    ):
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"


async def test_the_whole_life_of_an_incident(daemon: Daemon) -> None:
    (number,) = (await daemon.alert(alert()))["incidents"]
    place = f"/api/v1/incidents/{number}"
    for verb, body, state in (
        ("acknowledge", {"comment": "looking"}, "acknowledged"),
        ("acknowledge", None, "acknowledged"),
        ("unacknowledge", {"comment": None}, "triggered"),
        ("snooze", {"for": "2h", "comment": "known"}, "triggered"),
        ("notes", {"text": "failover started"}, "triggered"),
        ("resolve", {"force": True}, "resolved"),
        ("resolve", {}, "resolved"),
        ("reopen", {"comment": "back"}, "triggered"),
    ):
        answer, now = await daemon.post(f"{place}/{verb}", body)
        assert (answer.status, now["state"]) == (200, state), verb
        answers.Incident.model_validate(now)
        if verb == "snooze":
            assert now["snoozed_until"] is not None
    _, told = await daemon.get(f"{place}/timeline")
    assert [entry["kind"] for entry in told["items"]] == [
        "triggered",
        "acknowledged",
        "unacknowledged",
        "snoozed",
        "note",
        "resolved",
        "reopened",
    ]
    assert {entry["actor"] for entry in told["items"]} == {"source", "responder"}


async def test_repeating_an_action_changes_nothing(daemon: Daemon) -> None:
    _, made = await daemon.post("/api/v1/incidents", DECLARED)
    await daemon.post(f"/api/v1/incidents/{made['id']}/acknowledge")
    before = len(daemon.changes)
    daemon.clock.ahead += timedelta(minutes=1)
    answer, again = await daemon.post(f"/api/v1/incidents/{made['id']}/acknowledge")
    assert answer.status == 200
    assert len(daemon.changes) == before
    _, shown = await daemon.get(f"/api/v1/incidents/{made['id']}")
    assert shown["acknowledged_at"] == again["acknowledged_at"]


async def test_a_refused_action_is_409_with_reason_and_state(daemon: Daemon) -> None:
    (number,) = (await daemon.alert(alert()))["incidents"]
    answer, problem = await daemon.post(f"/api/v1/incidents/{number}/resolve", {})
    assert answer.status == 409
    assert answer.content_type == "application/problem+json"
    assert (problem["reason"], problem["state"], problem["status"]) == ("still_firing", "triggered", 409)
    assert {"type", "title", "detail", "request_id"} <= problem.keys()
    await daemon.post(f"/api/v1/incidents/{number}/resolve", {"force": True})
    answer, problem = await daemon.post(f"/api/v1/incidents/{number}/acknowledge")
    assert (answer.status, problem["reason"], problem["state"]) == (409, "wrong_state", "resolved")


@pytest.mark.parametrize(
    ("verb", "body", "at"),
    [
        ("snooze", {}, "/for"),
        ("snooze", {"for": "soon"}, "/for"),
        ("snooze", {"for": "0s"}, "/for"),
        ("snooze", {"for": "31d"}, "/for"),
        ("snooze", {"for": 7200}, "/for"),
        ("resolve", {"force": "yes"}, "/force"),
        ("resolve", {"frce": True}, "/frce"),
        ("acknowledge", {"comment": "x" * 4097}, "/comment"),
        ("acknowledge", {"state": "resolved"}, "/state"),
        ("notes", {"text": " \n\0"}, "/text"),
        ("notes", {}, "/text"),
        ("acknowledge", [], "/"),
    ],
)
async def test_a_body_that_does_not_fit_is_422_with_the_place(
    daemon: Daemon, verb: str, body: object, at: str
) -> None:
    _, made = await daemon.post("/api/v1/incidents", DECLARED)
    answer, problem = await daemon.post(f"/api/v1/incidents/{made['id']}/{verb}", body)
    assert answer.status == 422
    assert [place["at"] for place in problem["errors"]] == [at]
    assert all(place["detail"] for place in problem["errors"])


@pytest.mark.parametrize("body", [b"{", b"no", b'{"comment": "\\ud800"}', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_400(daemon: Daemon, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer, _ = await daemon.post("/api/v1/incidents/1/acknowledge", headers=headers, data=body)
    assert answer.status == 400


async def test_a_body_that_is_not_sent_as_json_or_too_large_is_refused(daemon: Daemon) -> None:
    answer, _ = await daemon.post("/api/v1/incidents/1/acknowledge", data=b"{}")
    assert answer.status == 415
    answer, _ = await daemon.post("/api/v1/incidents/1/notes", {"text": "x" * 300_000})
    assert answer.status == 413


async def test_incidents_are_found_by_every_filter_and_page_by_page(daemon: Daemon) -> None:
    await daemon.alert(alert("A", service="checkout"), alert("B", service="search"), alert("C"))
    await daemon.post("/api/v1/incidents/1/acknowledge")
    await daemon.post("/api/v1/incidents/2/resolve", {"force": True})
    for query, found in (
        ("", [3, 2, 1]),
        ("?state=open", [3, 1]),
        ("?state=triggered,acknowledged", [3, 1]),
        ("?state=resolved&state=acknowledged", [2, 1]),
        ("?severity=critical&service=search", [2]),
        ("?severity=info", []),
        ("?q=B%20is%20do", [2]),
        ("?q=%25", []),
        ("?acknowledged_by=responder", [1]),
        ("?since=2020-01-01T00:00:00Z", [3, 2, 1]),
        ("?since=2999-01-01T00:00:00%2B02:00", []),
    ):
        answer, page = await daemon.get(f"/api/v1/incidents{query}")
        assert answer.status == 200, page
        answers.IncidentPage.model_validate(page)
        assert [item["id"] for item in page["items"]] == found, query
    _, first = await daemon.get("/api/v1/incidents?limit=2")
    _, rest = await daemon.get(f"/api/v1/incidents?limit=2&cursor={first['next_cursor']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=501", "limit=0", "limit=x", "limt=5", "limit=1&limit=2", "cursor=!", "cursor=LTE", "state=odd",
     "severity=worst", "since=yesterday", "since=2026-01-01T00:00:00", "q=" + "x" * 300,
     "since=0001-01-01T00:00:00%2B02:00", "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"],
)  # fmt: skip
async def test_a_query_that_is_not_understood_is_400_with_the_place(daemon: Daemon, query: str) -> None:
    answer, problem = await daemon.get(f"/api/v1/incidents?{query}")
    assert answer.status == 400
    assert problem["errors"][0]["at"] == "?" + query.partition("=")[0]


async def test_the_timeline_is_paged_by_sequence(daemon: Daemon) -> None:
    _, made = await daemon.post("/api/v1/incidents", DECLARED)
    place = f"/api/v1/incidents/{made['id']}"
    for text in ("one", "two"):
        await daemon.post(f"{place}/notes", {"text": text})
    _, first = await daemon.get(f"{place}/timeline?limit=2")
    _, rest = await daemon.get(f"{place}/timeline?limit=2&cursor={first['next_cursor']}")
    answers.EntryPage.model_validate(first)
    assert [entry["seq"] for entry in first["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next_cursor"] is None


async def test_a_database_that_is_away_is_503(daemon: Daemon) -> None:
    daemon.store.writes_fail = True
    answer, problem = await daemon.post("/api/v1/incidents", DECLARED)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "/var" not in str(problem)


async def test_later_features_are_404_and_not_stubs(daemon: Daemon) -> None:
    assert (await daemon.post("/api/v1/incidents/1/merge", {}))[0].status == 404


async def test_links_come_from_the_configuration_and_never_from_host(start: Start) -> None:
    async with start(server={"public_url": "https://inc.example/base/"}) as daemon:
        answer, made = await daemon.post("/api/v1/incidents", DECLARED, headers={"Host": "evil.example"})
        assert made["url"] == f"https://inc.example/base/api/v1/incidents/{made['id']}"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
