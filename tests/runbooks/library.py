"""The starter library, the rules that it is for, and the cases in which the rules of example-rules.yml fire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidentd.domain.runbook import Kind, Runbook
from incidentd.domain.runbook_match import choose
from incidentd.domain.runbook_query import fill_query
from incidentd.domain.severity import Severity
from incidentd.runbooks.library import Folder, look
from tests.deploy.cases import Case
from tests.deploy.shipped import DEPLOY, RULES, read
from tests.shape import ROOT

EXAMPLES = DEPLOY / "example-rules.yml"
FILES = (*RULES, EXAMPLES)
FOLDER = look(Folder(ROOT / "runbooks", required=True))
BOOKS = FOLDER.shelf().runbooks
README = (ROOT / "runbooks/README.md").read_text(encoding="utf-8")
OUR_OWN = ("HeartbeatMissing", "IncidentdChannelDown", "IncidentdBudgetBurn", "IncidentdDrillFailed")
"""Alerts that incidentd raises by itself."""
WITHOUT = frozenset(
    {
        "Watchdog",
        "NewDeployment",
        "IncidentdDown",
        "IncidentdCalendarUnreadable",
        "IncidentdSilenceForgotten",
        "IncidentdChannelUnproven",
    }
)
"""Alerts without a runbook; runbooks/README.md says why."""

_SHOP = 'job="shop",service="shop"'
_HELD = f'websocket_connections{{{_SHOP},instance="shop-1"}}'
_PROBE = 'probe_ssl_earliest_cert_expiry{job="blackbox",instance="https://shop.example.com"}'
_SENT = 'webhook_deliveries_total{%s,outcome="%s",endpoint="acme",code="503"}'
_TOLD = 'alertmanager_notifications%s_total{job="alertmanager",instance="am-1",integration="email"}'
_FAILING = 'prometheus_rule_evaluation_failures_total{job="prometheus",instance="p-1"}'
_KILLS = 'node_vmstat_oom_kill{job="node",instance="n1"}'
_ABOUT = {"job": "shop", "service": "shop"}
_SITE = {"job": "blackbox", "instance": "https://shop.example.com"}

CASES = [
    Case("WebSocketConnectionsDropped", "critical", {_HELD: "100x40 20x10"}, 43, _ABOUT),
    Case(
        "WebSocketConnectionsHigh",
        "warning",
        {_HELD: "95x30", f'websocket_connections_max{{{_SHOP},instance="shop-1"}}': "100x30"},
        20,
        {**_ABOUT, "instance": "shop-1"},
    ),
    Case(
        "WebhookDeliveriesFailing",
        "warning",
        {_SENT % (_SHOP, "failed"): "0+5x40", _SENT % (_SHOP, "delivered"): "0+5x40"},
        30,
        _ABOUT,
    ),
    Case("OutOfMemoryKills", "critical", {_KILLS: "0 0 1 1 1"}, 4, {"job": "node", "instance": "n1"}),
    Case("CertificateExpiresSoon", "warning", {_PROBE: "864000x90"}, 80, _SITE),
    Case("CertificateExpired", "critical", {_PROBE: "3600x9"}, 5, _SITE),
    Case(
        "AlertmanagerDown",
        "critical",
        {'up{job="alertmanager",instance="am-1"}': "0x9"},
        5,
        {"job": "alertmanager", "instance": "am-1"},
    ),
    Case(
        "AlertmanagerNotificationsFailing",
        "critical",
        {_TOLD % "_failed": "0+1x20", _TOLD % "": "0+2x20"},
        15,
        {"job": "alertmanager", "instance": "am-1", "integration": "email"},
    ),
    Case(
        "PrometheusDown",
        "critical",
        {'up{job="prometheus",instance="p-1"}': "0x9"},
        5,
        {"job": "prometheus", "instance": "p-1"},
    ),
    Case(
        "PrometheusRuleFailures",
        "warning",
        {_FAILING: "0+1x30"},
        20,
        {"job": "prometheus", "instance": "p-1"},
    ),
]
"""When each alert of example-rules.yml fires."""


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    return [rule for path in FILES for group in read(path)["groups"] for rule in group["rules"]]


def for_alert(name: str, **labels: str) -> Runbook | None:
    """The runbook of an alert."""
    return choose(BOOKS, {"alertname": name, **labels}, "checkout", Severity.CRITICAL).runbook


def queries(book: Runbook, labels: Mapping[str, str]) -> list[str]:
    """What it asks a Prometheus about an incident with these labels."""
    return [
        fill_query(str(step.action.attributes["query"]), labels)
        for step in book.steps
        if step.action is not None and step.action.kind is Kind.PROMQL
    ]
