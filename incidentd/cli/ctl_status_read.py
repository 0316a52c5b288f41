"""Commands that show what the public status page tells, and what waits to be told."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.client import Answer
from incidentd.cli.ctl_common import Session, api_options, pass_session
from incidentd.cli.output import clean, when

PATH = "/api/v1/status/publications"


@click.command("drafts", short_help="List what waits to become public.")
@api_options
@pass_session
def drafts(session: Session, /) -> None:
    """List the drafts.

    \b
    Example:
      incidentctl status drafts
    """
    _list(session, session.client().get(PATH, {"state": "draft"}), "nothing waits")


@click.command("list", short_help="List public incidents and drafts.")
@api_options
@pass_session
def listed(session: Session, /) -> None:
    """List publications, newest first.

    \b
    Example:
      incidentctl status list
    """
    _list(session, session.client().get(PATH), "nothing was published")


def _list(session: Session, answer: Answer, nothing: str) -> None:
    if session.printed(answer):
        return
    if not answer.items:
        click.echo(nothing)
        return
    now = session.now()
    columns = {
        "ID": lambda p: p.get("id"),
        "INCIDENT": lambda p: output.ref(p.get("incident_id")),
        "STATE": lambda p: p.get("state"),
        "STATUS": lambda p: p.get("status"),
        "IMPACT": lambda p: p.get("impact"),
        "TITLE": lambda p: p.get("title"),
        "SINCE": lambda p: when(p.get("started_at"), now),
    }
    output.print_table(output.table_of(answer.items, columns))


@click.command("show", short_help="Show a publication and all its texts.")
@click.argument("code", metavar="ID")
@api_options
@pass_session
def show(session: Session, /, *, code: str) -> None:
    """Show a publication with every revision of its texts.

    \b
    Example:
      incidentctl status show INC-12
    """
    answer = session.client().get(f"{PATH}/{quoted(code)}")
    if not session.printed(answer):
        _print(session, answer.object)


def quoted(code: str) -> str:
    """A code as it can stand in a path; else wrong usage."""
    if not (code.isascii() and code.replace("-", "").isalnum()):
        raise click.BadParameter(f"{clean(code)!r} is no ID; see: incidentctl status list", param_hint="ID")
    return code


def _print(session: Session, found: dict[str, Any]) -> None:
    now = session.now()
    fields = [
        ("id", found.get("id")),
        ("incident", output.ref(found.get("incident_id"))),
        ("title", found.get("title")),
        ("state", found.get("state")),
        ("status", found.get("status")),
        ("impact", found.get("impact")),
        ("components", ", ".join(f"{k} {v}" for k, v in (found.get("components") or {}).items())),
        ("started", when(found.get("started_at"), now)),
        ("next update", when(found.get("next_update_at"), now) if found.get("next_update_at") else ""),
    ]
    output.print_fields(fields)
    for said in found.get("updates") or []:
        click.echo(
            f"\n{clean(said.get('id'))} revision {clean(said.get('revision'))}, {clean(said.get('status'))}, "
            f"{when(said.get('at'), now)}, by {clean(said.get('author'))}"
        )
        click.echo(clean(said.get("body"), lines=True))
