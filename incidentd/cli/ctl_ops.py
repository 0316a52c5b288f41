"""Commands that show how the daemon is doing: alerts, quarantine, health."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import Answer, RefusedError
from incidentd.cli.ctl_common import (
    IncidentId,
    Session,
    api_options,
    page_options,
    pass_session,
    say_more,
)
from incidentd.cli.output import clean, when

_Json = dict[str, Any]
_Build = Callable[[list[_Json], datetime], output.Table]


@click.command("alerts", short_help="List alerts.")
@click.option("--status", type=click.Choice(("firing", "resolved")), help="Only this status.")
@click.option("--source", metavar="NAME", help="Only alerts of this source.")
@click.option("--incident", metavar="ID", type=IncidentId(), help="All that were ever part of this incident.")
@page_options
@api_options
@pass_session
def alerts(session: Session, /, **query: str | int | None) -> None:
    """List alerts as they were last received.

    \b
    Examples:
      incidentctl alerts --status firing
      incidentctl alerts --source main --json
      incidentctl alerts --incident INC-12 --limit 500
    """
    answer = session.client().get("/api/v1/alerts", query)
    print_page(session, answer, alert_table, "no alerts match")


def alert_table(items: list[_Json], now: datetime) -> output.Table:
    """Return alerts with their labels, the alert name first."""

    def labels(alert: _Json) -> str:
        pairs = sorted((alert.get("labels") or {}).items())
        return ", ".join(f"{name}={value}" for name, value in pairs if name not in ("alertname", "severity"))

    return output.table_of(
        items,
        {
            "FINGERPRINT": lambda a: a.get("fingerprint"),
            "STATUS": lambda a: a.get("status"),
            "SEVERITY": lambda a: a.get("severity"),
            "ALERT": lambda a: (a.get("labels") or {}).get("alertname"),
            "INCIDENT": lambda a: output.ref(a.get("incident_id")),
            "STARTED": lambda a: when(a.get("starts_at"), now),
            "LABELS": labels,
        },
    )


@click.command("quarantine", short_help="List alerts that were received but could not be understood.")
@page_options
@api_options
@pass_session
def quarantine(session: Session, /, **query: str | int | None) -> None:
    """List alerts that could not be understood, with the reason. Their neighbours were processed.

    \b
    Example:
      incidentctl quarantine --json | jq '.items[].alert'
    """
    answer = session.client().get("/api/v1/quarantine", query)
    print_page(session, answer, _quarantine_table, "the quarantine is empty")


def _quarantine_table(items: list[_Json], now: datetime) -> output.Table:
    return output.table_of(
        items,
        {
            "ID": lambda q: q.get("id"),
            "SOURCE": lambda q: q.get("source"),
            "RECEIVED": lambda q: when(q.get("received_at"), now),
            "WHERE": lambda q: q.get("where"),
            "REASON": lambda q: q.get("reason"),
        },
    )


@click.command("health", short_help="Show the daemon's checks.")
@api_options
@pass_session
def health(session: Session) -> None:
    """Show the daemon's own checks with their latency. Exits 1 when it is unhealthy.

    \b
    Example:
      incidentctl health
    """
    try:
        answer = session.client().get("/health/detailed")
    except RefusedError as refused:
        # An unhealthy daemon answers 503 with the checks, which is what was asked for.
        if refused.status != HTTPStatus.SERVICE_UNAVAILABLE or "checks" not in refused.problem:
            raise
        answer = Answer(503, refused.body, json.loads(refused.body))
    state = clean(answer.object.get("status"))
    if not session.printed(answer):
        click.echo(f"{session.settings().url} is {state}")
        _print_checks(answer.object.get("checks"))
    if state == "unhealthy":
        click.get_current_context().exit(1)


def _print_checks(checks: object) -> None:
    if isinstance(checks, dict):
        checks = [
            {"name": name, **(check if isinstance(check, dict) else {"status": check})}
            for name, check in checks.items()
        ]
    if not isinstance(checks, list) or not checks:
        return
    columns = {
        "CHECK": lambda c: c.get("name"),
        "STATUS": lambda c: c.get("status"),
        "LATENCY": lambda c: "" if c.get("latency_ms") is None else f"{c['latency_ms']} ms",
        "DETAIL": lambda c: c.get("detail") or c.get("message") or c.get("error"),
    }
    output.print_table(output.table_of(checks, columns))


def print_page(session: Session, answer: Answer, build: _Build, empty: str) -> None:
    """Print a list as its table, or `empty`; with --json as answered."""
    if session.printed(answer):
        return
    if not answer.items:
        click.echo(empty)
        return
    output.print_table(build(answer.items, session.now()))
    say_more(answer)
