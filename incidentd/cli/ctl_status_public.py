"""Commands about who the status page tells, and about what another page told before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Session, api_options, pass_session
from incidentd.cli.ctl_status_read import quoted
from incidentd.cli.output import clean, when

_SUBSCRIBERS = "/api/v1/status/subscribers"
_HISTORY = "/api/v1/status/history"
_AT_ONCE = 5
"""Events of one request: it holds 256 KiB at most."""


@click.group("subscribers", short_help="Who is told of what becomes public.")
def subscribers() -> None:
    """Who is told of what becomes public. Addresses are personal data: this needs a token with the scope admin.

    \b
    Examples:
      incidentctl status subscribers list
      incidentctl status subscribers add https://hooks.example/status -c API
      incidentctl status subscribers remove 5f0c2a9b1d3e
    """


@subscribers.command("list", short_help="List them, newest first.")
@click.option("--cursor", metavar="TEXT", help="Where the page before ended.")
@api_options
@pass_session
def listed(session: Session, /, *, cursor: str | None) -> None:
    """List subscribers.

    \b
    Example:
      incidentctl status subscribers list --json
    """
    answer = session.client().get(_SUBSCRIBERS, {"cursor": cursor} if cursor else None)
    if session.printed(answer):
        return
    if not answer.items:
        click.echo("nobody has subscribed")
        return
    now = session.now()
    columns = {
        "ID": lambda s: s.get("id"),
        "KIND": lambda s: s.get("kind"),
        "ADDRESS": lambda s: s.get("address"),
        "STANDING": lambda s: s.get("standing"),
        "ABOUT": lambda s: "everything" if s.get("components") is None else ", ".join(s["components"]),
        "SINCE": lambda s: when(s.get("created_at"), now),
        "FAILED": lambda s: s.get("failures") or "",
    }
    output.print_table(output.table_of(answer.items, columns))
    if answer.object.get("next_cursor"):
        click.echo(f"more: --cursor {clean(answer.object['next_cursor'])}")


@subscribers.command("add", short_help="Have a webhook told.")
@click.argument("endpoint", metavar="URL")
@click.option("-c", "--component", "components", metavar="NAME", multiple=True, help="Default: everything.")
@api_options
@pass_session
def add(session: Session, /, *, endpoint: str, components: tuple[str, ...]) -> None:
    """Have a webhook told, without a question to confirm. Its signing secret is printed once.

    \b
    Example:
      incidentctl status subscribers add https://hooks.example/status -c API
    """
    answer = session.client().post(_SUBSCRIBERS, {"endpoint": endpoint, "components": list(components)})
    if not session.printed(answer):
        found = answer.object
        click.echo(f"added: {clean(found.get('id'))}\nsigned with: {clean(found.get('secret'))}")


@subscribers.command("remove", short_help="End a subscription.")
@click.argument("code", metavar="ID")
@api_options
@pass_session
def remove(session: Session, /, *, code: str) -> None:
    """End a subscription; its address is forgotten.

    \b
    Example:
      incidentctl status subscribers remove 5f0c2a9b1d3e
    """
    answer = session.client().delete(f"{_SUBSCRIBERS}/{quoted(code)}")
    if not session.printed(answer):
        click.echo(f"removed: {clean(answer.object.get('address'))}")


@click.command("import", short_help="Take over what another page told before.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@api_options
@pass_session
def import_(session: Session, /, *, file: Path) -> None:
    """Send FILE, made by `incidentd import statuspage --history`. What is there already is left as it is.

    \b
    Example:
      incidentctl status import history.json
    """
    client, imported, known = session.client(), 0, 0
    for piece in _pieces(file):
        answer = client.post(_HISTORY, piece)
        imported += len(answer.object.get("imported") or ())
        known += len(answer.object.get("known") or ())
    click.echo(f"{imported} taken over, {known} were there already")


def _pieces(file: Path) -> list[dict[str, list[Any]]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        lists = {kind: list(found[kind]) for kind in ("incidents", "maintenances")}
    except (OSError, ValueError, KeyError, TypeError):
        raise click.BadParameter(
            f"{file} was not made by `incidentd import statuspage --history`", param_hint="FILE"
        ) from None
    return [
        {kind: events[start : start + _AT_ONCE]}
        for kind, events in lists.items()
        for start in range(0, len(events), _AT_ONCE)
    ]
