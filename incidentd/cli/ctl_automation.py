"""Commands about what machines do: automation, and the parts of `step` that concern them."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import output
from incidentd.cli.ctl_common import Session, api_options, pass_session
from incidentd.cli.output import clean

_Json = dict[str, Any]
_SWITCH = "/api/v1/automation"


@click.command("automation", short_help="Show or throw the switch that ends all automation.")
@click.argument("action", metavar="[stop|resume]", required=False, type=click.Choice(["stop", "resume"]))
@click.option("-m", "--comment", metavar="TEXT", help="Why; kept in the audit log.")
@api_options
@pass_session
def automation(session: Session, /, *, action: str | None, comment: str | None) -> None:
    """Show whether machines take steps of runbooks; stop them all at once, or let them go on.

    `stop` ends what runs and begins nothing further, on all replicas, until somebody with the scope admin says
    `resume`.

    \b
    Examples:
      incidentctl automation
      incidentctl automation stop -m "the restart made it worse"
    """
    client = session.client()
    if action is None:
        answer = client.get(_SWITCH)
    else:
        answer = client.post(_SWITCH, {"stopped": action == "stop", "comment": comment or ""})
    if session.printed(answer):
        return
    found = answer.object
    if not found.get("enabled"):
        click.echo("off: automation.enabled is not set")
    elif found.get("stopped"):
        said = f": {clean(found.get('comment'))}" if found.get("comment") else ""
        click.echo(f"stopped by {clean(found.get('stopped_by'))} at {clean(found.get('stopped_at'))}{said}")
    else:
        click.echo("on" + (", dry run: nothing is done" if found.get("dry_run") else ""))
    if names := found.get("commands"):
        click.echo(f"commands: {', '.join(map(clean, names))}")
    for each in found.get("unfit") or []:
        click.echo(f"warning: {clean(each)}", err=True)


def print_output(session: Session, incident_id: int, number: int) -> None:
    """Print what the last run of a step said."""
    path = f"/api/v1/incidents/{incident_id}/runbook/runs"
    client = session.client()
    runs = client.get(path, {"number": number, "limit": 1}).object.get("items") or []
    if not runs:
        click.echo(f"{output.ref(incident_id)} step {number}: no machine has taken it", err=True)
        return
    answer = client.get(f"{path}/{runs[0]['id']}")
    if session.printed(answer):
        return
    run = answer.object
    click.echo(f"{output.ref(incident_id)} step {number} {run_words(run)}", err=True)
    for line in str(run.get("output") or "").splitlines():
        click.echo(clean(line))


def run_words(run: _Json | None) -> str:
    """What a machine did of a step, in a few words; empty if nothing."""
    if not run:
        return ""
    state = clean(run.get("state")).replace("_", " ")
    dry = "dry run, " if run.get("dry_run") else ""
    summary = clean(run.get("summary"))
    waits = f" by {clean(run.get('asked_by'))}" if run.get("state") == "asked" else ""
    return f"{dry}{state}{waits}" + (f": {summary}" if summary else "")
