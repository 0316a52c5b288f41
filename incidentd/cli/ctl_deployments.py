"""The command that shows deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Session, api_options, page_options, pass_session
from incidentd.cli.ctl_ops import print_page
from incidentd.cli.output import when

_Json = dict[str, Any]


@click.command("deployments", short_help="List deployments.")
@click.option("--service", metavar="NAME", help="Only this service.")
@click.option("--environment", metavar="NAME", help="Only this environment.")
@page_options
@api_options
@pass_session
def deployments(session: Session, /, **query: str | int | None) -> None:
    """List deployments, newest first.

    \b
    Example:
      incidentctl deployments --service checkout --environment production
    """
    answer = session.client().get("/api/v1/deployments", query)
    print_page(session, answer, _table, "no deployments match")


def _table(items: list[_Json], now: datetime) -> output.Table:
    return output.table_of(
        items,
        {
            "ID": lambda d: d.get("id"),
            "SERVICE": lambda d: d.get("service"),
            "ENVIRONMENT": lambda d: d.get("environment"),
            "VERSION": lambda d: d.get("version"),
            "STATUS": lambda d: d.get("status") or "running",
            "STARTED": lambda d: when(d.get("started_at"), now),
            "FINISHED": lambda d: when(d.get("finished_at"), now),
        },
    )
