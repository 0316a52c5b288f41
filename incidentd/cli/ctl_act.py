"""Commands that change incidents: ack, unack, resolve, reopen, snooze, escalate, assign, note, declare."""

from __future__ import annotations

import sys
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import Answer
from incidentd.cli.ctl_common import (
    SEVERITIES,
    Duration,
    IncidentId,
    Session,
    api_options,
    each,
    pass_session,
)
from incidentd.cli.output import clean

_comment = click.option("-m", "--comment", metavar="TEXT", help="Why; kept in the timeline.")
_one = click.argument("incident_id", metavar="ID", type=IncidentId())
_many = click.argument("ids", metavar="ID...", type=IncidentId(), nargs=-1, required=True)


def _act(session: Session, incident_id: int, verb: str, body: dict[str, Any]) -> None:
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/{verb}", body)
    if not session.printed(answer):
        click.echo(_outcome(answer))


def _outcome(answer: Answer) -> str:
    """Say where the incident stands now, in one line."""
    incident = answer.object
    name, state = clean(incident.get("ref")) or output.ref(incident.get("id")), clean(incident.get("state"))
    person = clean(incident.get(f"{state}_by"))
    return f"{name} {state}{f' by {person}' if person else ''}: {clean(incident.get('title'))}"


@click.command("ack", short_help="Acknowledge incidents: you are on it.")
@_many
@_comment
@api_options
@pass_session
def ack(session: Session, /, *, ids: tuple[int, ...], comment: str | None) -> None:
    """Acknowledge incidents: you are on it, escalation stops.

    \b
    Examples:
      incidentctl ack INC-12
      incidentctl ack 12 13 14 -m "one cause, looking"
    """
    each(ids, lambda one: _act(session, one, "acknowledge", {"comment": comment}))


@click.command("unack", short_help="Give incidents back: they page again.")
@_many
@_comment
@api_options
@pass_session
def unack(session: Session, /, *, ids: tuple[int, ...], comment: str | None) -> None:
    """Take an acknowledgement back: the incident is triggered again and pages.

    \b
    Example:
      incidentctl unack INC-12 -m "not mine after all"
    """
    each(ids, lambda one: _act(session, one, "unacknowledge", {"comment": comment}))


@click.command("resolve", short_help="Resolve incidents.")
@_many
@_comment
@click.option(
    "--force", is_flag=True, help="Although alerts still fire; repeats of the same alerts stay quiet."
)
@api_options
@pass_session
def resolve(session: Session, /, *, ids: tuple[int, ...], comment: str | None, force: bool) -> None:
    """Resolve incidents. Refused while alerts still fire, unless forced.

    \b
    Examples:
      incidentctl resolve INC-12 -m "rolled back"
      incidentctl resolve 12 13 --force
    """
    each(ids, lambda one: _act(session, one, "resolve", {"comment": comment, "force": force}))


@click.command("reopen", short_help="Reopen a resolved incident.")
@_one
@_comment
@api_options
@pass_session
def reopen(session: Session, /, *, incident_id: int, comment: str | None) -> None:
    """Reopen a resolved incident.

    \b
    Example:
      incidentctl reopen INC-12 -m "it is back"
    """
    _act(session, incident_id, "reopen", {"comment": comment})


@click.command("snooze", short_help="Leave an incident alone for a while.")
@_one
@click.argument("duration", metavar="DURATION", type=Duration())
@api_options
@pass_session
def snooze(session: Session, /, *, incident_id: int, duration: str) -> None:
    """Leave one incident alone for DURATION; when it ends, an unresolved incident pages again.

    \b
    Examples:
      incidentctl snooze INC-12 2h
      incidentctl snooze 12 1h30m
    """
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/snooze", {"for": duration})
    if not session.printed(answer):
        until = output.when(answer.object.get("snoozed_until"), session.now())
        click.echo(f"{output.ref(incident_id)} snoozed until {until}")


@click.command("escalate", short_help="Tell the next ones now.")
@_one
@api_options
@pass_session
def escalate(session: Session, /, *, incident_id: int) -> None:
    """Run the next step of the incident's escalation policy now; after the last one it begins anew.

    \b
    Example:
      incidentctl escalate INC-12
    """
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/escalate", {})
    if not session.printed(answer):
        state = answer.object.get("escalation") or {}
        next_at = state.get("next_at") if isinstance(state, dict) else None
        more = f", next {output.when(next_at, session.now())}" if next_at else ", nobody is left to tell"
        click.echo(f"{output.ref(incident_id)} escalated{more}")


@click.command("assign", short_help="Ask somebody to work on an incident.")
@_one
@click.argument("user", metavar="USER")
@_comment
@api_options
@pass_session
def assign(session: Session, /, *, incident_id: int, user: str, comment: str | None) -> None:
    """Ask USER, a name of the configuration, to work on an incident; they are told at once.

    \b
    Example:
      incidentctl assign INC-12 bob -m "it is your database"
    """
    body = {"user": user, "comment": comment}
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/assign", body)
    if not session.printed(answer):
        click.echo(f"{output.ref(incident_id)} assigned to {clean(user)}")


@click.command("note", short_help="Add a note to the timeline.")
@_one
@click.argument("text", metavar="TEXT")
@api_options
@pass_session
def note(session: Session, /, *, incident_id: int, text: str) -> None:
    """Add TEXT to the timeline of one incident. `-` reads the text from standard input.

    \b
    Examples:
      incidentctl note INC-12 "failover started"
      kubectl get pods | incidentctl note INC-12 -
    """
    if text == "-":
        text = sys.stdin.read()
    if not text.strip():
        raise click.UsageError("the note is empty")
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/notes", {"text": text})
    if not session.printed(answer):
        click.echo(f"noted in {output.ref(incident_id)}")


@click.command("declare", short_help="Open an incident by hand.")
@click.argument("title", metavar="TITLE")
@click.option(
    "--severity", type=click.Choice(SEVERITIES), required=True, help="How bad it is: decides who is told."
)
@click.option("--service", metavar="NAME", help="What is affected.")
@click.option("-m", "--description", metavar="TEXT", help="What is known so far.")
@api_options
@pass_session
def declare(session: Session, /, *, title: str, **fields: str | int | None) -> None:
    """Open an incident by hand; it is routed and pages like one from an alert.

    \b
    Examples:
      incidentctl declare "checkout is slow" --severity warning --service checkout
      incidentctl declare "site down" --severity critical -m "seen by three customers"
    """
    if not title.strip():
        raise click.UsageError("the title is empty")
    answer = session.client().post("/api/v1/incidents", {"title": title, **fields})
    if not session.printed(answer):
        click.echo(_outcome(answer))
