"""`test-alert`: the body is Alertmanager's, the same options are the same alert, the outcome is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web

from incidentd.cli.alertmanager_body import TestAlert, body, fingerprint
from tests.cli.conftest import Run
from tests.cli.fake_server import FakeServer, delivery, incident, problem


def posted(server: FakeServer) -> list[dict[str, object]]:
    """The webhook bodies the daemon got."""
    return [content or {} for method, url, content in server.requests if url == "/webhooks/alertmanager"]


def test_the_fingerprint_is_the_one_alertmanager_computes() -> None:
    # Seen in a webhook body of Alertmanager 0.25.0.
    labels = {"alertname": "Watchdog", "cluster": "eu-1", "severity": "none"}
    assert fingerprint(labels) == "d0565471460a7e2c"
    assert fingerprint(labels | {"empty": ""}) == "d0565471460a7e2c"


def test_the_body_has_every_field_of_webhook_version_4() -> None:
    alert = TestAlert('Test "x"', "web", "critical").started("2026-11-21T08:00:00Z")
    made = body([alert], datetime(2026, 11, 21, tzinfo=UTC), resolved=False)
    assert made["version"] == "4"
    assert made["groupKey"] == '{}:{alertname="Test \\"x\\"", cluster="test", service="web"}'
    one = made["alerts"][0]
    assert set(one) == {
        "status",
        "labels",
        "annotations",
        "startsAt",
        "endsAt",
        "generatorURL",
        "fingerprint",
    }
    assert one["endsAt"] == "0001-01-01T00:00:00Z"
    assert set(one["annotations"]) == {"summary", "description", "runbook_url"}
    groups = {"groupKey", "groupLabels", "commonLabels", "commonAnnotations"}
    assert set(made) == groups | {"alerts", "externalURL", "version", "truncatedAlerts", "receiver", "status"}


def test_it_says_which_incident_opened_and_who_was_told_and_what_to_try(run: Run) -> None:
    result = run("test-alert", "--severity", "warning")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "INC-12 opened, warning, told: console (sent)"
    assert "  incidentctl ack 12" in lines
    assert "  incidentctl test-alert --resolve" in lines


def test_resolve_ends_the_same_occurrence_whatever_its_severity(run: Run, server: FakeServer) -> None:
    run("test-alert", "--severity", "warning", "--name", "My Alert")
    result = run("test-alert", "--resolve", "--name", "My Alert")
    assert result.stdout.splitlines()[0] == "INC-12 resolved, warning, told: console (sent)"
    fired, ended = (content["alerts"][0] for content in posted(server))  # type: ignore[index]
    assert (ended["fingerprint"], ended["startsAt"]) == (fired["fingerprint"], fired["startsAt"])
    assert ended["status"] == "resolved"
    assert ended["endsAt"] == "2026-11-21T08:04:00+00:00"


def test_the_resolve_command_it_proposes_repeats_the_options(run: Run) -> None:
    out = run("test-alert", "--name", "My Alert", "--service", "web").stdout
    assert "incidentctl test-alert --resolve --name 'My Alert' --service web" in out


def test_sending_it_twice_repeats_the_same_occurrence(run: Run, server: FakeServer) -> None:
    run("test-alert")
    server.alerts[0]["starts_at"] = "2026-11-21T07:00:00Z"
    result = run("test-alert")
    assert "INC-12 is open already" in result.stdout
    assert posted(server)[1]["alerts"][0]["startsAt"] == "2026-11-21T07:00:00Z"  # type: ignore[index]


def test_resolve_with_nothing_firing_is_exit_code_5_and_posts_nothing(run: Run, server: FakeServer) -> None:
    result = run("test-alert", "--resolve")
    assert result.exit_code == 5
    assert "is firing" in result.stderr
    assert posted(server) == []


def test_it_waits_at_most_five_seconds_for_the_deliveries(run: Run, server: FakeServer) -> None:
    pending = incident(deliveries=[delivery(state="pending"), delivery(1, created_at="2001-01-01T00:00:00Z")])
    server.answers["/api/v1/incidents/12"] = lambda: web.json_response(pending)
    result = run("test-alert")
    assert result.stdout.splitlines()[0] == "INC-12 opened, critical, told: console (pending)"
    assert 20 <= sum(url == "/api/v1/incidents/12" for _, url, _ in server.requests) <= 30


def test_without_waiting_it_only_says_that_it_was_accepted(run: Run, server: FakeServer) -> None:
    assert run("test-alert", "--no-wait").stdout.splitlines()[0] == "INC-12: accepted"
    assert not any(url == "/api/v1/incidents/12" for _, url, _ in server.requests)


def test_a_token_that_may_only_send_is_enough_to_fire(run: Run, server: FakeServer) -> None:
    server.answers["/api/v1/alerts"] = lambda: problem(403, "forbidden")
    result = run("test-alert", extra={"INCIDENTD_INGEST_TOKEN": "ingest-only"})
    assert result.stdout.splitlines()[0] == "INC-12: accepted"
    assert server.headers[-1]["Authorization"] == "Bearer ingest-only"
    assert run("test-alert", "--resolve").exit_code == 4


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_a_quarantined_alert_is_a_failure(run: Run, server: FakeServer, flag: list[str]) -> None:
    answer = {"request_id": "r", "received": 1, "accepted": 0, "quarantined": 1, "incidents": []}
    server.answers["/webhooks/alertmanager"] = lambda: web.json_response(answer)
    result = run("test-alert", *flag)
    assert result.exit_code == 1
    assert "incidentctl quarantine" in result.stderr
