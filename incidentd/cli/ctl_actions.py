"""Commands for the days after an incident: postmortem, and actions with what is done to them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import IncidentId, Session, api_options, each, page_options, pass_session
from incidentd.cli.ctl_ops import print_page
from incidentd.cli.output import clean

_PATH = "/api/v1/actions"
_STATES = ("open", "done", "dropped", "all")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_Json = dict[str, Any]


class Day(click.ParamType[str]):
    """A day, kept as text: the server reads it."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with what is accepted."""
        if _DAY.fullmatch(str(value)) is None:
            self.fail(f"{output.clean(value)!r} is not a day; accepted: 2026-12-24", param, ctx)
        return str(value)


@click.command("postmortem", short_help="Write down what is known of an incident.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@click.option("--format", "form", type=click.Choice(("md", "html", "json")), default="md", help="As what.")
@api_options
@pass_session
def postmortem(session: Session, /, *, incident_id: int, form: str) -> None:
    """Print the postmortem of one incident, filled in with what is known: figures, error budget, deployments near it,
    timeline, alerts, runbook steps with what came of them, who was told, and action items.

    What only people know is asked for at its place. The HTML form is one file with a drawing, which needs nothing else.

    \b
    Examples:
      incidentctl postmortem INC-12 > INC-12.md
      incidentctl postmortem INC-12 --format html > INC-12.html
    """
    session.json = session.json or form == "json"
    answer = session.client().get(f"/api/v1/incidents/{incident_id}/postmortem")
    if session.printed(answer):
        return
    from incidentd.rendering.formats import Format
    from incidentd.rendering.postmortem import rendered

    click.echo(rendered(answer.object, Format(form)), nl=False)


@click.group("actions", invoke_without_command=True, short_help="List and close what is to be done.")
@click.option(
    "--state", type=click.Choice(_STATES), default="open", show_default=True, help="Only this state."
)
@click.option("--owner", metavar="NAME", help="Only those of this owner.")
@click.option("--incident", metavar="ID", type=IncidentId(), help="Only those of one incident.")
@click.option("--overdue", is_flag=True, help="Only open ones whose day is over.")
@page_options
@api_options
@pass_session
@click.pass_context
def actions(
    ctx: click.Context, session: Session, /, *, state: str, overdue: bool, **query: str | int | None
) -> None:
    """List action items: what has to be done after incidents, by whom and until when.

    \b
    Examples:
      incidentctl actions --overdue
      incidentctl actions add INC-12 "alert on the queue's length" --owner alice --due 2026-12-24
      incidentctl actions done 3 -m "PR 4711"
    """
    if ctx.invoked_subcommand is not None:
        return
    asked = {"state": None if state == "all" else state, "overdue": "true" if overdue else None, **query}
    print_page(session, session.client().get(_PATH, asked), _table, "no action items match")


@actions.command("add", short_help="Add one to an incident.")
@click.argument("incident_id", metavar="ID", type=IncidentId())
@click.argument("title", metavar="TITLE")
@click.option("--owner", metavar="NAME", help="Who sees to it: a person or a team.")
@click.option("--due", type=Day(), help="The last day on which it is in time.")
@api_options
@pass_session
def add(session: Session, /, *, incident_id: int, **given: str | None) -> None:
    """Add an action item to an incident, open or resolved.

    \b
    Example:
      incidentctl actions add INC-12 "alert on the queue's length" --owner alice --due 2026-12-24
    """
    body = {key: value for key, value in given.items() if value is not None}
    answer = session.client().post(f"/api/v1/incidents/{incident_id}/actions", body)
    if not session.printed(answer):
        click.echo(_sentence(answer.object, "added"))


@actions.command("edit", short_help="Change title, owner or day.")
@click.argument("number", metavar="N", type=click.IntRange(1))
@click.option("--title", metavar="TEXT", help="What is to be done.")
@click.option("--owner", metavar="NAME", help='Who sees to it; "" for nobody.')
@click.option("--due", type=Day(), help="The last day on which it is in time.")
@click.option("--no-due", is_flag=True, help="It has no day any more.")
@api_options
@pass_session
def edit(session: Session, /, *, number: int, due: str | None, no_due: bool, **given: str | None) -> None:
    """Give an action item another title, owner or day; what is not given stays.

    \b
    Example:
      incidentctl actions edit 3 --owner bob --due 2027-01-15
    """
    if due is not None and no_due:
        raise click.UsageError("--due and --no-due exclude each other")
    body: dict[str, str | None] = {key: value for key, value in given.items() if value is not None}
    body |= {"due": due} if due is not None or no_due else {}
    if not body:
        raise click.UsageError("nothing to change: give --title, --owner, --due or --no-due")
    answer = session.client().post(f"{_PATH}/{number}/edit", body)
    if not session.printed(answer):
        click.echo(_sentence(answer.object, "is now"))


def _moves(name: str, verb: str, line: str) -> None:
    @actions.command(name, short_help=line)
    @click.argument("numbers", metavar="N...", type=click.IntRange(1), nargs=-1, required=True)
    @click.option("-m", "--comment", metavar="TEXT", help="Why, or what came of it.")
    @api_options
    @pass_session
    def command(session: Session, /, *, numbers: tuple[int, ...], comment: str | None) -> None:
        def act(number: int) -> None:
            answer = session.client().post(f"{_PATH}/{number}/{name}", {"comment": comment or ""})
            if not session.printed(answer):
                click.echo(_sentence(answer.object, verb))

        each(numbers, act, lambda number: f"action {number}")

    command.help = f'{line}\n\n\b\nExample:\n  incidentctl actions {name} 3 -m "PR 4711"'


_moves("done", "is done", "They are done.")
_moves("drop", "is dropped", "They are not going to be done.")
_moves("reopen", "is open", "They are to be done after all.")


def _sentence(item: _Json, verb: str) -> str:
    owner = clean(item.get("owner")) or "nobody"
    due = f", due {clean(item['due'])}" if item.get("due") else ""
    return (
        f"action {item.get('id')} {verb}: {clean(item.get('title'))} ({clean(item.get('ref'))}, {owner}{due})"
    )


def _table(items: list[_Json], now: datetime) -> output.Table:  # noqa: ARG001 - the signature of all tables
    return output.table_of(
        items,
        {
            "N": lambda a: a.get("id"),
            "INCIDENT": lambda a: a.get("ref"),
            "STATE": lambda a: "overdue" if a.get("overdue") else a.get("state"),
            "DUE": lambda a: a.get("due"),
            "OWNER": lambda a: a.get("owner") or "nobody",
            "WHAT": lambda a: a.get("title"),
            "SAID": lambda a: a.get("comment"),
        },
    )
