"""Commands about silences at the source: silence, unsilence, silences."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import Answer, Client
from incidentd.cli.ctl_common import (
    Duration,
    IncidentId,
    Session,
    api_options,
    page_options,
    pass_session,
    say_more,
)
from incidentd.cli.output import clean, when

_PATH = "/api/v1/silences"
_STATES = ("wanted", "active", "expiring", "expired", "failed", "live")
_POLL_SECONDS = 0.25
_WAIT_SECONDS = 8.0
"""For the Alertmanagers to be asked; they are asked on without us."""
_FORGOTTEN = {
    "incident_resolved": "its incident is resolved",
    "held_for_long": "has held for long",
    "unknown_here": "nothing here knew of it",
}


def _settled(session: Session, client: Client, path: str, answer: Answer) -> Answer:
    """The same once every Alertmanager was asked, or the time is up."""
    until = session.monotonic() + _WAIT_SECONDS
    while not answer.object.get("settled", True) and session.monotonic() < until:
        session.sleep(_POLL_SECONDS)
        answer = client.get(path)
    return answer


@click.command("silence", short_help="Silence an incident's alerts in Alertmanager.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@click.argument("duration", metavar="DURATION", type=Duration())
@click.option("-m", "--comment", metavar="TEXT", help="Why; stands in Alertmanager and in the timeline.")
@api_options
@pass_session
def silence(session: Session, /, *, incident_id: int, duration: str, comment: str | None) -> None:
    """Silence the alerts of one incident in every Alertmanager of its source, for DURATION from now.

    Of a silence that holds already the end is moved, later or earlier. It is ended when the incident is resolved.
    It does not acknowledge the incident, and acknowledging does not silence.

    \b
    Examples:
      incidentctl silence INC-12 2h -m "disk is being swapped"
      incidentctl silence 12 4h
    """
    path, client = f"/api/v1/incidents/{incident_id}/silence", session.client()
    answer = client.post(path, {"for": duration, "comment": comment})
    answer = _settled(session, client, path, answer)
    if not session.printed(answer):
        _say(session, answer.object)


@click.command("unsilence", short_help="End an incident's silence in Alertmanager.")
@click.argument("incident_id", metavar="ID", type=IncidentId(), required=False)
@click.option(
    "--silence", "number", metavar="N", type=click.IntRange(1), help="A silence by its number in `silences`."
)
@api_options
@pass_session
def unsilence(session: Session, /, *, incident_id: int | None, number: int | None) -> None:
    """End the silence of one incident now, or the one with a number from `incidentctl silences`.

    \b
    Examples:
      incidentctl unsilence INC-12
      incidentctl unsilence --silence 7
    """
    if (incident_id is None) is (number is None):
        raise click.UsageError("give either an incident or --silence")
    client = session.client()
    if number is not None:
        answer = client.delete(f"{_PATH}/{number}")
        if not session.printed(answer):
            one = answer.object
            click.echo(f"silence {number} of {output.ref(one.get('incident_id'))}: {clean(one.get('state'))}")
        return
    path = f"/api/v1/incidents/{incident_id}/silence"
    answer = _settled(session, client, path, client.delete(path))
    if not session.printed(answer):
        click.echo(f"{clean(answer.object.get('ref'))}: {clean(answer.object.get('standing'))}")


@click.command("silences", short_help="List silences made from incidents, and forgotten ones.")
@click.option(
    "--forgotten", is_flag=True, help="Those that hold although nobody seems to want them any more."
)
@click.option(
    "--state", metavar="STATE", type=click.Choice(_STATES), help="Default: live, which is not over yet."
)
@click.option("--incident", metavar="ID", type=IncidentId(), help="Of this incident, whatever their state.")
@page_options
@api_options
@pass_session
def silences(
    session: Session,
    /,
    *,
    forgotten: bool,
    state: str | None,
    incident: int | None,
    **page: str | int | None,
) -> None:
    """List the silences that were made from incidents, one line for each Alertmanager, with owner and end.

    Forgotten are those whose incident is resolved, that have held for longer than silences.forgotten_after, or that
    carry our mark in an Alertmanager and are unknown here.

    \b
    Examples:
      incidentctl silences
      incidentctl silences --forgotten
      incidentctl silences --incident INC-12
    """
    if state is None and incident is None and not forgotten:
        state = "live"
    query = {"state": state, "incident": incident, "forgotten": "true" if forgotten else None, **page}
    answer = session.client().get(_PATH, query)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no silence looks forgotten" if forgotten else "no silences")
        return
    _print(session, answer.items)
    say_more(answer)


def _print(session: Session, items: list[dict[str, Any]]) -> None:
    now = session.now()
    columns = {
        "N": lambda s: s.get("id"),
        "INCIDENT": lambda s: output.ref(s.get("incident_id")),
        "STATE": lambda s: s.get("state"),
        "BY": lambda s: s.get("created_by"),
        "ENDS": lambda s: when(s.get("ended_at") or s.get("ends_at"), now),
        "ALERTMANAGER": lambda s: s.get("alertmanager"),
        "MATCHERS": lambda s: ", ".join(map(str, s.get("matchers") or [])),
        "COMMENT": lambda s: s.get("comment"),
        "NOTE": _note,
    }
    output.print_table(output.table_of(items, columns))


def _note(silence: dict[str, Any]) -> str:
    forgotten, error = silence.get("forgotten"), silence.get("last_error")
    words = [f"forgotten: {_FORGOTTEN.get(str(forgotten), str(forgotten))}"] if forgotten else []
    return "; ".join([*words, *([str(error)] if error else [])])


def _say(session: Session, answer: dict[str, Any]) -> None:
    """How it stands, truthfully: where it is not made yet, and why."""
    name, until = clean(answer.get("ref")), when(answer.get("ends_at"), session.now())
    click.echo(f"{name} silence {clean(answer.get('standing'))}" + (f", until {until}" if until else ""))
    matchers = ", ".join(map(str, answer.get("matchers") or []))
    click.echo(f"  by {clean(answer.get('created_by'))}: {clean(matchers)}")
