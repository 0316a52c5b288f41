"""Commands that show incidents: list, show, timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import CtlError
from incidentd.cli.ctl_common import (
    SEVERITIES,
    STATES,
    IncidentId,
    Session,
    api_options,
    page_options,
    pass_session,
    say_more,
)
from incidentd.cli.ctl_deliveries import delivery_table
from incidentd.cli.ctl_figures import budget_words
from incidentd.cli.ctl_ops import alert_table
from incidentd.cli.ctl_runbook import runbook_words
from incidentd.cli.output import clean, when

_Json = dict[str, Any]


@click.command("list", short_help="List incidents.")
@click.option("--state", type=click.Choice(STATES), help="Only this state.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only this severity.")
@click.option("--service", metavar="NAME", help="Only this service.")
@click.option(
    "--mine",
    is_flag=True,
    help="Only what you acknowledged (you: INCIDENTD_USER, the profile's user, or $USER).",
)
@click.option("-q", "query", metavar="TEXT", help="Only incidents that contain TEXT.")
@page_options
@api_options
@pass_session
def list_incidents(
    session: Session, /, *, state: str | None, mine: bool, query: str | None, **filters: str | int | None
) -> None:
    """List incidents, newest first. No match is not an error.

    \b
    Examples:
      incidentctl list --state triggered
      incidentctl list --severity critical --service checkout
      incidentctl list --mine --json | jq '.items[].ref'
    """
    me = session.settings().user if mine else None
    if mine and not me:
        raise CtlError("who are you?", "set INCIDENTD_USER to the name your acknowledgements carry", code=2)
    answer = session.client().get(
        "/api/v1/incidents", {"state": state, "acknowledged_by": me, "q": query, **filters}
    )
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no incidents match")
        return
    output.print_table(incident_table(answer.items, session.now()))
    say_more(answer)


def incident_table(items: list[_Json], now: datetime) -> output.Table:
    """Return the columns on-call people look at first."""
    return output.table_of(
        items,
        {
            "ID": lambda i: i.get("ref") or output.ref(i.get("id")),
            "SEVERITY": lambda i: i.get("severity"),
            "STATE": _standing,
            "TITLE": lambda i: i.get("title"),
            "SERVICE": lambda i: i.get("service"),
            "FIRING": lambda i: f"{i.get('alerts_firing', 0)}/{i.get('alerts_total', 0)}",
            "OPENED": lambda i: when(i.get("opened_at"), now),
            "ACKNOWLEDGED BY": lambda i: i.get("acknowledged_by"),
        },
    )


def _standing(incident: _Json) -> str:
    """State, with what keeps it quiet or open: `triggered, maintenance db upgrade`."""
    window, withheld = incident.get("suppressed_by"), incident.get("resolve_withheld")
    words = [str(incident.get("state") or "")]
    words += [f"maintenance {window}"] if window else []
    words += ["flapping"] if incident.get("flapping") else []
    words += ["resolve distrusted"] if withheld == "distrusted" else []
    words += _quiet_words(incident.get("at_source") or {})
    words += ["still firing at its source"] if incident.get("still_firing_at_source") else []
    return ", ".join(words)


def _quiet_words(there: _Json) -> list[str]:
    words = ["silenced at its source"] if there.get("silenced_by") else []
    return [*words, "inhibited at its source"] if there.get("inhibited") else words


def _silence_lines(incident: _Json, now: datetime) -> str:
    """Who silenced it at its Alertmanagers, until when and why."""
    there = incident.get("at_source") or {}
    return "\n".join(
        f"by {clean(s.get('created_by') or s.get('id'))}"
        + (f" until {when(s['ends_at'], now)}" if s.get("ends_at") else "")
        + (f": {clean(s['comment'])}" if s.get("comment") else "")
        for s in there.get("silenced_by") or []
    )


@click.command("show", short_help="Show one incident with its alerts and deliveries.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@api_options
@pass_session
def show(session: Session, /, *, incident_id: int) -> None:
    """Show one incident: state, alerts, runbook, and who was told.

    \b
    Examples:
      incidentctl show INC-12
      incidentctl show 12 --json | jq .labels
    """
    answer = session.client().get(f"/api/v1/incidents/{incident_id}")
    if session.printed(answer):
        return
    incident, now = answer.object, session.now()
    output.print_fields(_fields(incident, now))
    if cut := incident.get("truncated"):
        click.echo(f"warning: {cut} alert(s) were cut by the sender (max_alerts)")
    for heading, items, build in (
        ("alerts", incident.get("alerts"), alert_table),
        ("deliveries", incident.get("deliveries"), delivery_table),
    ):
        if items:
            click.echo(f"\n{heading}:")
            output.print_table(build(items, now))


def _fields(incident: _Json, now: datetime) -> list[tuple[str, object]]:
    def at(key: str) -> str:
        moment, person = incident.get(f"{key}_at"), incident.get(f"{key}_by")
        return "" if not moment else when(moment, now) + (f" by {clean(person)}" if person else "")

    labels = incident.get("labels") or {}
    return [
        (
            "incident",
            f"{incident.get('ref') or output.ref(incident.get('id'))} {clean(incident.get('title'))}",
        ),
        ("state", clean(_standing(incident))),
        ("severity", clean(incident.get("severity"))),
        ("service", clean(incident.get("service"))),
        ("opened", at("opened")),
        (
            "acknowledged",
            ": ".join(filter(None, (at("acknowledged"), clean(incident.get("acknowledged_comment"))))),
        ),
        ("snoozed until", when(incident.get("snoozed_until"), now)),
        ("silenced at source", _silence_lines(incident, now)),
        ("resolved", at("resolved")),
        ("reopened", f"{incident['reopen_count']} times" if incident.get("reopen_count") else ""),
        ("alerts", f"{incident.get('alerts_firing', 0)} firing of {incident.get('alerts_total', 0)}"),
        ("error budget", budget_words(incident)),
        ("labels", ", ".join(f"{clean(name)}={clean(value)}" for name, value in sorted(labels.items()))),
        ("route", clean(incident.get("route"))),
        ("notifies", ", ".join(clean(name) for name in incident.get("notify") or [])),
        ("description", incident.get("description")),
        ("runbook", runbook_words(incident)),
        ("url", clean(incident.get("url"))),
    ]


@click.command("timeline", short_help="Show what happened in an incident.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@page_options
@api_options
@pass_session
def timeline(session: Session, /, *, incident_id: int, **page: str | int | None) -> None:
    """Show what happened in one incident, in order, with who did it.

    \b
    Example:
      incidentctl timeline INC-12
    """
    answer = session.client().get(f"/api/v1/incidents/{incident_id}/timeline", page)
    if session.printed(answer):
        return
    now = session.now()
    columns = {
        "WHEN": lambda e: when(e.get("at"), now, seconds=True),
        "WHAT": lambda e: e.get("kind"),
        "WHO": lambda e: e.get("actor"),
        "TEXT": lambda e: e.get("text"),
    }
    output.print_table(output.table_of(answer.items, columns))
    say_more(answer)
