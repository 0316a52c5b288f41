"""Commands that show: list, show, timeline, alerts, deliveries, quarantine, report, health, runbook."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from incidentd.rendering.formats import Format, rendered
from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, Json, delivery, incident, problem
from tests.rendering.test_formats import report

ALERT = {
    "fingerprint": "d0565471460a7e2c",
    "status": "firing",
    "severity": "critical",
    "labels": {"alertname": "HighLatency", "service": "checkout", "severity": "critical"},
    "annotations": {"runbook_url": "https://runbooks.example.com/latency"},
    "starts_at": "2026-11-21T08:00:00Z",
    "incident_id": 12,
}


def test_list_shows_the_columns_of_an_incident_with_its_age(run: Run) -> None:
    result = run("list")
    assert result.exit_code == 0
    heading, row = result.stdout.splitlines()
    assert " ".join(heading.split()) == "ID SEVERITY STATE TITLE SERVICE FIRING OPENED ACKNOWLEDGED BY"
    assert row.startswith("INC-12  critical  triggered  HighLatency checkout  checkout  1/1")
    assert "(4 min ago)" in row


def test_list_passes_its_filters_on(run: Run, server: FakeServer) -> None:
    options = [
        "--state",
        "triggered",
        "--severity",
        "critical",
        "--service",
        "a&b",
        "-q",
        "disk",
        "--limit",
        "5",
        "--cursor",
        "c",
        "--mine",
    ]
    assert run("list", *options).exit_code == 0
    _, url, _ = server.requests[0]
    expected = "state=triggered&acknowledged_by=alice&q=disk&severity=critical&service=a%26b&cursor=c&limit=5"
    assert sorted(url.split("?")[1].split("&")) == sorted(expected.split("&"))


def test_list_without_a_match_says_so_and_succeeds(run: Run, server: FakeServer) -> None:
    server.incidents.clear()
    result = run("list")
    assert (result.exit_code, result.stdout) == (0, "no incidents match\n")


def test_a_further_page_is_announced_on_stderr(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/incidents"] = server.page([incident()], cursor="abc")
    result = run("list")
    assert "--cursor abc" in result.stderr
    assert "abc" not in result.stdout


@pytest.mark.parametrize("where", [("--json", "list"), ("list", "--json")])
def test_json_prints_the_bytes_the_api_answered(run: Run, server: FakeServer, where: tuple[str, ...]) -> None:
    odd = b'{ "next_cursor":null,"items" : [ {"title":"\\u001b[31m \xe2\x82\xac","new":1e3} ]}'
    server.answers["/api/v1/incidents"] = lambda: web.Response(body=odd, content_type="application/json")
    result = run(*where)
    assert (result.exit_code, result.stdout_bytes) == (0, odd + b"\n")


def test_escape_sequences_of_the_server_never_reach_the_terminal(run: Run, server: FakeServer) -> None:
    hostile = "\x1b[31mred\x1b]0;owned\x07"
    server.incidents[12] = incident(
        title=hostile, service=hostile, labels={hostile: hostile}, acknowledged_by=hostile
    )
    server.incidents[12] |= {"alerts": [ALERT | {"labels": {"alertname": hostile}}], "url": hostile}
    server.incidents[12] |= {"deliveries": [delivery(last_error=hostile)], "description": hostile}
    server.answers["/api/v1/alerts"] = lambda: problem(418, hostile, hostile)
    for command in (("list",), ("show", "12"), ("alerts",), ("ack", "12"), ("runbook", "12")):
        result = run(*command)
        assert "\x1b" not in result.output
        assert "\x07" not in result.output


def test_show_tells_state_alerts_runbook_and_deliveries(run: Run, server: FakeServer) -> None:
    server.incidents[12] = incident(
        state="acknowledged",
        acknowledged_at="2026-11-21T08:02:00Z",
        acknowledged_by="alice",
        acknowledged_comment="on it",
        alerts=[ALERT],
        deliveries=[delivery(state="dead", last_error="timeout")],
    )
    result = run("show", "inc-12")
    assert result.exit_code == 0
    for text in (
        "INC-12 HighLatency checkout",
        "(2 min ago) by alice: on it",
        "d0565471460a7e2c",
        "1 firing of 1",
    ):
        assert text in result.stdout
    assert "https://runbooks.example.com/latency" in result.stdout
    assert "timeout" in result.stdout


def test_show_tells_the_route_who_is_told_and_what_the_sender_cut(run: Run, server: FakeServer) -> None:
    server.incidents[12] = incident(truncated=3, route="routes.0", notify=["console", "pager"])
    lines = [" ".join(line.split()) for line in run("show", "12").stdout.splitlines()]
    assert "warning: 3 alert(s) were cut by the sender (max_alerts)" in lines
    assert any(line.startswith("route") and line.endswith("routes.0") for line in lines)
    assert any(line.startswith("notifies") and line.endswith("console, pager") for line in lines)
    server.incidents[12] = incident(truncated=0)
    assert "warning" not in run("show", "12").output


def test_show_tells_what_its_alertmanagers_say_of_it(run: Run, server: FakeServer) -> None:
    silence = {"id": "s", "created_by": "alice", "comment": "disk\x07swap", "ends_at": "2026-11-21T10:04:00Z"}
    bare = {"id": "9571a0de", "created_by": "", "comment": "", "ends_at": None}
    server.incidents[12] = incident(at_source={"silenced_by": [silence, bare], "inhibited": True})
    said = " ".join(run("show", "12").stdout.split())
    assert "silenced at its source, inhibited at its source" in said
    assert "by alice until 2026-11-21" in said
    assert "by 9571a0de" in said
    assert "\x07" not in said
    server.incidents[12] = incident(state="resolved", still_firing_at_source=True)
    assert "resolved, still firing at its source" in run("show", "12").stdout


def test_an_unknown_incident_is_exit_code_5(run: Run) -> None:
    result = run("show", "99")
    assert result.exit_code == 5
    assert "not found: no incident 99" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("wrong", ["twelve", "INC-", "12.5", "INC-12x", "-", "٣"])
def test_a_wrong_id_is_a_usage_error_that_says_what_is_accepted(
    run: Run, server: FakeServer, wrong: str
) -> None:
    result = run("show", wrong)
    assert result.exit_code == 2
    assert "accepted: 12 or INC-12" in result.stderr
    assert server.requests == []


def test_timeline_shows_entries_in_order(run: Run, server: FakeServer) -> None:
    entries = [
        {"seq": n, "at": "2026-11-21T08:00:00Z", "kind": kind, "actor": "alice", "text": "t"}
        for n, kind in enumerate("ab")
    ]
    server.answers["/api/v1/incidents/12/timeline"] = server.page(entries)
    lines = run("timeline", "12").stdout.splitlines()
    assert lines[1] == "2026-11-21 08:00:00 (4 min ago)  a     alice  t"
    assert lines[2].split()[5] == "b"


def test_runbook_prints_only_web_links_and_each_once(run: Run, server: FakeServer) -> None:
    evil = ALERT | {"annotations": {"runbook_url": "javascript:alert(1)"}}
    server.incidents[12] = incident(runbook="https://runbooks.example.com/latency", alerts=[ALERT, evil])
    assert run("runbook", "12").stdout == "https://runbooks.example.com/latency\n"
    server.incidents[12] = incident()
    result = run("runbook", "12")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "has no runbook" in result.stderr


def test_alerts_deliveries_and_quarantine_are_listed(run: Run, server: FakeServer) -> None:
    server.alerts = [ALERT]
    assert "HighLatency" in run("alerts", "--status", "firing", "--incident", "INC-12").stdout
    server.answers["/api/v1/deliveries"] = server.page([delivery(state="dead", last_error="timeout")])
    assert "timeout" in run("deliveries", "--dead", "--incident", "INC-12").stdout
    item = {
        "id": 1,
        "source": "main",
        "received_at": "2026-11-21T08:00:00Z",
        "reason": "no labels",
        "where": "alerts.3",
    }
    server.answers["/api/v1/quarantine"] = server.page([item])
    assert "no labels" in run("quarantine").stdout
    urls = [url for _, url, _ in server.requests]
    assert urls[0] == "/api/v1/alerts?status=firing&incident=12"
    assert urls[1] == "/api/v1/deliveries?state=dead&incident=12"


def test_dead_and_another_state_exclude_each_other(run: Run) -> None:
    assert run("deliveries", "--dead", "--state", "sent").exit_code == 2


def test_a_delivery_is_retried_without_listing_them(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/deliveries/57/retry"] = lambda: web.json_response(delivery(state="pending"))
    assert run("deliveries", "retry", "57").stdout == "delivery 57 to console: pending\n"
    assert [(method, url) for method, url, _ in server.requests] == [("POST", "/api/v1/deliveries/57/retry")]
    assert run("deliveries", "retry", "../x").exit_code == 2


def test_report_shows_means_and_percentiles_for_all_and_each(run: Run, server: FakeServer) -> None:
    times: dict[str, object] = {
        "count": 2,
        "mean_seconds": 90,
        "p50_seconds": 60,
        "p90_seconds": 7200,
        "p95_seconds": None,
    }
    row: dict[str, object] = {"opened": 2, "resolved": 1, "mtta": times, "mttr": times}
    figures: dict[str, object] = {
        "window": "7d",
        "from": "2026-11-14T08:04:00Z",
        "to": "2026-11-21T08:04:00Z",
        "total": row | {"opened": 3, "resolved": 2},
    }
    figures |= {"by_severity": [row | {"severity": "critical"}], "by_service": [row | {"service": ""}]}
    server.answers["/api/v1/report"] = lambda: web.json_response(figures)
    lines = run("report", "--window", "7d", "--service", "a").stdout.splitlines()
    assert lines[2].split()[:3] == ["all", "3", "2"]
    assert "1 min 30 s" in lines[3]
    means = "MEAN P50 P90 P95"
    assert " ".join(lines[1].split()) == f"OPENED RESOLVED MTTD MEAN MTTA {means} MTTR {means}"
    assert lines[3].count("2 h") == 2, "the P90 of both"
    assert lines[4].startswith("(no service)")
    assert server.requests[0][1] == "/api/v1/report?window=7d&service=a"
    assert run("report", "--window", "soon").exit_code == 2


def test_report_shows_what_runbooks_were_good_for_and_nothing_else(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/report"] = lambda: web.Response(
        text=rendered(report(alertname="shop"), Format.JSON), content_type="application/json"
    )
    shown = [" ".join(line.split()) for line in run("report", "--runbooks").stdout.splitlines()]
    assert shown[1:] == [
        "",
        "With and without a runbook",
        "WHAT TO DO OPENED RESOLVED MTTA P50 MTTA P90 MTTR P50 MTTR P90",
        "runbook 1 1 - - 3 h 3 h",
        "a link alone 0 0 - - - -",
        "neither 1 1 - - 3 h 3 h",
        "",
        "Runbooks used",
        "RUNBOOK OPENED STEPS DONE SKIPPED FAILED RUNNING PENDING MTTA P50 MTTR P50 LAST TESTED",
        "shop (no file any more) 1 2 0 0 0 1 - 3 h -",
        "",
        "Runbooks not used",
        "RUNBOOK OWNER LAST TESTED",
        "idle alice never",
        "",
        "Alerts without a runbook",
        "ALERT OPENED REOPENED FLAPPING NOW",
        "shop 1 2 0",
    ]
    assert "DORA" not in shown
    refused = run("report", "--runbooks", "--format", "md")
    assert (refused.exit_code, "all figures" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"dora": {}}, "this daemon is of an earlier version and has no figures about runbooks"),
        (
            {"dora": {}, "runbooks": {"by_guidance": [], "items": [], "steps": {}}, "without_runbook": []},
            "no incident in this window, and no runbook to tell of",
        ),
    ],
)
def test_report_says_why_it_has_nothing_about_runbooks(
    run: Run, server: FakeServer, figures: Json, words: str
) -> None:
    times = {"from": "2026-11-14T08:04:00Z", "to": "2026-11-21T08:04:00Z"}
    server.answers["/api/v1/report"] = lambda: web.json_response(times | figures)
    assert run("report", "--runbooks").stdout.splitlines()[1:] == [words]


@pytest.mark.parametrize(
    ("state", "status", "code"), [("healthy", 200, 0), ("degraded", 200, 0), ("unhealthy", 503, 1)]
)
def test_health_prints_checks_and_fails_only_when_unhealthy(
    run: Run, server: FakeServer, state: str, status: int, code: int
) -> None:
    body = {"status": state, "checks": {"database": {"status": "healthy", "latency_ms": 1.5}}}
    server.answers["/health/detailed"] = lambda: web.json_response(body, status=status)
    result = run("health")
    assert result.exit_code == code
    assert f"is {state}" in result.stdout
    assert "1.5 ms" in result.stdout
    assert json.loads(run("health", "--json").stdout) == body
