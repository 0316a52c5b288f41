"""Commands about maintenance windows: add, list, cancel."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Duration, Session, api_options, pass_session
from incidentd.cli.output import clean, when

_PATH = "/api/v1/maintenance"


@click.group("maintenance", short_help="Plan times in which alerts tell nobody.")
def maintenance() -> None:
    """Plan times in which matching alerts are recorded and tell nobody.

    What still fires when a window ends pages then.

    \b
    Examples:
      incidentctl maintenance add "db upgrade" 'service="db"' --for 2h
      incidentctl maintenance list
      incidentctl maintenance cancel 3
    """


@maintenance.command("add", short_help="Plan a window.")
@click.argument("name", metavar="NAME")
@click.argument("matchers", metavar="MATCHER...", nargs=-1, required=True)
@click.option(
    "--for", "duration", metavar="DURATION", type=Duration(), help="How long each occurrence lasts."
)
@click.option("--ends", metavar="TIME", help="End of the first occurrence; or give --for.")
@click.option("--starts", metavar="TIME", help="Start of the first occurrence; default: now.")
@click.option("--rrule", metavar="RULE", help="When it comes again (RFC 5545), such as FREQ=WEEKLY;BYDAY=SU.")
@click.option("--time-zone", metavar="ZONE", help="Zone of times without an offset; default: UTC.")
@click.option("-m", "--comment", metavar="TEXT", help="Why.")
@api_options
@pass_session
def add(session: Session, /, *, matchers: tuple[str, ...], **given: str | None) -> None:
    """Plan a maintenance window for the alerts that fit every MATCHER.

    \b
    Examples:
      incidentctl maintenance add "db upgrade" 'service="db"' --for 2h -m "CHG-7"
      incidentctl maintenance add backups 'alertname=~"Slow.*"' --starts 2027-01-03T02:00 \\
        --for 1h --rrule "FREQ=WEEKLY;BYDAY=SU" --time-zone Europe/Berlin
    """
    if bool(given["duration"]) is bool(given["ends"]):
        raise click.UsageError("give either --for or --ends")
    body = {"matchers": list(matchers), **{key: value for key, value in given.items() if value is not None}}
    answer = session.client().post(_PATH, body)
    if not session.printed(answer):
        click.echo(f"planned: {_sentence(answer.object, session)}")


@maintenance.command("list", short_help="List windows that hold now or later.")
@api_options
@pass_session
def listed(session: Session, /) -> None:
    """List the windows that hold now or later; those without an ID stand in the configuration.

    \b
    Example:
      incidentctl maintenance list
    """
    answer = session.client().get(_PATH)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no maintenance is planned")
        return
    now = session.now()
    columns = {
        "ID": lambda w: w.get("id"),
        "NAME": lambda w: w.get("name"),
        "ACTIVE": lambda w: "yes" if w.get("active") else "",
        "STARTS": lambda w: when(w.get("starts_at"), now),
        "ENDS": lambda w: when(w.get("ends_at"), now),
        "MATCHERS": lambda w: ", ".join(map(str, w.get("matchers") or [])),
        "COMES AGAIN": lambda w: w.get("rrule"),
        "BY": lambda w: w.get("created_by") or "configuration",
    }
    output.print_table(output.table_of(answer.items, columns))


@maintenance.command("cancel", short_help="End a window, or call it off.")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@api_options
@pass_session
def cancel(session: Session, /, *, number: int) -> None:
    """End a window now, or call it off: people are told of what still fires.

    \b
    Example:
      incidentctl maintenance cancel 3
    """
    answer = session.client().delete(f"{_PATH}/{number}")
    if not session.printed(answer):
        click.echo(f"cancelled: {clean(answer.object.get('name'))}")


def _sentence(window: dict[str, Any], session: Session) -> str:
    now = session.now()
    number, name = clean(window.get("id")), clean(window.get("name"))
    starts, ends = when(window.get("starts_at"), now), when(window.get("ends_at"), now)
    again = f", again by {clean(window['rrule'])}" if window.get("rrule") else ""
    return f"{number} {name}: {starts} to {ends}{again}"
