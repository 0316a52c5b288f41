"""Commands about scheduled maintenance on the status page, and statuses that people give components."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import Answer
from incidentd.cli.ctl_common import Duration, Session, api_options, pass_session
from incidentd.cli.output import clean, when

_PLANS = "/api/v1/status/maintenances"
_OVERRIDES = "/api/v1/status/overrides"
_STATUSES = ("operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage")
_force = click.option("--force", is_flag=True, help="Although the text holds what looks internal; recorded.")


@click.group("maintenance", short_help="Schedule maintenance that the public is told of.")
def maintenance() -> None:
    """Schedule maintenance that the public is told of. Pages about its components are withheld meanwhile.

    \b
    Examples:
      incidentctl status maintenance add "Database upgrade" -c API --starts 2027-01-03T02:00 --for 2h
      incidentctl status maintenance list
      incidentctl status maintenance complete 5f0c2a9b1d3e
    """


@maintenance.command("add", short_help="Schedule one.")
@click.argument("title", metavar="TITLE")
@click.option(
    "-c", "--component", "components", metavar="NAME", multiple=True, required=True, help="What of."
)
@click.option(
    "--for", "duration", metavar="DURATION", type=Duration(), required=True, help="How long it lasts."
)
@click.option("--starts", metavar="TIME", help="Start of the first occurrence; default: now.")
@click.option("--rrule", metavar="RULE", help="When it comes again (RFC 5545), such as FREQ=WEEKLY;BYDAY=SU.")
@click.option("--time-zone", metavar="ZONE", help="Zone of times without an offset; default: UTC.")
@click.option("--loud", is_flag=True, help="Pages are not withheld.")
@click.option("--verify", is_flag=True, help="At its end it is being verified, until you complete it.")
@click.option("-m", "--body", metavar="TEXT", help="The text; default: the template's.")
@_force
@api_options
@pass_session
def add(session: Session, /, *, components: tuple[str, ...], loud: bool, **given: Any) -> None:
    """Tell the public of a maintenance. It begins and ends by itself.

    \b
    Example:
      incidentctl status maintenance add "Database upgrade" -c API --starts 2027-01-03T02:00 --for 2h \\
        --time-zone Europe/Berlin
    """
    said = {key: value for key, value in given.items() if value not in (None, False)}
    answer = session.client().post(_PLANS, {**said, "components": list(components), "quiet": not loud})
    _report(session, answer)


@maintenance.command("list", short_help="List those to come, under way and past.")
@api_options
@pass_session
def plans(session: Session, /) -> None:
    """List scheduled maintenances.

    \b
    Example:
      incidentctl status maintenance list
    """
    answer = session.client().get(_PLANS)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("no maintenance is scheduled")
        return
    now = session.now()
    columns = {
        "ID": lambda m: m.get("id"),
        "STATUS": lambda m: m.get("status"),
        "TITLE": lambda m: m.get("title"),
        "STARTS": lambda m: when(m.get("scheduled_for"), now),
        "ENDS": lambda m: when(m.get("scheduled_until"), now),
        "COMES AGAIN": lambda m: m.get("rrule"),
        "BY": lambda m: m.get("created_by"),
    }
    output.print_table(output.table_of(answer.items, columns))


def _mover(name: str, stage: str, text: str) -> click.Command:
    @click.command(
        name, short_help=text, help=f"{text}\n\n\b\nExample:\n  incidentctl status maintenance {name} ID"
    )
    @click.argument("code", metavar="ID")
    @click.option("-m", "--body", metavar="TEXT", help="The text; default: the template's.")
    @click.option(
        "--series", is_flag=True, hidden=stage != "completed", help="It does not come again either."
    )
    @_force
    @api_options
    @pass_session
    def move(session: Session, /, *, code: str, body: str | None, force: bool, series: bool) -> None:
        if not (code.isascii() and code.isalnum()):
            raise click.BadParameter(f"{clean(code)!r} is no ID", param_hint="ID")
        said: dict[str, Any] = {"status": stage, "force": force, **({"body": body} if body else {})}
        said |= {"series": True} if series else {}
        _report(session, session.client().post(f"{_PLANS}/{code}/update", said))

    return move


for _name, _stage, _text in (
    ("start", "in_progress", "Begin now, or say more while it goes on."),
    ("verify", "verifying", "The work is done and is being verified."),
    ("complete", "completed", "It is over, or cancelled if it has not begun."),
):
    maintenance.add_command(_mover(_name, _stage, _text))


def _report(session: Session, answer: Answer) -> None:
    if session.printed(answer):
        return
    found, now = answer.object, session.now()
    begin, end = when(found.get("scheduled_for"), now), when(found.get("scheduled_until"), now)
    click.echo(
        f"{clean(found.get('id'))} {clean(found.get('title'))}: {clean(found.get('status'))}, {begin} to {end}"
    )


@click.group("override", short_help="Give a component a status by hand.")
def override() -> None:
    """Give a component a status by hand. It wins over incidents and maintenance while it holds.

    \b
    Examples:
      incidentctl status override set API partial_outage --for 2h -m "half of the cells"
      incidentctl status override clear 3
    """


@override.command("set", short_help="Give a component a status.")
@click.argument("component", metavar="NAME")
@click.argument("status", type=click.Choice(_STATUSES))
@click.option("--for", "duration", metavar="DURATION", type=Duration(), help="Default: until it is cleared.")
@click.option("-m", "--reason", metavar="TEXT", required=True, help="Why; the public does not read it.")
@api_options
@pass_session
def set_(session: Session, /, *, duration: str | None, **given: str) -> None:
    """Give a component a status.

    \b
    Example:
      incidentctl status override set API partial_outage --for 2h -m "half of the cells"
    """
    answer = session.client().post(_OVERRIDES, {**given, **({"for": duration} if duration else {})})
    if not session.printed(answer):
        click.echo(f"set: {clean(answer.object.get('id'))} {given['component']} is {given['status']}")


@override.command("list", short_help="List the newest.")
@api_options
@pass_session
def listed(session: Session, /) -> None:
    """List statuses that people gave components, those that hold first.

    \b
    Example:
      incidentctl status override list
    """
    answer = session.client().get(_OVERRIDES)
    if session.printed(answer):
        return
    now = session.now()
    columns = {
        "ID": lambda o: o.get("id"),
        "COMPONENT": lambda o: o.get("component"),
        "STATUS": lambda o: o.get("status"),
        "ACTIVE": lambda o: "yes" if o.get("active") else "",
        "UNTIL": lambda o: when(o.get("until"), now) if o.get("until") else "",
        "BY": lambda o: o.get("author"),
        "REASON": lambda o: o.get("reason"),
    }
    output.print_table(output.table_of(answer.items, columns))


@override.command("clear", short_help="Let the status follow from incidents again.")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@api_options
@pass_session
def clear(session: Session, /, *, number: int) -> None:
    """Let a component's status follow from incidents and maintenance again.

    \b
    Example:
      incidentctl status override clear 3
    """
    answer = session.client().delete(f"{_OVERRIDES}/{number}")
    if not session.printed(answer):
        click.echo(f"cleared: {clean(answer.object.get('component'))}")
