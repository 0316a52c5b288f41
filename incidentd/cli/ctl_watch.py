"""`incidentctl watch`: timeline entries as they happen, across reconnects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import click

from incidentd.cli import output
from incidentd.cli.client import Client, Event, RefusedError, UnreachableError
from incidentd.cli.ctl_common import Session, api_options, pass_session
from incidentd.cli.output import clean, parse_time

_FIRST_DELAY_SECONDS = 1.0
_MAX_DELAY_SECONDS = 15.0


@click.command("watch", short_help="Follow what happens, one line for each event.")
@click.option("--after", metavar="EVENT_ID", help="Start after this event, with what was missed.")
@api_options
@pass_session
def watch(session: Session, /, *, after: str | None) -> None:
    """Follow what happens in all incidents, one line for each timeline entry. Ctrl-C ends it.

    A broken connection is taken up again without losing entries. With --json, one JSON object a line.

    \b
    Examples:
      incidentctl watch
      incidentctl watch --json | jq -r 'select(.kind == "opened") | .text'
    """
    try:
        for event in _follow(session, session.client(), after):
            _print_event(session, event)
    except KeyboardInterrupt:
        # The way to end it, so not a failure.
        return


def _follow(session: Session, client: Client, last_id: str | None) -> Iterator[Event]:
    """Yield events for ever. Raises on 4xx, and if the very first connection fails."""
    connected, delay = False, _FIRST_DELAY_SECONDS
    while True:
        try:
            events = client.stream("/api/v1/events", last_id)
            connected, delay = True, _FIRST_DELAY_SECONDS
            for event in events:
                last_id = event.id or last_id
                if event.retry_ms is not None:
                    delay = min(event.retry_ms / 1000, _MAX_DELAY_SECONDS)
                yield event
        except (UnreachableError, RefusedError) as error:
            final = isinstance(error, RefusedError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            if final or not connected:
                raise
        click.echo(f"connection lost, again in {delay:g} s", err=True)
        session.sleep(delay)
        delay = min(max(delay, _FIRST_DELAY_SECONDS) * 2, _MAX_DELAY_SECONDS)


def _print_event(session: Session, event: Event) -> None:
    if event.name != "timeline":
        return
    if session.json:
        output.echo_json(event.data.encode())
        return
    try:
        entry = json.loads(event.data)
    except ValueError:
        return
    if not isinstance(entry, dict):
        return
    at = parse_time(entry.get("at"))
    words = (
        f"{at.astimezone():%H:%M:%S}" if at else "",
        output.ref(entry.get("incident_id")),
        clean(entry.get("kind")),
        f"{clean(entry.get('actor'))}:" if entry.get("actor") else "",
        clean(entry.get("text")),
    )
    click.echo(" ".join(word for word in words if word))
